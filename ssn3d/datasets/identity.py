"""Digests that tell two data sets, or two versions of the code, apart."""

import ast
import hashlib
import json
import os
from collections.abc import Iterable
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

LISTS = (".mat", ".txt", ".json", ".npz", ".csv")
"""Files that say what a data set's images show, as against the images themselves."""


def digest(value: Any) -> str:
    """Twelve hexadecimal digits that stand for a value made of JSON's types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def source_digest(modules: Iterable[str], *, but: Iterable[str] = ()) -> str:
    """A digest of what modules do, and what they import of their own package, and so on.

    Comments, docstrings and layout do not count; nor do `__init__` files, which only list names.

    Args:
        modules: full names, such as "ssn3d.losses".
        but: modules that are left out, and with them what only they import.
    """
    seen = set(but)
    waiting = sorted(set(modules) - seen)
    trees = {}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        tree = ast.parse(_file(name).read_bytes())
        trees[name] = ast.dump(_without_docstrings(tree))
        waiting += sorted(_imports(tree, name) - seen - set(waiting))
    return digest(trees)


def folder_digest(root: Path) -> str:
    """A digest of a data set: the names and sizes of its images, the contents of its lists.

    Files whose name begins with a dot do not count.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"expected a data set in the folder {root}, but it does not exist; put it there, set "
            "SSN3D_DATA to the folder that holds it (SSN3D_FOLDER to one of your own), or use "
            'source="rendered"'
        )
    found = []
    for folder, _, names in os.walk(root, followlinks=True):
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            listing = path.suffix in LISTS
            content = digest(path.read_bytes().hex()) if listing else path.stat().st_size
            found.append([path.relative_to(root).as_posix(), content])
    return digest(sorted(found))


def _file(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for the module {module}")
    return Path(spec.origin)


def _imports(tree: ast.Module, importer: str) -> set[str]:
    """Modules of the importer's own package that a source imports."""
    top, package = importer.partition(".")[0], importer.rpartition(".")[0]
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            named |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in named if name.partition(".")[0] == top and _is_plain_module(name)}


def _is_plain_module(name: str) -> bool:
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # "package.module.name": a name inside a module
        return False
    return spec is not None and spec.submodule_search_locations is None


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    return tree


def _is_text(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )
