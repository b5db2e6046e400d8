import math

import pandas as pd
import pytest

from ssn3d.paper import numbers as paper
from ssn3d.paper import rival_tables
from ssn3d.paper.tables import Measured, measurements


@pytest.fixture
def numbers() -> pd.DataFrame:
    top1 = {"SSN3D": (0.5, 0.6), "AP3D": (0.7, 0.5), "average pooling": (0.1, 0.2)}
    runs = [
        Measured(row, "mars", seed, f"{row}{seed}", {"top1": value, "mean_ap": value / 2})
        for row, values in top1.items()
        for seed, value in enumerate(values)
    ]
    return measurements(4, runs, ["top1", "mean_ap"])


def test_quotes_and_measurements_are_apart_and_all_there(numbers):
    table = rival_tables.with_quotes("mars", numbers)
    quoted, measured = table.loc["quoted by the paper"], table.loc["measured here"]
    assert list(quoted.index) == list(dict.fromkeys(paper.table(4).row))
    assert quoted.loc["AP3D", "top-1"] == "90.1"
    assert quoted.loc["AP3D", "top-5"] == "–"
    assert list(measured.index) == ["SSN3D", "AP3D", "average pooling"]
    assert measured.loc["SSN3D", "top-1"] == "55.0 ± 7.1"
    assert measured.loc["SSN3D", "mAP"] == "27.5 ± 3.5"
    assert list(table.columns) == ["top-1", "top-5", "top-10", "mAP"]


def test_who_is_ahead_is_said_with_the_number_of_seeds(numbers):
    [sentence] = rival_tables.beaten_by(numbers, "SSN3D", "top1")
    assert sentence == (
        "MARS, top-1: SSN3D reaches 55.0 ± 7.1. Ahead of it: AP3D (60.0 ± 14.1; in 1 of 2 seeds)."
    )
    [sentence] = rival_tables.beaten_by(numbers, "AP3D", "top1")
    assert sentence.endswith("No other method is ahead of it.")


def test_every_table_is_about_its_data_set():
    for dataset, number in rival_tables.NUMBERS.items():
        assert set(paper.table(number).dataset) == {dataset}
        assert not math.isnan(paper.value(number, "SSN3D", dataset, "top1"))
