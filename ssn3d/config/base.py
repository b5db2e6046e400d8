"""The base of all configurations: it checks fields, and compares them with their defaults."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

Scale = Literal["smoke", "demo", "paper"]
SCALES: tuple[str, ...] = get_args(Scale)
Config = TypeVar("Config", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """Base of flat, frozen configurations; fields are checked against their annotations.

    Raises:
        ValueError: a field is of the wrong kind or out of range; says what was expected.
    """

    COUNTS: ClassVar[tuple[str, ...]] = ()
    """Fields that are at least 1."""
    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Smallest and largest value of other numbers; infinity and NaN are in no range."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name in (field.name for field in fields(self)):
            value, kind = getattr(self, name), hints[name]
            check(name, value, kind)
            if kind in (float, float | None) and value is not None:
                object.__setattr__(self, name, float(value))  # 1 and 1.0 are one run
        for name in self.COUNTS:
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        for name, (low, high) in self.RANGES.items():
            if (value := getattr(self, name)) is not None and not low <= value <= high:
                raise ValueError(f"{name} must be within {low:g}..{high:g}, got {value}")

    @classmethod
    def check_names(cls, changes: Iterable[str]) -> None:
        """Raise ValueError if a name is not a field; the message gives the nearest field."""
        known = [field.name for field in fields(cls)]
        for name in changes:
            if name not in known:
                raise ValueError(f"{cls.__name__} has no field {name!r}{nearest(name, known)}")

    def changed(self) -> dict[str, Any]:
        """The fields that differ from their defaults, and those without default; they name a run.

        So a field that is added later renames no run, if its default is the former behaviour.
        """
        values = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in values if value != field.default}


def replicates(config: Config, seeds: int) -> list[Config]:
    """The same run with the seeds 0, 1, 2, ..., on iLIDS-VID each with the next of its ten splits.

    Args:
        config: whose seed and split are replaced.
        seeds: how many runs.
    """
    ten = getattr(config, "dataset", None) == "ilids_vid"
    changes = [{"seed": seed, **({"split": seed % 10} if ten else {})} for seed in range(seeds)]
    return [replace(config, **each) for each in changes]  # type: ignore[arg-type]


def check(name: str, value: object, kind: Any) -> None:
    """Raise ValueError unless `value` is of the annotated `kind`."""
    options = get_args(kind)
    if get_origin(kind) is Literal:
        if value in options:
            return
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}"
            + nearest(value, options)
        )
    kinds = options or (kind,)
    # True is an int to Python, but never a number of people.
    if bool in kinds or not isinstance(value, bool):
        if isinstance(value, kinds) or (float in kinds and isinstance(value, int)):
            return
    wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
    raise ValueError(f"{name} must be {wanted}, got {value!r} ({type(value).__name__})")


def nearest(name: object, known: Iterable[object]) -> str:
    """The text "; did you mean ...?" if one of the known names is close, else an empty one."""
    options = {str(option).casefold(): str(option) for option in known}
    close = difflib.get_close_matches(str(name).casefold(), options, 1, 0.5)
    return f"; did you mean {options[close[0]]!r}?" if close else ""


def affordable_precision() -> str:
    """The number format of the small scales on this machine.

    This is bfloat16, or float32 if the processor lacks AVX-512: without it, bfloat16 takes five
    times as long (tests/benchmarks/bench_cpus.py).
    """
    from torch.backends.cpu import get_cpu_capability

    return "bfloat16" if get_cpu_capability().startswith("AVX512") else "float32"
