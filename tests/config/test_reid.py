from dataclasses import fields, replace

import pytest

from ssn3d.config import DATASETS, SCALES, RunConfig, StudyConfig, reid, replicates

BASE = RunConfig("ilids_vid", strategy="unsupervised")
OTHER = {
    "dataset": "mars",
    "source": "real",
    "split": 1,
    "height": 128,
    "width": 64,
    "data_seed": 1,
    "train_people": 9,
    "test_people": 9,
    "longest_tracklet": 6,
    "jitter": 0.0,
    "sides": "person",
    "label_noise": 0.5,
    "aggregator": "average",
    "backbone": "resnet34",
    "pretrained": False,
    "pretraining_steps": 10,
    "stride": 8,
    "parts": 6,
    "window": 5,
    "padding": "valid",
    "hidden": 64,
    "shared": False,
    "block": "plain",
    "block_width": 32,
    "embedding": 128,
    "strategy": "supervised",
    "ssn_weight": 0.2,
    "ssn_reduction": "mean",
    "margin": 0.2,
    "labelled_frames": 3,
    "labelled_per_clip": 3,
    "epochs": 10,
    "steps_per_epoch": 10,
    "learning_rate": 1e-3,
    "decay_every": 10,
    "decay": 0.5,
    "weight_decay": 0.0,
    "ids_per_batch": 4,
    "clips_per_id": 2,
    "clip_frames": 8,
    "clip_stride": 4,
    "dense_chunks": False,
    "flip": False,
    "precision": "bfloat16",
    "seed": 1,
    "test_frames": 64,
    "test_protocol": "full",
    "metric": "cosine",
}
"""For every field a valid value that is not the one of BASE."""


@pytest.mark.parametrize("field", [field.name for field in fields(RunConfig)])
def test_changing_any_field_changes_what_names_the_run(field):
    needed = {"backbone": "small", "pretrained": False} if field == "pretraining_steps" else {}
    base = replace(BASE, **needed)
    changed = replace(base, **{field: OTHER[field]})
    assert changed.changed() != base.changed()


@pytest.mark.parametrize("field", ["ssn_weight", "label_noise"])
def test_one_and_one_point_zero_are_one_run(field):
    whole, real = replace(BASE, **{field: 1}), replace(BASE, **{field: 1.0})
    assert whole == real
    assert whole.changed() == real.changed()


