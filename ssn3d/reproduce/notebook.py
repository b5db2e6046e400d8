"""What notebooks need around an experiment: checked parameters, source code, where results go."""

import ast
import inspect
import os
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from IPython import get_ipython
from IPython.display import Markdown

from ssn3d.config.base import nearest
from ssn3d.data import project_folder

KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
}


def check_parameters(**allowed: Container[Any]) -> None:
    """Stop before any work if a notebook's parameters are not what its parameters cell declares.

    papermill only warns of unknown names, and injects values of any type. Call this in the cell
    after the parameters. If the parameter "scale" was not injected, $SSN3D_SCALE overrides it, so
    that tests can run a notebook at a small scale.

    Args:
        **allowed: the values that a parameter may have, under its name. A text is checked word by
            word; if a range is allowed, its words must be whole numbers.

    Raises:
        ValueError: an unknown parameter, or a value that is not allowed; says which, and names
            the nearest.
    """
    shell = get_ipython()
    if shell is None:
        raise RuntimeError("check_parameters belongs in a notebook; call it from a cell")
    names, cells = shell.user_ns, shell.user_ns["In"]
    kinds = {
        name: kind if isinstance(kind, str) else kind.__name__
        for name, kind in names.get("__annotations__", {}).items()
    }
    # nbval keeps no record of cells; but nothing is injected there
    injected = [
        target.id
        for cell in cells
        if cell.startswith("# Parameters")
        for node in _statements(cell)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    for name in injected:
        if name not in kinds:
            raise ValueError(
                f"this notebook has no parameter {name!r}{nearest(name, kinds)}; it has "
                + ", ".join(kinds)
            )
    if "scale" in kinds and "scale" not in injected:
        names["scale"] = os.environ.get("SSN3D_SCALE", names["scale"])
    for name, kind in kinds.items():
        _check(name, names[name], kind, allowed.get(name))


def show_source(*things: Any) -> Markdown:
    """The package's own source of functions and classes, which cannot drift from what runs."""
    code = "\n\n".join(inspect.getsource(thing).rstrip() for thing in things)
    return Markdown(f"```python\n{code}\n```")


def figures_folder() -> Path:
    """Where results go: $SSN3D_FIGURES, which the main job sets to figures/, or build/figures."""
    folder = Path(os.environ.get("SSN3D_FIGURES", project_folder() / "build" / "figures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _statements(cell: str) -> Iterable[ast.stmt]:
    try:
        return ast.parse(cell).body
    except SyntaxError:  # magics
        return []


def _check(name: str, value: Any, kind: str, allowed: Container[Any] | None) -> None:
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
        hint = (
            " (with papermill, -p x true is a text: use -y '{x: true}')" if kind == "bool" else ""
        )
        raise ValueError(
            f"parameter {name!r} must be {kind}, got {value!r} ({type(value).__name__}){hint}"
        )
    if allowed is None:
        return
    words: list[Any] = value.split() if isinstance(value, str) else [value]
    if isinstance(value, str) and isinstance(allowed, range):
        words = [int(word) if word.isdecimal() else word for word in words]
    wrong = next((word for word in words if word not in allowed), None if words else "nothing")
    if wrong is not None:
        if isinstance(allowed, range):
            options, listed = [], f"{allowed.start} to {allowed.stop - 1}"
        else:
            options = list(allowed) if isinstance(allowed, Iterable) else []
            listed = ", ".join(map(str, options))
        raise ValueError(
            f"parameter {name!r} must be among {listed}; got {wrong!r}{nearest(wrong, options)}"
        )
