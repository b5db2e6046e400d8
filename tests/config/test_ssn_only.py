from dataclasses import fields, replace

import pytest

from ssn3d.config import SCALES, StudyConfig
from ssn3d.config.ssn_only import WITHOUT_LABELS

BASE = StudyConfig.preset("paper", "pedestrians", pretrained=False)
OTHER = {
    "study": "amber",
    "distribution": "uniform",
    "folder": "elsewhere",
    "pictures": 64,
    "height": 64,
    "width": 32,
    "channels": 64,
    "data_seed": 1,
    "backbone": "small",
    "pretrained": True,
    "stride": 4,
    "parts": 4,
    "window": 5,
    "hidden": 64,
    "padding": "valid",
    "strategy": "unsupervised",
    "labelled": 8,
    "labelled_steps": 10,
    "keep_labels": True,
    "shift": 4,
    "colour_jitter": 0.2,
    "steps": 10,
    "batch": 8,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "precision": "bfloat16",
    "seed": 1,
}
"""For every field another valid value."""
FREE = WITHOUT_LABELS


@pytest.mark.parametrize("field", [field.name for field in fields(StudyConfig)])
def test_changing_any_field_changes_what_names_the_run(field):
    base = replace(BASE, **FREE) if field in ("study", "strategy") else BASE
    change = {"strategy": "semi-supervised", "labelled_steps": 7} if field == "strategy" else {}
    changed = replace(base, **({field: OTHER[field]} | change))
    assert changed.changed() != base.changed()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("study", ["random_maps", "amber", "pedestrians"])
def test_every_study_has_every_scale(scale, study):
    config = StudyConfig.preset(scale, study)
    assert config.study == study
    assert config == replace(config)


def test_the_papers_settings():
    maps, amber, people = (
        StudyConfig.preset("paper", name) for name in ("random_maps", "amber", "pedestrians")
    )
    assert (maps.channels, maps.height, maps.width, maps.window, maps.batch) == (
        128,
        16,
        16,
        3,
        128,
    )
    assert (maps.hidden, maps.weight_decay, maps.padding) == (512, 5e-4, "valid")
    assert (amber.height, amber.width, amber.window, amber.parts, amber.batch) == (
        120,
        160,
        19,
        9,
        4,
    )
    assert (people.height, people.width, people.window, people.labelled) == (120, 60, 3, 16)
    assert (amber.pictures, people.pictures, people.parts) == (128, 128, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": 0}, "parts must be at least 1, got 0"),
        ({"steps": -1}, "steps must be within 0"),
        ({"window": 4}, "window must be odd"),
        ({"padding": "zeros"}, "padding must be one of 'same', 'valid'; got 'zeros'"),
        ({"batch": 2.5}, "batch must be int, got 2.5"),
        ({"study": "amber"}, "only pedestrians have labels"),
        ({"labelled_steps": 0}, "semi-supervised training begins with labelled_steps"),
        (FREE | {"keep_labels": True}, "keep_labels keeps what labelled_steps begin with"),
        ({"backbone": "small", "pretrained": True}, "no ImageNet weights for backbone='small'"),
        ({"backbone": "none", "pretrained": True}, "no ImageNet weights for backbone='none'"),
        ({"backbone": "resnet"}, "one of 'none', 'small'.*'timm:NAME'.*did you mean 'resnet"),
        ({"shift": -1}, "shift must be within 0"),
        ({"colour_jitter": 1.5}, "colour_jitter must be within 0..1, got 1.5"),
        (FREE | {"shift": 4}, "shift and colour_jitter change labelled pictures.*got 4 and 0"),
        (FREE | {"study": "random_maps"}, "random maps are drawn and need no backbone"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BASE, **change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("demo", "ambre", {}), "study must be one of .*; did you mean 'amber'?"),
        (("demo", "amber", {"window_size": 3}), "StudyConfig has no field 'window_size'"),
        (("hugee", "amber", {}), "scale must be one of"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(arguments, message):
    scale, study, changes = arguments
    with pytest.raises(ValueError, match=message):
        StudyConfig.preset(scale, study, **changes)
