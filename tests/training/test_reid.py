import math
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from ssn3d import data
from ssn3d.datasets import ilids_vid
from ssn3d.datasets.clips import IdentitySampler
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames
from ssn3d.evaluation import retrieval
from ssn3d.evaluation.reranking import rerank
from ssn3d.models.reid import ReID
from ssn3d.training import reid as train

STRATEGIES = ("unsupervised", "supervised", "semi-supervised")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def broken_files(tiny_config, tiny_split, tmp_path):
    """The tiny set copied to where its files may be damaged."""
    root = tmp_path / "broken"
    shutil.copytree(data.root_of(tiny_config), root)
    split = ilids_vid.read(root, 0)
    return split, [path for tracklet in split.train for path in tracklet.frames]


def same_weights(one: ReID, other: ReID) -> bool:
    weights = other.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("strategy", ["unsupervised", "semi-supervised"])
def test_parts_learn_to_tell_themselves_apart(tiny_config, tiny_split, strategy):
    config = replace(
        tiny_config,
        strategy=strategy,
        hidden=64,
        ssn_weight=1.0,
        steps_per_epoch=30,
        learning_rate=0.01,
    )
    _, history = train.fit(config, tiny_split.train)
    assert abs(history["ssn"][0] / 9 - math.log(9)) < 0.5  # as printed: the sum over nine parts
    assert history["ssn"][-1] < history["ssn"][0] / 2


def test_the_history_has_every_term_of_every_step(tiny_config, trained):
    _, history = trained
    assert set(history) == {"triplet", "ssn", "total", "learning_rate"}
    assert {len(values) for values in history.values()} == {2}
    for triplet, ssn, total in zip(*(history[k] for k in ("triplet", "ssn", "total")), strict=True):
        assert total == pytest.approx(triplet + tiny_config.ssn_weight * ssn, abs=1e-6)


def test_the_learning_rate_falls_after_so_many_epochs(tiny_config, tiny_split):
    config = replace(tiny_config, epochs=5, steps_per_epoch=1, decay_every=2, decay=0.1)
    _, history = train.fit(config, tiny_split.train)
    rates = [config.learning_rate * factor for factor in (1, 1, 0.1, 0.1, 0.01)]
    assert history["learning_rate"] == pytest.approx(rates)


def test_an_epoch_is_one_pass_of_the_sampler_unless_its_steps_are_given(tiny_config, tiny_split):
    config = replace(tiny_config, steps_per_epoch=None, epochs=2, dense_chunks=False)
    _, history = train.fit(config, tiny_split.train)
    people = [tracklet.person for tracklet in tiny_split.train]
    assert len(history["total"]) == 2 * len(IdentitySampler(people, 2, 2).one_pass(0))


def test_one_seed_gives_one_network(tiny_config, tiny_split, trained):
    network, history = train.fit(tiny_config, tiny_split.train)
    assert same_weights(network, trained[0])
    assert history == trained[1]


def test_a_compiled_trunk_learns_the_same(tiny_config, tiny_split, trained, monkeypatch):
    compiled = []

    def traced(module, **options):  # what a compiler would be given, run as it is
        compiled.append(module)
        return torch._dynamo.optimize("aot_eager", **options)(module)

    monkeypatch.setattr(torch, "compile", traced)
    network, history = train.fit(replace(tiny_config, compiled=True), tiny_split.train)
    assert compiled == [network.backbone]
    for term, values in trained[1].items():
        assert history[term] == pytest.approx(values, rel=1e-4)
    assert network.state_dict().keys() == trained[0].state_dict().keys()
    for one, other in zip(network.parameters(), trained[0].parameters(), strict=True):
        assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_another_seed_gives_another_network(tiny_config, tiny_split, trained):
    network, history = train.fit(replace(tiny_config, seed=1), tiny_split.train)
    assert not same_weights(network, trained[0])
    assert history != trained[1]


def test_the_number_of_threads_changes_nothing_and_is_restored(
    tiny_config, tiny_split, trained, threads
):
    torch.set_num_threads(2)
    network, _ = train.fit(tiny_config, tiny_split.train)
    vectors = train.embed(tiny_config, network, tiny_split.query)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert same_weights(network, trained[0])
    assert torch.equal(vectors, train.embed(tiny_config, network, tiny_split.query))


def test_training_and_testing_leave_the_global_random_state_alone(tiny_config, tiny_split):
    before = torch.get_rng_state()
    network, _ = train.fit(tiny_config, tiny_split.train)
    train.evaluate(tiny_config, network, tiny_split)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_seed_does_not_count(tiny_config, tiny_split, trained):
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert same_weights(train.fit(tiny_config, tiny_split.train)[0], trained[0])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "not shared"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_strategy_trains_and_tests(tiny_config, tiny_split, strategy, shared, precision):
    config = replace(tiny_config, strategy=strategy, shared=shared, precision=precision)
    network, history = train.fit(config, tiny_split.train)
    assert not network.training
    assert ("ssn" in history) == (strategy != "supervised")
    result = train.evaluate(config, network, tiny_split)
    assert result.cmc[-1] == 1


