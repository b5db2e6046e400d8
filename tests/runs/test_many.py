"""Sweeps without processes; see tests/processes/test_sweep.py for those with them."""

from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import MagicMock

import pytest

from ssn3d import data
from ssn3d.config.reid import pretraining
from ssn3d.runs import load_or_train, many


def test_a_sweep_gives_runs_in_order_and_trains_equal_ones_once(tiny_config, store, trainings):
    load_or_train(replace(tiny_config, seed=1))
    wanted = [replace(tiny_config, seed=seed) for seed in (2, 1, 0, 2)]
    found = many.sweep(wanted)
    assert [run.config for run in found] == wanted
    assert trainings == [1, 2, 0]


def test_a_sweep_shows_progress_only_while_it_trains_and_heeds_the_environment(
    tiny_config, store, monkeypatch
):
    asked = []

    def bar(**options):
        asked.append(options)
        return MagicMock()

    monkeypatch.setattr(many, "tqdm", bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    many.sweep([tiny_config])
    many.sweep([tiny_config])
    monkeypatch.setenv("TQDM_DISABLE", "1")
    many.sweep([replace(tiny_config, seed=1)])
    assert [options["disable"] for options in asked] == [False, True, True]


def test_a_sweep_first_makes_what_others_start_from_and_counts_it(
    tiny_config, store, trainings, monkeypatch
):
    bar = MagicMock()
    monkeypatch.setattr(many, "tqdm", bar)
    wanted = [replace(tiny_config, seed=seed, pretraining_steps=2) for seed in (7, 8)]
    start = pretraining(wanted[0])
    many.prepare(wanted)
    assert data.is_ready(start)
    # asked for itself too, it is made once
    found = many.sweep([*wanted, start, replace(tiny_config, seed=9)])
    assert trainings == [0, 7, 8, 9]
    assert bar.call_args.kwargs["total"] == 4
    assert bar.return_value.__enter__.return_value.update.call_count == 4
    assert [run.config for run in found] == [*wanted, start, replace(tiny_config, seed=9)]
    assert many._starts(many._missing(wanted)) == []


def test_people_to_pretrain_on_are_rendered_only_for_runs_that_lack_their_start(
    tiny_config, store, monkeypatch
):
    wanted = replace(tiny_config, pretraining_steps=2)
    for lacking in ([wanted, pretraining(wanted)], [wanted]):
        rendered = []
        with monkeypatch.context() as patch:
            patch.setattr(data, "is_ready", lambda config: False)
            patch.setattr(data, "prepare", rendered.append)
            many.prepare([wanted])
        assert rendered == lacking
        load_or_train(pretraining(wanted))


def test_an_empty_sweep_is_empty(store):
    assert many.sweep([]) == []


def test_work_that_is_not_worth_processes_starts_none(tiny_config):
    with many._workers(None, [tiny_config], 2) as client:
        assert client is None


@pytest.mark.parametrize(("cores", "count"), [(8, 3), (2, 2)])
def test_work_that_is_worth_it_has_a_process_for_each_core(tiny_config, monkeypatch, cores, count):
    monkeypatch.delenv("SSN3D_CLUSTER", raising=False)
    monkeypatch.setattr(many, "WORTH_PROCESSES", 6)
    monkeypatch.setattr("dask.system.CPU_COUNT", cores)
    monkeypatch.setattr(many, "local_workers", nullcontext)
    with many._workers(None, [tiny_config] * 3, 3) as found:
        assert found == count
    with many._workers(None, [tiny_config] * 2, 3) as found:
        assert found is None


def test_a_worker_with_another_copy_of_the_code_trains_nothing(tiny_config, store):
    with pytest.raises(RuntimeError, match=r"makes the run reid-0, got one .* that would make"):
        many._call(load_or_train, tiny_config, "reid-0", {})
    assert not store.exists()
