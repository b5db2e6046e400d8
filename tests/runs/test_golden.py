"""A change to the code that moves numbers is noticed: runs with other numbers need new names."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ssn3d import losses
from ssn3d.runs import load_or_train
from tests.runs import golden

ADVICE = (
    "{what} is not what it was. Undo the change; or, if it is meant, raise {version}, run "
    "`python -m tests.runs.golden`, and regenerate the results: make figures studies"
)
LOSSES = json.loads((golden.FOLDER / "losses.json").read_text())


def assert_as_known(name: str) -> None:
    """Compare a run with what it is known to give; another processor moves the last digits."""
    got, known = golden.measured(golden.configs()[name]), LOSSES[name]
    same = got.keys() == known.keys() and all(
        got[term] == pytest.approx(known[term], rel=1e-4, abs=1e-6) for term in known
    )
    advice = ADVICE.format(what=f"a small run ({name})", version="its kind's results_version")
    assert same, f"{advice}\n got {got}\nknown {known}"


def test_every_small_run_is_known():
    assert LOSSES.keys() == golden.configs().keys()


@pytest.mark.parametrize("name", golden.configs())
def test_a_small_run_gives_what_it_gave(name):
    assert_as_known(name)


@pytest.mark.parametrize("renderer", golden.PICTURES)
def test_a_small_picture_is_what_it_was(renderer):
    known = np.array(Image.open(golden.FOLDER / f"{renderer}.png"), dtype=float)
    got = golden.picture(renderer).permute(1, 2, 0).numpy().astype(float)
    same = got.shape == known.shape and np.abs(got - known).mean() < 0.05  # of 255
    assert same, ADVICE.format(what=f"a picture ({renderer})", version="its RENDERER_VERSION")


def test_a_changed_number_is_noticed(store, monkeypatch):
    """The guard itself: one term of one loss a thousandth larger."""
    loss = losses.ssn_loss
    monkeypatch.setattr(losses, "ssn_loss", lambda *a, **k: 1.001 * loss(*a, **k))
    with pytest.raises(AssertionError, match=r"raise its kind's results_version"):
        assert_as_known("mars")


def test_a_settings_default_added_later_renames_nothing():
    config = golden.configs()["mars"]
    changed = config.changed()
    assert "margin" not in changed
    assert changed["dataset"] == "mars"
    assert replace(config, margin=0.5).changed()["margin"] == 0.5


def test_golden_runs_are_found_again(store):
    config = golden.configs()["random_maps normal"]
    assert load_or_train(config).folder == load_or_train(config).folder
