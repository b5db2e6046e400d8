import json
from dataclasses import replace

import pytest

from ssn3d.reproduce import results
from ssn3d.runs import load_or_train


def test_the_manifest_says_where_every_number_comes_from(tiny_config, store, tmp_path):
    run = load_or_train(tiny_config)
    other = load_or_train(replace(tiny_config, seed=1))
    (tmp_path / "table.md").write_text("a table\n")
    for _ in range(2):  # entering it twice replaces the entry
        results.record(
            tmp_path,
            "table1",
            notebook="01_good",
            scale="smoke",
            runs=[run, other],
            numbers=[{"row": "unsupervised", "mean": 50.0, "paper": float("nan")}],
            files=[tmp_path / "table.md"],
        )
    text = (tmp_path / "results.json").read_text()
    manifest = json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON
    entry = manifest["table1"]
    assert list(manifest) == ["table1"]
    assert list(entry["runs"]) == [run.id, other.id]
    assert entry["runs"][other.id].items() > {"seed": 1, "device": other.made["device"]}.items()
    assert "seed" not in entry["settings"]
    assert entry["data"] == [run.made["data"]]
    assert entry["versions"] == [run.made["versions"]]
    assert entry["settings"]["test_protocol"] == "split"
    assert entry["numbers"] == [{"row": "unsupervised", "mean": 50.0, "paper": None}]
    assert len(entry["sha256"]["table.md"]) == 64