def test_all_weights_of_the_attention_learn_in_every_frame_position(tiny_config, tiny_split):
    config = replace(tiny_config, shared=False)
    start, _ = train.fit(replace(config, learning_rate=0.0), tiny_split.train)
    end, _ = train.fit(config, tiny_split.train)
    for (name, old), new in zip(start.named_parameters(), end.parameters(), strict=True):
        assert not torch.equal(old, new), name


def test_steps_are_reported(tiny_config, tiny_split, trained):
    seen = []
    train.fit(tiny_config, tiny_split.train, on_step=lambda *step: seen.append(step))
    assert [(done, steps) for done, steps, _ in seen] == [(1, 2), (2, 2)]
    assert [values["total"] for _, _, values in seen] == trained[1]["total"]


def test_a_loss_that_is_no_number_stops_training(tiny_config, tiny_split, monkeypatch):
    features = ReID.features
    calls = []

    def sometimes_nan(self, frames):
        calls.append(frames)
        return features(self, frames) * (math.nan if len(calls) > 2 else 1)  # two calls a step

    monkeypatch.setattr(ReID, "features", sometimes_nan)
    with pytest.raises(FloatingPointError, match=r"step 2 of 2: \{'triplet': nan, 'ssn': nan"):
        train.fit(tiny_config, tiny_split.train)


def test_a_missing_frame_in_training_is_named(tiny_config, broken_files):
    split, paths = broken_files
    for path in paths:
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"person\d+_\d+\.png does not exist"):
        train.fit(tiny_config, split.train)


def test_a_corrupt_frame_in_training_is_named(tiny_config, broken_files):
    split, paths = broken_files
    for path in paths:
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"person\d+_\d+\.png is not a readable image"):
        train.fit(tiny_config, split.train)


def test_too_few_people_to_train_on_are_refused(tiny_config, tiny_split):
    with pytest.raises(ValueError, match="takes 2 people, but the training list has 0"):
        train.fit(tiny_config, [])
    with pytest.raises(ValueError, match="takes 2 people, but the training list has 1"):
        train.fit(tiny_config, tiny_split.train[:1])


def test_an_unknown_aggregator_is_refused_with_the_nearest(tiny_config):
    with pytest.raises(ValueError, match=r"aggregator .* got 'ssn3e'; did you mean 'ssn3d'\?"):
        train.build(replace(tiny_config, aggregator="ssn3e"))


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
    assert_close(train.embed(config, network, tiny_split.gallery), expected, rtol=1e-3, atol=1e-4)