@pytest.mark.parametrize(
    ("scale", "dataset", "changes", "said"),
    [
        ("dmeo", "mars", {}, r"scale must be one of .* got 'dmeo'; did you mean 'demo'\?"),
        ("demo", "marz", {}, r"dataset must be one of .* got 'marz'; did you mean 'mars'\?"),
        ("demo", "mars", {"lerning_rate": 1}, r"'lerning_rate'; did you mean 'learning_rate'\?"),
        ("demo", "mars", {"strategy": "supervized"}, r"strategy .* did you mean 'supervised'\?"),
        ("demo", "mars", {"qqq": 1}, r"no field 'qqq'$"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_known_one(scale, dataset, changes, said):
    with pytest.raises(ValueError, match=said):
        RunConfig.preset(scale, dataset, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": "6"}, r"epochs must be int, got '6' \(str\)"),
        ({"epochs": 6.0}, r"epochs must be int, got 6.0 \(float\)"),
        ({"epochs": None}, r"epochs must be int, got None"),
        ({"window": 4}, "window must be odd, to have a centre cell, got 4"),
        ({"backbone": "small"}, "no ImageNet weights for backbone='small'"),
        ({"backbone": "resnet43"}, "one of 'small'.*'timm:NAME'.*did you mean 'resnet34'"),
        ({"backbone": "none"}, "backbone must be one of 'small'.* got 'none'"),
        ({"backbone": None}, r"backbone must be str, got None"),
        ({"pretraining_steps": 10}, "only the small backbone .* got backbone='resnet50' with"),
        ({"pretraining_steps": -1}, r"pretraining_steps must be within 0\.\."),
        ({"pretraining_steps": 2.0}, r"pretraining_steps must be int, got 2.0 \(float\)"),
        ({"sides": "left"}, "sides must be one of 'image', 'person'; got 'left'"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"stride": 16.0}, r"stride must be int or None, got 16.0 \(float\)"),
        ({"train_people": 7}, "a batch takes 8 people, but train_people is 7"),
        ({"ssn_weight": float("nan")}, r"ssn_weight must be within 0\.\.1e\+06, got nan"),
        ({"learning_rate": -1.0}, "learning_rate must be within 0"),
        ({"jitter": 0.6}, r"jitter must be within 0\.\.0.5, got 0.6"),
        ({"train_people": 2.5}, r"train_people must be int or None, got 2.5 \(float\)"),
        ({"margin": "wide"}, r"margin must be float, got 'wide' \(str\)"),
        ({"shared": 1}, r"shared must be bool, got 1 \(int\)"),
        ({"aggregator": 3}, r"aggregator must be str, got 3 \(int\)"),
        ({"metric": None}, r"metric must be one of 'euclidean', 'cosine'; got None"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(BASE, **changes)


@pytest.mark.parametrize("field", ["seed", "train_people", "learning_rate"])
def test_true_is_no_number(field):
    with pytest.raises(ValueError, match=rf"{field} must be .* got True \(bool\)"):
        replace(BASE, **{field: True})


@pytest.mark.parametrize("field", ["epochs", "steps_per_epoch", "height", "clip_frames", "parts"])
@pytest.mark.parametrize("value", [0, -1])
def test_counts_below_one_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got {value}"):
        replace(BASE, **{field: value})


@pytest.mark.parametrize("field", ["ids_per_batch", "clips_per_id"])
def test_batches_without_anyone_to_compare_with_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 2 .* got 1"):
        replace(BASE, **{field: 1})


@pytest.mark.parametrize(("dataset", "split"), [("ilids_vid", 10), ("ilids_vid", -1), ("mars", 1)])
def test_a_split_that_the_set_does_not_have_is_refused(dataset, split):
    with pytest.raises(ValueError, match=rf"split must be 0\.\.9 for ilids_vid .* got {split} for"):
        replace(BASE, dataset=dataset, split=split)


def test_test_clips_that_leave_frames_out_are_refused():
    with pytest.raises(ValueError, match=r"test_frames \(30\) must be a multiple .*\(4\)"):
        replace(BASE, test_frames=30)


def test_unshared_classifiers_cannot_see_whole_clips():
    with pytest.raises(ValueError, match=r"one classifier a frame position.*shared=True"):
        replace(BASE, shared=False, test_protocol="full")


@pytest.mark.parametrize("strategy", ["supervised", "semi-supervised"])
def test_labels_need_the_nine_parts_they_are_of(strategy):
    with pytest.raises(ValueError, match="parts must be 9, got 6"):
        replace(BASE, parts=6, strategy=strategy)


@pytest.mark.parametrize(
    ("dataset", "ssn_weight"), [("ilids_vid", 0.1), ("mars", 0.1), ("dukemtmc", 0.05)]
)
def test_the_paper_preset_is_what_the_paper_says(dataset, ssn_weight):
    config = RunConfig.preset("paper", dataset)
    said = {
        "learning_rate": 3e-4,
        "weight_decay": 5e-4,
        "epochs": 150,
        "decay_every": 50,
        "decay": 0.1,
        "ids_per_batch": 8,
        "clips_per_id": 4,
        "clip_frames": 4,
        "clip_stride": 8,
        "test_frames": 32,
        "height": 256,
        "width": 128,
        "backbone": "resnet50",
        "pretrained": True,
        "parts": 9,
        "window": 3,
        "hidden": 512,
        "embedding": 1024,
        "labelled_frames": 2,
        "strategy": "semi-supervised",
        "ssn_weight": ssn_weight,
    }
    assert {name: getattr(config, name) for name in said} == said


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_scale_exists_for_every_data_set(scale, dataset):
    config = RunConfig.preset(scale, dataset, seed=3)
    assert (config.dataset, config.seed) == (dataset, 3)


def test_scales_grow_from_smoke_to_paper():
    steps = [RunConfig.preset(scale, "mars").epochs for scale in ("smoke", "demo", "paper")]
    assert steps == sorted(set(steps))


def test_a_change_wins_over_the_preset():
    config = RunConfig.preset("demo", "dukemtmc", epochs=1, ssn_weight=0.3)
    assert (config.epochs, config.ssn_weight) == (1, 0.3)


def test_a_folder_of_ones_own_is_real_and_needs_no_labels():
    config = RunConfig.preset("demo", "folder")
    assert (config.source, config.strategy) == ("real", "unsupervised")
    assert RunConfig.preset("demo", "folder", strategy="supervised").strategy == "supervised"
    with pytest.raises(ValueError, match="SSN3D_FOLDER"):
        replace(config, source="rendered")


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ("DEFAULT", "float32"),
        ("AVX2", "float32"),
        ("AVX512", "bfloat16"),
    ],
)
def test_small_scales_compute_with_what_a_processor_can_afford(monkeypatch, capability, precision):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    assert RunConfig.preset("demo", "mars").precision == precision
    assert StudyConfig.preset("demo", "amber").precision == precision
    assert RunConfig.preset("paper", "mars").precision == "bfloat16"


def test_a_precision_that_is_asked_for_is_kept():
    for precision in ("float32", "bfloat16"):
        assert RunConfig.preset("demo", "mars", precision=precision).precision == precision


def test_replicates_differ_in_the_seed_alone():
    config = RunConfig.preset("smoke", "mars", epochs=3, seed=7)
    assert replicates(config, 3) == [replace(config, seed=seed) for seed in range(3)]


def test_replicates_on_ilids_vid_go_through_its_splits():
    found = replicates(RunConfig.preset("smoke", "ilids_vid"), 12)
    assert [config.seed for config in found] == list(range(12))
    assert [config.split for config in found] == [*range(10), 0, 1]


@pytest.mark.parametrize("backbone", ["resnet34", "timm:resnet18"])
def test_another_backbone_takes_the_place_of_the_pretraining(backbone):
    assert RunConfig.preset("demo", "mars").pretraining_steps > 0
    for pretrained in (True, False):
        changes = {"backbone": backbone, "pretrained": pretrained}
        assert RunConfig.preset("demo", "mars", **changes).pretraining_steps == 0
        with pytest.raises(ValueError, match="only the small backbone"):
            RunConfig.preset("demo", "mars", pretraining_steps=5, **changes)


@pytest.mark.parametrize("scale", ["smoke", "demo"])
def test_all_methods_seeds_and_sets_start_from_one_backbone(scale):
    usual = RunConfig.preset(scale, "mars")
    others = [
        RunConfig.preset(scale, "dukemtmc", aggregator="conv3d", strategy="unsupervised", seed=3),
        RunConfig.preset(scale, "folder"),
        replace(usual, jitter=0.3, train_people=50, sides="person", learning_rate=1.0),
    ]
    assert {reid.pretraining(config) for config in others} == {reid.pretraining(usual)}


@pytest.mark.parametrize(("steps", "people"), [(1, 8), (40, 8), (41, 8), (2500, 500)])
def test_a_backbone_is_pretrained_for_as_many_steps_on_people_of_its_own(steps, people):
    config = RunConfig.preset("demo", "mars", pretraining_steps=steps)
    start = reid.pretraining(config)
    assert start.epochs * start.steps_per_epoch == steps
    assert start.train_people == people
    assert (start.aggregator, start.source) == ("average", "rendered")
    assert start.data_seed != config.data_seed
    assert (start.backbone, start.height, start.width) == ("small", config.height, config.width)
    assert reid.pretraining(start) is None


@pytest.mark.parametrize("change", [{"height": 128}, {"stride": 8}, {"precision": "float32"}])
def test_a_backbone_is_pretrained_at_the_size_at_which_it_is_used(change):
    config = RunConfig.preset("demo", "mars", **{"precision": "bfloat16", **change})
    [(name, value)] = change.items()
    assert getattr(reid.pretraining(config), name) == value


def test_a_model_of_timm_may_have_weights_and_any_name():
    config = replace(BASE, backbone="timm:resnet18", stride=8)
    assert (config.pretrained, config.stride) == (True, 8)
