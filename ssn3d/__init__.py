"""Reproducible companion to the AAAI 2021 paper SSN3D: Self-Separated Network to Align Parts for
3D Convolution in Video Person Re-Identification.

Axis letters, the same everywhere:
    b clips, t frames, f = b * t frames flattened, c channels, h w rows and columns of a map,
    n parts (m the class a part is judged as), i j rows and columns of a window, d embedding size,
    q g query and gallery, p people, k anything else that is counted.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import losses, models
    from .config import RunConfig
    from .evaluation import retrieval
    from .paper import numbers as paper
    from .paper import tables
    from .plots import style as plots
    from .runs import Run, load_or_train, sweep
    from .trained import load

__version__ = "0.1.0"

_HOME = {
    "Run": "runs",
    "RunConfig": "config",
    "load": "trained",
    "load_or_train": "runs",
    "sweep": "runs",
}
_MODULES = ("losses", "models", "paper", "plots", "retrieval", "tables")

__all__ = [
    "Run",
    "RunConfig",
    "load",
    "load_or_train",
    "losses",
    "models",
    "paper",
    "plots",
    "retrieval",
    "sweep",
    "tables",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import ssn3d` alone loads no torch."""
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'ssn3d' has no attribute {name!r}")
