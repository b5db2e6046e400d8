"""What two runs must share to be the same: their files in the store, byte for byte."""

from ssn3d.runs import Run

RESULTS = ("config.json", "history.json", "metrics.json", "weights.safetensors")
"""All but what says when and where a run was made."""


def bits_of(run: Run) -> dict[str, bytes]:
    """The files of a run."""
    return {name: (run.folder / name).read_bytes() for name in RESULTS}
