import re
import shutil

import pytest
from click.testing import CliRunner

from ssn3d import data
from ssn3d.cli import main
from ssn3d.config import StudyConfig
from ssn3d.datasets import folder
from ssn3d.runs import load_or_train


def test_training_from_the_command_line_is_stored_and_can_be_measured_again(store):
    small = [f"-s{field}={value}" for field, value in {
        "train_people": 4, "test_people": 3, "height": 32, "width": 16, "hidden": 16,
        "block_width": 8, "embedding": 16, "ids_per_batch": 2, "epochs": 1,
        "precision": "float32", "flip": "true", "jitter": "none",
    }.items()]  # fmt: skip
    trained = CliRunner().invoke(main, ["train", "ilids_vid", "--scale", "smoke", *small])
    assert trained.exit_code == 0, trained.output
    name = re.search(r"run ([\w-]+)\n", trained.output)[1]
    again = CliRunner().invoke(main, ["evaluate", name])
    scores = [line for line in trained.output.splitlines() if line.startswith(("top", "mean"))]
    assert all(score in again.output for score in scores)
    full = CliRunner().invoke(main, ["evaluate", name, "-s", "test_protocol=full"])
    assert full.exit_code == 0, full.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "mars", "-s", "ssn_wieght=1"], "did you mean 'ssn_weight'?"),
        (["train", "mars", "-s", "ssn_weight"], "expected FIELD=VALUE"),
        (["train", "mars", "-s", "strategy=supervized"], "did you mean 'supervised'?"),
        (["train", "mars", "-s", "flip=yes"], "flip must be bool, got 'yes'"),
        (["train", "mars", "-s", "source=real"], "does not exist"),
        (["evaluate", "nonsense"], "no run 'nonsense'"),
        (["train", "market"], "is not one of"),
    ],
)
def test_bad_input_ends_with_its_message(store, arguments, message):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2)
    assert message in done.output


def test_a_study_cannot_be_measured_as_if_it_told_people_apart(store):
    run = load_or_train(StudyConfig.preset("smoke", "random_maps"))
    done = CliRunner().invoke(main, ["evaluate", run.id])
    assert done.exit_code == 1
    assert f"run {run.id} studies parts alone" in done.output


def test_a_copy_of_a_data_set_is_looked_over(tiny_config, tiny_split, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(data.root_of(tiny_config), root)
    whole = CliRunner().invoke(main, ["check-data", "ilids_vid", str(root)])
    assert whole.exit_code == 0, whole.output
    assert whole.output.splitlines()[-1].strip() == "ready"
    frame = min(root.rglob("*.png"))
    frame.write_bytes(b"")
    broken = CliRunner().invoke(main, ["check-data", "ilids_vid", str(root)])
    assert broken.exit_code == 1
    assert broken.output.splitlines()[-1].startswith("x not ready: ")
    assert frame.name in broken.output
    nowhere = CliRunner().invoke(main, ["check-data", "mars", str(tmp_path / "nowhere")])
    assert nowhere.exit_code == 2


def test_a_folder_of_ones_own_is_looked_over(tiny_split, tmp_path):
    folder.write(tiny_split, tmp_path / "own")
    whole = CliRunner().invoke(main, ["check-data", "folder", str(tmp_path / "own")])
    assert whole.exit_code == 0, whole.output
    assert whole.output.splitlines()[-1].strip() == "ready"
    min((tmp_path / "own").rglob("*.png")).write_bytes(b"")
    broken = CliRunner().invoke(main, ["check-data", "folder", str(tmp_path / "own")])
    assert broken.exit_code == 1
    assert "not a readable image" in broken.output.splitlines()[-1]
