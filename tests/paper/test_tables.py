import math

import pandas as pd
import pytest

from ssn3d.paper import numbers as paper
from ssn3d.paper import tables
from ssn3d.paper.tables import Measured


def numbers(**values: list[float]) -> pd.DataFrame:
    """Top-1 of some methods on MARS, a value for each seed."""
    runs = [
        Measured(row.replace("_", "-"), "mars", seed, f"{row}{seed}", {"top1": value})
        for row, some in values.items()
        for seed, value in enumerate(some)
    ]
    return tables.measurements(1, runs, ["top1"])


def test_mean_and_spread_are_over_seeds_and_in_percent():
    entry = numbers(unsupervised=[0.5, 0.7]).iloc[0]
    assert entry["mean"] == pytest.approx(60)
    assert entry["std"] == pytest.approx(math.sqrt(200))
    assert entry["values"] == [50, 70]
    assert entry["seeds"] == [0, 1]
    assert entry["runs"] == ["unsupervised0", "unsupervised1"]


def test_the_papers_number_stands_beside_ours():
    table = tables.compare(numbers(unsupervised=[0.5, 0.7]))
    assert table.loc[("MARS", "unsupervised"), ("top-1", "paper")] == "82.4"
    assert table.loc[("MARS", "unsupervised"), ("top-1", "ours")] == "60.0 ± 14.1"


def test_a_method_of_our_own_has_no_paper_number():
    assert tables.compare(numbers(ours=[0.5, 0.7])).iloc[0, 0] == "–"


def test_one_seed_has_no_spread():
    assert tables.compare(numbers(unsupervised=[0.5])).iloc[0, 1] == "50.0"


def test_an_order_is_seen_only_if_every_seed_shows_it():
    measured = numbers(a=[0.9, 0.8], b=[0.5, 0.6], c=[0.4, 0.7])
    orders = tables.orderings(measured, ["a", "b", "c"], "top1")
    assert orders.seen.tolist() == [True, False]
    assert orders.seeds.tolist() == ["2 of 2", "1 of 2"]
    assert orders.difference.tolist() == ["+30.0 ± 14.1", "+0.0 ± 14.1"]


def test_a_tie_is_not_an_order():
    assert not tables.orderings(numbers(a=[0.5], b=[0.5]), ["a", "b"], "top1").seen.any()


def test_markdown_has_a_cell_for_every_number():
    lines = tables.markdown(tables.compare(numbers(unsupervised=[0.5], supervised=[0.4]))).split(
        "\n"
    )
    assert lines == [
        "|  |  | top-1 paper | top-1 ours |",
        "| --- | --- | --- | --- |",
        "| MARS | unsupervised | 82.4 | 50.0 |",
        "| MARS | supervised | 69.8 | 40.0 |",
    ]


def test_markdown_says_what_the_rows_are_named_by():
    table = pd.DataFrame({"top1": [1]}, index=pd.Index(["SSN3D"], name="method"))
    assert tables.markdown(table).splitlines()[0] == "| method | top1 |"


def test_a_saved_table_can_be_read_by_programs(tmp_path):
    page, sheet = tables.save(numbers(unsupervised=[0.5, 0.7]), "text\n", tmp_path / "table1")
    assert page.read_text() == "text\n"
    entry = pd.read_csv(sheet).iloc[0]
    assert (entry["row"], entry["mean"], entry["values"]) == ("unsupervised", 60.0, "50.0 70.0")


def test_data_sets_are_summed_up_list_by_list(tiny_split):
    table = tables.data_sets({"tiny": tiny_split})
    assert table.loc[("tiny", "train"), "people"] == 4
    assert table.loc[("tiny", "query"), "tracklets"] == 3


def test_every_table_of_the_paper_can_be_read():
    for number in range(1, 6):
        table = paper.table(number)
        assert list(table.columns) == ["row", "dataset", "metric", "value", "source"]
        assert table.value.dropna().between(0, 100).all()
        assert not table.duplicated(["row", "dataset", "metric"]).any()


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ((1, "semi-supervised", "mars", "top1"), 90.1),
        ((2, "not shared", "dukemtmc", "mean_ap"), 71.2),
        ((3, "SSN3D", "ilids_vid", "top10"), 98.8),
        ((4, "AP3D", "mars", "mean_ap"), 85.1),
        ((5, "EUG", "dukemtmc", "top5"), 94.6),
    ],
)
def test_numbers_are_those_of_the_paper(entry, value):
    assert paper.value(*entry) == value


def test_an_illegible_number_is_missing_and_never_guessed():
    assert math.isnan(paper.value(1, "supervised", "ilids_vid", "top1"))


def test_a_number_the_paper_does_not_have_is_named():
    with pytest.raises(KeyError, match="Table 1 has no entry for 'magic'"):
        paper.value(1, "magic", "mars", "top1")


