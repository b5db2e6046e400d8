"""What notebooks need around an experiment: checked parameters, source code, where results go."""

import ast
import inspect
import os
import re
import warnings
from collections.abc import Container, Iterable
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from IPython import get_ipython
from IPython.display import Markdown

from ssn3d.config.base import nearest
from ssn3d.data import project_folder

NUMBERS = {"int": int, "float": float}


class Parameter(NamedTuple):
    """What a notebook's parameters cell declares."""

    name: str
    kind: str
    """Its annotation: str, int, float or bool."""
    default: Any
    allowed: Container[Any] | None
    """Values that it, or each of its words, may have; None: any."""

    @property
    def several(self) -> bool:
        """Whether it is a text of any number of words."""
        if self.kind != "str":
            return False
        return isinstance(self.allowed, range) or len(str(self.default).split()) > 1

    @property
    def of_numbers(self) -> bool:
        """Whether it is a text of numbers."""
        if not self.several:
            return False
        return isinstance(self.allowed, range) or None not in map(_finite, self.default.split())

    @property
    def remedy(self) -> str:
        """How papermill is told a value of this kind."""
        if self.several:
            example = f'-r {self.name} "{self.default}"'
        elif self.kind == "str":
            text = self.default or "TEXT"
            example = f"""-r {self.name} {text} or -y "{self.name}: '{text}'\""""
        else:
            example = f'-p {self.name} {self.default} or -y "{self.name}: {self.default}"'
        return f"with papermill: {example}; without any of them it is {self.default!r}"


def check_parameters(**allowed: Container[Any]) -> None:
    """Stop before any work if a notebook's parameters are not what its parameters cell declares.

    papermill only warns of unknown names, and injects values of any type. Call this in the cell
    after the parameters. If the parameter "scale" was not injected, $SSN3D_SCALE overrides it, so
    that tests can run a notebook at a small scale.

    What papermill reads as another type is converted in the notebook, if nothing can be lost:
    `-p numbers 9` is a number, and `-r seeds 3` a text. A text parameter whose default has several
    words is a list; `-y` may give a list there, and no word may come twice.

    Args:
        **allowed: the values that a parameter may have, under its name. A text is checked word by
            word; if a range is allowed, it is a list of whole numbers.

    Raises:
        ValueError: an unknown parameter, or a value that is not allowed; says which, names the
            nearest, and how papermill is told.
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
    defaults = {
        node.target.id: node.value.value
        for cell in cells
        for node in _statements(cell)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for name in injected:
        if name not in kinds:
            raise ValueError(
                f"this notebook has no parameter {name!r}{nearest(name, kinds)}; it has "
                + ", ".join(kinds)
            )
    if "scale" in kinds and "scale" not in injected:
        names["scale"] = os.environ.get("SSN3D_SCALE", names["scale"])
    for name, kind in kinds.items():
        default = defaults.get(name, names[name])
        names[name] = _checked(names[name], Parameter(name, kind, default, allowed.get(name)))


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


def _checked(value: Any, parameter: Parameter) -> Any:
    """The value as the kind that its parameter is declared to be, if it is allowed."""
    if parameter.kind == "str":
        text = _text(value, parameter)
        if not parameter.several and parameter.allowed is None:
            return text
        return _words(text, parameter)
    converted = _bool(value) if parameter.kind == "bool" else _number(value, parameter.kind)
    if converted is None:
        raise _wrong_kind(value, parameter)
    if parameter.allowed is not None and converted not in parameter.allowed:
        raise _not_allowed(converted, parameter)
    return converted


def _bool(value: Any) -> bool | None:
    """papermill's -p reads True as a truth value, but true as a text; neither can be mistaken."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _number(value: Any, kind: str) -> float | None:
    """A finite number, or the text of one; None: it is not."""
    if isinstance(value, str):
        try:
            value = NUMBERS[kind](value)
        except ValueError:
            return None
    if type(value) is int or (type(value) is float and kind == "float" and isfinite(value)):
        return value
    return None


def _finite(word: str) -> float | None:
    return _number(word, "float")


def _text(value: Any, parameter: Parameter) -> str:
    """The text that was meant, also if papermill made a number of it."""
    if isinstance(value, str):
        return value
    if parameter.several and isinstance(value, list | tuple):
        words = [each for each in value if type(each) in (str, int, float)]
        if len(words) == len(value):
            return " ".join(map(str, words))
    if type(value) is int or (type(value) is float and parameter.of_numbers):
        if not parameter.several and parameter.allowed is None:
            warnings.warn(
                f"parameter {parameter.name!r} is taken to be the text '{value}'; papermill's -p "
                f"drops zeros before a number: -r {parameter.name} TEXT would keep them",
                stacklevel=4,
            )
        return str(value)
    raise _wrong_kind(value, parameter)


def _words(text: str, parameter: Parameter) -> str:
    """A text whose words are all allowed and differ."""
    name, allowed, words = parameter.name, parameter.allowed, text.split()
    if not words:
        raise _not_allowed("nothing", parameter)
    if parameter.several and re.search(r"[,;\[\]()]", text):
        apart = " ".join(re.findall(r"[^\s,;\[\]()'\"]+", text))
        example = parameter.default if allowed is None else apart
        raise ValueError(
            f"parameter {name!r} has spaces between its words, and no commas or brackets; got "
            f'{text!r}; with papermill: -r {name} "{example}"'
        )
    values: list[Any] = words
    if isinstance(allowed, range):
        values = [int(word) if word.isdecimal() else word for word in words]
    elif parameter.of_numbers:
        values = [_finite(word) for word in words]
    for place, (word, value) in enumerate(zip(words, values, strict=True)):
        if value is None or (allowed is not None and value not in allowed):
            raise _not_allowed(word if value is None else value, parameter)
        if parameter.several and value in values[:place]:
            raise ValueError(f"parameter {name!r} has {word!r} twice, got {text!r}; name each once")
    if parameter.several:
        return text
    if len(words) > 1:
        raise ValueError(f"parameter {name!r} must be a single word, got {text!r}")
    return words[0]


def _wrong_kind(value: Any, parameter: Parameter) -> ValueError:
    return ValueError(
        f"parameter {parameter.name!r} must be {parameter.kind}, got {value!r} "
        f"({type(value).__name__}); {parameter.remedy}"
    )


def _not_allowed(value: Any, parameter: Parameter) -> ValueError:
    allowed, options = parameter.allowed, []
    if allowed is None:
        expected = "numbers" if parameter.of_numbers else "words"
    elif isinstance(allowed, range):
        expected = f"among {allowed.start} to {allowed.stop - 1}"
    else:
        options = list(allowed) if isinstance(allowed, Iterable) else []
        expected = f"among {', '.join(map(str, options))}"
    return ValueError(
        f"parameter {parameter.name!r} must be {expected}; got {value!r}{nearest(value, options)}"
    )
