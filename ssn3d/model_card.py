"""What goes with weights, so that who finds them knows what they are, and what they are not for."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .config import Settings


def markdown(
    name: str, config: Settings, metrics: Mapping[str, Any], made: Mapping[str, Any]
) -> str:
    """The card of a run.

    Args:
        name: of the run in the store.
        config: of the run.
        metrics: that were measured; shares and counts are shown, details are left out.
        made: its provenance.
    """
    settings = asdict(config)
    rendered = settings.get("source", "rendered") == "rendered"
    what = (
        "tells people in video apart (re-identification)"
        if made["kind"] == "reid"
        else "finds parts in pictures and tells nobody apart"
    )
    people = (
        "It has seen rendered people only. It does not work on pictures of real ones, and says "
        "nothing about how well it would."
        if rendered
        else "It was trained on pictures of real people, who did not all agree to that. Read the "
        "terms of the data set before you use or pass on these weights."
    )
    numbers = [
        (title, f"{value}" if isinstance(value, int) else f"{value:.4f}")
        for title, value in metrics.items()
        if isinstance(value, int | float)
    ]
    return "\n\n".join(
        [
            f"# Model card: {name}",
            f"A network of the ssn3d companion to *SSN3D* (AAAI 2021) that {what}. "
            f"Trained on `{made['data']}` with ssn3d {made['versions']['ssn3d']}, torch "
            f"{made['versions']['torch']}, on {made['device']}.",
            "## Use",
            f"```python\nimport ssn3d\n\nmodel = ssn3d.load(\"path/to/{name}\")\n"
            "vector = model.embed(frames)  # [t 3 H W] uint8 -> [d]; near is alike\n```"
            if made["kind"] == "reid"
            else "See the notebooks of Figures 4 to 6.",
            "Meant for research on the method and for teaching. Not for finding or following "
            f"people: {people}",
            "## Measured",
            _table(("metric", "value"), numbers),
            "On people not trained on, by the protocol in the project's README; shares in 0..1."
            if made["kind"] == "reid"
            else "See `study_metrics.py` for what each number means.",
            "## Settings",
            _table(("field", "value"), [(name, f"`{value}`") for name, value in settings.items()]),
            "Weights are in `weights.safetensors`, settings in `config.json`, losses of every step "
            "in `history.json`, provenance and digests in `made.json`. MIT licence.",
        ]
    )  # fmt: skip


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ("---", "---"), *rows])