def test_there_are_five_tables():
    with pytest.raises(ValueError, match="tables 1 to 5, got 6"):
        paper.table(6)


def test_ssn3d_has_the_same_numbers_in_every_table():
    for table, dataset in ((4, "mars"), (5, "dukemtmc")):
        for metric in ("top1", "mean_ap"):
            ours = paper.value(table, "SSN3D", dataset, metric)
            assert ours == paper.value(1, "semi-supervised", dataset, metric)
            assert ours == paper.value(2, "shared", dataset, metric)


@pytest.fixture
def compared() -> pd.DataFrame:
    top1 = {"SSN3D": (0.5, 0.6), "AP3D": (0.7, 0.5), "average pooling": (0.1, 0.2)}
    runs = [
        Measured(row, "mars", seed, f"{row}{seed}", {"top1": value, "mean_ap": value / 2})
        for row, values in top1.items()
        for seed, value in enumerate(values)
    ]
    return tables.measurements(4, runs, ["top1", "mean_ap"])


def test_quotes_and_measurements_are_apart_and_all_there(compared):
    table = tables.with_quotes("mars", compared)
    quoted, measured = table.loc["quoted by the paper"], table.loc["measured here"]
    assert list(quoted.index) == list(dict.fromkeys(paper.table(4).row))
    assert quoted.loc["AP3D", "top-1"] == "**90.1**"
    assert quoted.loc["AP3D", "top-5"] == "–"
    assert list(measured.index) == ["SSN3D", "AP3D", "average pooling"]
    assert measured.loc["SSN3D", "top-1"] == "55.0 ± 7.1"
    assert measured.loc["SSN3D", "mAP"] == "27.5 ± 3.5"
    assert list(table.columns) == ["top-1", "top-5", "top-10", "mAP"]


def test_the_best_of_each_column_is_marked_among_its_own_kind(compared):
    table = tables.with_quotes("mars", compared)
    assert table.loc[("quoted by the paper", "SSN3D"), "mAP"] == "**86.2**"
    tied = [("quoted by the paper", row) for row in ("AP3D", "SSN3D")]
    assert set(table.loc[tied, "top-1"]) == {"**90.1**"}
    assert table.loc[("measured here", "AP3D"), "top-1"] == "**60.0 ± 14.1**"
    assert "**" not in table.loc[("measured here", "SSN3D"), "top-1"]


def test_who_is_ahead_is_said_with_the_number_of_seeds(compared):
    ahead = tables.with_quotes("mars", compared, ["SSN3D"])["mAP above that of SSN3D"]
    assert ahead["measured here", "AP3D"] == "+2.5 (1 of 2 seeds)"
    assert ahead["measured here", "average pooling"] == "-20.0 (0 of 2 seeds)"
    assert ahead["measured here", "SSN3D"] == ahead["quoted by the paper", "AP3D"] == "–"


def test_every_table_is_about_its_data_set():
    for dataset, number in tables.COMPARISONS.items():
        assert set(paper.table(number).dataset) == {dataset}
        assert not math.isnan(paper.value(number, "SSN3D", dataset, "top1"))


def record(kind, seed, **measures):
    return {"kind": kind, "seed": seed, "run": f"{kind}{seed}"} | measures


RECORDS = [record("a", 0, loss=1.0), record("a", 1, loss=3.0), record("b", 0, loss=0.5)]


def test_mean_and_spread_over_seeds():
    numbers = tables.over_seeds(RECORDS, ["kind"]).to_dict("records")
    assert numbers[0]["mean"] == 2
    assert numbers[0]["std"] == pytest.approx(math.sqrt(2))
    assert (numbers[0]["seeds"], numbers[0]["runs"]) == ([0, 1], ["a0", "a1"])
    assert numbers[1]["mean"] == 0.5
    assert math.isnan(numbers[1]["std"])


def test_a_measure_that_a_kind_lacks_has_no_row():
    mixed = [*RECORDS, record("c", 0, spread=0.1)]
    numbers = tables.over_seeds(mixed, ["kind"])
    assert list(numbers[numbers.kind == "c"].measure) == ["spread"]
    shown = tables.readable(numbers, ["kind"], decimals=1)
    assert shown.loc[[("c",)]].to_numpy().tolist() == [["–", "0.1"]]
    assert shown.loc[[("a",)]].to_numpy().tolist() == [["2.0 ± 1.4", "–"]]


def test_measures_over_seeds_can_be_saved_and_read_again(tmp_path):
    numbers = tables.over_seeds(RECORDS, ["kind"])
    page, sheet = tables.save(numbers, "text", tmp_path / "table")
    assert page.read_text() == "text"
    assert list(pd.read_csv(sheet)["mean"]) == [2, 0.5]
    assert pd.read_csv(sheet).runs.tolist() == ["a0 a1", "b0"]
