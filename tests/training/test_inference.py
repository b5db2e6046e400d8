import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from ssn3d.datasets.tracklets import Tracklet, load_frames
from ssn3d.models.reid import ReID
from ssn3d.training import batches, inference


def by_hand(config, network, tracklet: Tracklet) -> torch.Tensor:
    """One embedding after the other, one clip after the other."""
    length, clip, t = len(tracklet), config.test_frames, config.clip_frames
    vectors = []
    for start in range(0, length, clip):
        inside = list(range(start, min(start + clip, length)))
        snippets = [inside]
        if config.test_protocol == "split":
            stride = math.ceil(len(inside) / t)
            looped = (inside * t)[: stride * t]
            snippets = [looped[first::stride] for first in range(stride)]
        for snippet in snippets:
            points = None
            if config.strategy == "supervised":
                points = tracklet.points.estimated[snippet][None]
            vectors.append(network(load_frames(tracklet, snippet)[None], points).embedding[0])
    return torch.stack(vectors).mean(0)


@pytest.mark.parametrize("protocol", ["split", "full"])
@pytest.mark.parametrize("strategy", ["supervised", "unsupervised"])
def test_an_embedding_is_the_mean_over_snippets_that_cover_the_tracklet(
    tiny_config, tiny_split, trained, protocol, strategy
):
    config = replace(tiny_config, test_protocol=protocol, strategy=strategy)
    network, _ = trained
    assert any(len(tracklet) % config.test_frames for tracklet in tiny_split.gallery)
    with torch.inference_mode():
        expected = torch.stack([by_hand(config, network, t) for t in tiny_split.gallery])
    assert_close(
        inference.embed(config, network, tiny_split.gallery), expected, rtol=1e-3, atol=1e-4
    )


def test_a_tracklet_shorter_than_a_snippet_is_embedded(tiny_config, tiny_split, trained):
    short = Tracklet(load_frames(tiny_split.query[0], [0, 1, 2]), 1, 1)
    with torch.inference_mode():
        expected = by_hand(tiny_config, trained[0], short)
    vectors = inference.embed(tiny_config, trained[0], [short])
    assert_close(vectors[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("protocol", ["split", "full"])
def test_embeddings_do_not_depend_on_how_many_clips_go_together(
    tiny_config, tiny_split, trained, monkeypatch, protocol
):
    config = replace(tiny_config, test_protocol=protocol)
    pixels = config.test_frames * config.height * config.width
    found = []
    for clips in (1, 2, 5, 100):
        monkeypatch.setattr(batches, "PIXELS", {"cpu": clips * pixels})
        found.append(inference.embed(config, trained[0], tiny_split.gallery))
    for some in found[1:]:
        assert_close(some, found[0], rtol=1e-4, atol=1e-5)


def test_embeddings_come_in_the_order_of_the_tracklets(tiny_config, tiny_split, trained):
    vectors = inference.embed(tiny_config, trained[0], tiny_split.train)
    backwards = inference.embed(tiny_config, trained[0], tiny_split.train[::-1])
    assert tuple(vectors.shape) == (len(tiny_split.train), tiny_config.embedding)
    assert_close(backwards.flip(0), vectors, rtol=1e-4, atol=1e-5)
    assert len(vectors.unique(dim=0)) == len(vectors)


def test_embeddings_are_float32_even_where_the_network_is_not(tiny_config, tiny_split, trained):
    config = replace(tiny_config, precision="bfloat16")
    assert inference.embed(config, trained[0], tiny_split.query).dtype == torch.float32


def test_nothing_to_embed_is_refused(tiny_config, trained):
    with pytest.raises(ValueError, match="at least one tracklet, got none"):
        inference.embed(tiny_config, trained[0], [])


@pytest.mark.parametrize("strategy", ["supervised", "unsupervised"])
def test_parts_are_found_in_the_frames_asked_for(tiny_config, tiny_split, trained, strategy):
    config = replace(tiny_config, strategy=strategy)
    network, tracklet = trained[0], tiny_split.query[0]
    points = None
    if strategy == "supervised":
        points = tracklet.points.estimated[[5, 2, 9]][None]
    with torch.inference_mode():
        expected = network(load_frames(tracklet, [5, 2, 9])[None], points).parts
    found = inference.find_parts(config, network, tracklet, [5, 2, 9])
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs)


def test_methods_without_parts_cannot_be_asked_for_them(tiny_config, tiny_split, trained):
    class Blind(ReID):
        def forward(self, clips, points=None):
            return super().forward(clips, points)._replace(parts=None)

    blind = Blind(trained[0].backbone, trained[0].aggregator)
    with pytest.raises(ValueError, match="'ssn3d' knows no parts"):
        inference.find_parts(tiny_config, blind, tiny_split.query[0], [0, 1, 2, 3])
