"""Reproducible companion to the AAAI 2021 paper SSN3D: Self-Separated Network to Align Parts for
3D Convolution in Video Person Re-Identification.

Axis letters, the same everywhere:
    b clips, t frames, f = b * t frames flattened, c channels, h w rows and columns of a map,
    n parts (m the class a part is judged as), i j rows and columns of a window, d embedding size,
    q g query and gallery, p people, k anything else that is counted.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import losses, models
    from .config import RunConfig
    from .evaluation.retrieval import evaluate as evaluate_retrieval
    from .runs import Run, load_or_train, sweep
    from .runs.trained import load

__version__ = "0.2.0"

_HOMES = {
    "Run": "runs:Run",
    "RunConfig": "config:RunConfig",
    "evaluate_retrieval": "evaluation.retrieval:evaluate",
    "load": "runs.trained:load",
    "load_or_train": "runs:load_or_train",
    "losses": "losses",
    "models": "models",
    "sweep": "runs:sweep",
}

__all__ = [
    "Run",
    "RunConfig",
    "evaluate_retrieval",
    "load",
    "load_or_train",
    "losses",
    "models",
    "sweep",
]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import ssn3d` alone loads no torch."""
    from pkgutil import resolve_name  # here, as it imports much

    if name in _HOMES:
        return resolve_name(f"{__name__}.{_HOMES[name]}")
    raise AttributeError(f"module 'ssn3d' has no attribute {name!r}")
