import math

import pandas as pd
import pytest

from ssn3d.paper import study_tables, tables


def record(kind, seed, **measures):
    return {"kind": kind, "seed": seed, "run": f"{kind}{seed}"} | measures


RECORDS = [record("a", 0, loss=1.0), record("a", 1, loss=3.0), record("b", 0, loss=0.5)]


def test_mean_and_spread_over_seeds():
    numbers = study_tables.over_seeds(RECORDS, ["kind"]).to_dict("records")
    assert numbers[0]["mean"] == 2
    assert numbers[0]["std"] == pytest.approx(math.sqrt(2))
    assert (numbers[0]["seeds"], numbers[0]["runs"]) == ([0, 1], ["a0", "a1"])
    assert numbers[1]["mean"] == 0.5
    assert math.isnan(numbers[1]["std"])


def test_a_measure_that_a_kind_lacks_has_no_row():
    mixed = [*RECORDS, record("c", 0, spread=0.1)]
    numbers = study_tables.over_seeds(mixed, ["kind"])
    assert list(numbers[numbers.kind == "c"].measure) == ["spread"]
    shown = study_tables.readable(numbers, ["kind"], decimals=1)
    assert shown.loc[[("c",)]].to_numpy().tolist() == [["–", "0.1"]]
    assert shown.loc[[("a",)]].to_numpy().tolist() == [["2.0 ± 1.4", "–"]]


def test_tables_can_be_saved_and_read_again(tmp_path):
    numbers = study_tables.over_seeds(RECORDS, ["kind"])
    page, sheet = tables.save(numbers, "text", tmp_path / "table")
    assert page.read_text() == "text"
    assert list(pd.read_csv(sheet)["mean"]) == [2, 0.5]
    assert pd.read_csv(sheet).runs.tolist() == ["a0 a1", "b0"]