def test_a_tracklet_shorter_than_a_snippet_is_embedded(tiny_config, tiny_split, trained):
    short = Tracklet(load_frames(tiny_split.query[0], [0, 1, 2]), 1, 1)
    with torch.inference_mode():
        expected = by_hand(tiny_config, trained[0], short)
    vectors = train.embed(tiny_config, trained[0], [short])
    assert_close(vectors[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("protocol", ["split", "full"])
def test_embeddings_do_not_depend_on_how_many_clips_go_together(
    tiny_config, tiny_split, trained, protocol
):
    config = replace(tiny_config, test_protocol=protocol)
    one = train.embed(config, trained[0], tiny_split.gallery, clips_per_batch=1)
    for size in (2, 5, 100):
        many = train.embed(config, trained[0], tiny_split.gallery, clips_per_batch=size)
        assert_close(many, one, rtol=1e-4, atol=1e-5)


def test_embeddings_come_in_the_order_of_the_tracklets(tiny_config, tiny_split, trained):
    vectors = train.embed(tiny_config, trained[0], tiny_split.train)
    backwards = train.embed(tiny_config, trained[0], tiny_split.train[::-1])
    assert tuple(vectors.shape) == (len(tiny_split.train), tiny_config.embedding)
    assert_close(backwards.flip(0), vectors, rtol=1e-4, atol=1e-5)
    assert len(vectors.unique(dim=0)) == len(vectors)


def test_embeddings_are_float32_even_where_the_network_is_not(tiny_config, tiny_split, trained):
    config = replace(tiny_config, precision="bfloat16")
    assert train.embed(config, trained[0], tiny_split.query).dtype == torch.float32


def test_nothing_to_embed_is_refused(tiny_config, trained):
    with pytest.raises(ValueError, match="at least one tracklet, got none"):
        train.embed(tiny_config, trained[0], [])


def test_scores_follow_from_the_embeddings(tiny_config, tiny_split, trained, monkeypatch):
    people = {tracklet.person for tracklet in tiny_split.query}
    monkeypatch.setattr(
        train,
        "embed",
        lambda config, model, tracklets, device: torch.tensor(
            [[float(t.person)] for t in tracklets]
        ),
    )
    result = train.evaluate(tiny_config, trained[0], tiny_split)
    assert (result.mean_ap, result.skipped, len(result.queries)) == (1.0, 0, len(people))


def test_queries_in_the_gallery_are_embedded_once(tiny_config, tiny_split, trained, monkeypatch):
    seen = []
    embed = train.embed

    def watched(config, model, tracklets, **rest):
        seen.extend(tracklets)
        return embed(config, model, tracklets, **rest)

    monkeypatch.setattr(train, "embed", watched)
    both = [*tiny_split.gallery, *tiny_split.query]
    train.evaluate(tiny_config, trained[0], Split([], tiny_split.query, both))
    assert len(seen) == len(both)


@pytest.mark.parametrize("ask", ["evaluate", "check"])
@pytest.mark.parametrize(
    ("query", "gallery", "said"),
    [
        (slice(0, 1), slice(1, 3), "none of the 1 queries has a match"),
        (slice(0, 0), slice(0, 3), "query: expected embeddings"),
        (slice(0, 3), slice(0, 0), "gallery: expected embeddings"),
    ],
    ids=["no match", "no query", "no gallery"],
)
def test_lists_that_cannot_be_scored_are_refused_before_any_work(
    tiny_config, tiny_split, monkeypatch, ask, query, gallery, said
):
    monkeypatch.setattr(train, "embed", lambda *_, **__: pytest.fail("embedded too early"))
    split = Split([], tiny_split.query[query], tiny_split.gallery[gallery])
    arguments = (tiny_config, None, split) if ask == "evaluate" else (tiny_config, split)
    with pytest.raises(ValueError, match=said):
        getattr(train, ask)(*arguments)


def test_supervised_tracklets_without_points_are_refused(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    bare = [replace(tracklet, points=None) for tracklet in tiny_split.query]
    said = r"3 of 6 tracklets have none; add them \(points.npz\)"
    with pytest.raises(ValueError, match=said):
        train.check(config, Split([], bare, tiny_split.gallery))
    with pytest.raises(ValueError, match="3 of 3 tracklets have none"):
        train.embed(config, trained[0], bare)
    assert len(train.embed(tiny_config, trained[0], bare)) == 3


@pytest.mark.parametrize("strategy", ["supervised", "unsupervised"])
def test_parts_are_found_in_the_frames_asked_for(tiny_config, tiny_split, trained, strategy):
    config = replace(tiny_config, strategy=strategy)
    network, tracklet = trained[0], tiny_split.query[0]
    points = None
    if strategy == "supervised":
        points = tracklet.points.estimated[[5, 2, 9]][None]
    with torch.inference_mode():
        expected = network(load_frames(tracklet, [5, 2, 9])[None], points).parts
    found = train.find_parts(config, network, tracklet, [5, 2, 9])
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs)


def test_methods_without_parts_cannot_be_asked_for_them(tiny_config, tiny_split, trained):
    class Blind(ReID):
        def forward(self, clips, points=None):
            return super().forward(clips, points)._replace(parts=None)

    blind = Blind(trained[0].backbone, trained[0].aggregator)
    with pytest.raises(ValueError, match="'ssn3d' knows no parts"):
        train.find_parts(tiny_config, blind, tiny_split.query[0], [0, 1, 2, 3])


def test_a_summary_says_who_was_found_at_which_rank(tiny_config, tiny_split, trained):
    scores = train.measure(tiny_config, trained[0], tiny_split)
    assert scores["top1"] == float(train.evaluate(tiny_config, trained[0], tiny_split).cmc[0])
    queries = scores["queries"]
    assert queries["person"] == [tracklet.person for tracklet in tiny_split.query]
    assert scores["top1"] == pytest.approx(queries["first_rank"].count(1) / 3)
    assert scores["top5"] == scores["top10"] == 1
    assert scores["mean_ap"] == pytest.approx(sum(queries["ap"]) / 3, abs=1e-5)


def test_reranked_scores_stand_beside_the_others(tiny_config, tiny_split, trained):
    vectors = train.embed_lists(tiny_config, trained[0], tiny_split)
    people, cameras = (
        [torch.tensor([getattr(t, field) for t in side]) for side in tiny_split[1:]]
        for field in ("person", "camera")
    )
    others = sum(map(len, tiny_split[1:])) - 1
    distances = rerank(*vectors, k1=min(20, others), k2=min(6, others))
    expected = retrieval.evaluate(*vectors, *people, *cameras, distances=distances)
    measured = train.measure(tiny_config, trained[0], tiny_split)["reranked"]
    assert measured["mean_ap"] == pytest.approx(expected.mean_ap)
    assert measured["top1"] == pytest.approx(float(expected.cmc[0]))
