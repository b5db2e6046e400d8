import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from ssn3d import models
from ssn3d.config import RunConfig
from ssn3d.paper.methods import methods
from ssn3d.plots.scores import METHOD_COLOURS
from ssn3d.runs import load_or_train

MINE = '''
    """The middle frame alone."""

    from einops import reduce
    from torch import nn

    from ssn3d.models.reid import Output


    class Middle(nn.Module):
        def __init__(self, channels, *, embedding=1024):
            super().__init__()
            self.to_embedding = nn.Linear(channels, embedding)

        def forward(self, features, points=None):
            middle = features[:, features.shape[1] // 2]
            return Output(self.to_embedding(reduce(middle, "b c h w -> b c", "mean")), None)
'''


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An aggregator of one's own, added as the README says: a file, and a line in AGGREGATORS."""
    path = tmp_path / "middle.py"
    path.write_text(dedent(MINE).lstrip())
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    from ssn3d.models.middle import Middle

    monkeypatch.setitem(models.AGGREGATORS, "middle", Middle)
    yield path
    del sys.modules["ssn3d.models.middle"]


def test_a_registered_aggregator_is_compared_trained_and_found_again(
    registered, tiny_config, store
):
    assert methods()["middle"] == {"aggregator": "middle", "strategy": "unsupervised"}
    config = replace(tiny_config, **methods()["middle"])
    run = load_or_train(config)
    assert set(run.metrics) >= {"top1", "mean_ap", "reranked"}
    assert run.metrics["parts"] is None
    assert load_or_train(config).id == run.id
    for _ in run.model().aggregator.parameters():
        break
    else:
        pytest.fail("its weights are not in the store")


def test_every_aggregator_is_a_method_with_a_colour_of_its_own():
    compared = methods()
    aggregators = {changes.get("aggregator", "ssn3d") for changes in compared.values()}
    assert aggregators == set(models.AGGREGATORS)
    colours = [METHOD_COLOURS[title] for title in compared]
    assert len(set(map(str, colours))) == len(colours)


def test_methods_are_settings_of_a_run():
    for changes in methods().values():
        RunConfig.preset("demo", "mars", **changes)
