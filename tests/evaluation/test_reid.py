from dataclasses import replace

import pytest
import torch

from ssn3d.datasets.tracklets import Split
from ssn3d.evaluation import reid as evaluation
from ssn3d.evaluation import retrieval
from ssn3d.evaluation.reranking import rerank
from ssn3d.training import inference


def test_scores_follow_from_the_embeddings(tiny_config, tiny_split, trained, monkeypatch):
    people = {tracklet.person for tracklet in tiny_split.query}
    monkeypatch.setattr(
        evaluation,
        "embed",
        lambda config, model, tracklets, device: torch.tensor(
            [[float(t.person)] for t in tracklets]
        ),
    )
    result = evaluation.evaluate(tiny_config, trained[0], tiny_split)
    assert (result.mean_ap, result.skipped, len(result.queries)) == (1.0, 0, len(people))


def test_queries_in_the_gallery_are_embedded_once(tiny_config, tiny_split, trained, monkeypatch):
    seen = []
    embed = inference.embed

    def watched(config, model, tracklets, **rest):
        seen.extend(tracklets)
        return embed(config, model, tracklets, **rest)

    monkeypatch.setattr(evaluation, "embed", watched)
    both = [*tiny_split.gallery, *tiny_split.query]
    evaluation.evaluate(tiny_config, trained[0], Split([], tiny_split.query, both))
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
    monkeypatch.setattr(evaluation, "embed", lambda *_, **__: pytest.fail("embedded too early"))
    split = Split([], tiny_split.query[query], tiny_split.gallery[gallery])
    arguments = (tiny_config, None, split) if ask == "evaluate" else (tiny_config, split)
    with pytest.raises(ValueError, match=said):
        getattr(evaluation, ask)(*arguments)


def test_supervised_tracklets_without_points_are_refused(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    bare = [replace(tracklet, points=None) for tracklet in tiny_split.query]
    said = r"3 of 6 tracklets have none; add them \(points.npz\)"
    with pytest.raises(ValueError, match=said):
        evaluation.check(config, Split([], bare, tiny_split.gallery))
    with pytest.raises(ValueError, match="3 of 3 tracklets have none"):
        inference.embed(config, trained[0], bare)
    assert len(inference.embed(tiny_config, trained[0], bare)) == 3


def test_a_summary_says_who_was_found_at_which_rank(tiny_config, tiny_split, trained):
    scores = evaluation.measure(tiny_config, trained[0], tiny_split)
    assert scores["top1"] == float(evaluation.evaluate(tiny_config, trained[0], tiny_split).cmc[0])
    queries = scores["queries"]
    assert queries["person"] == [tracklet.person for tracklet in tiny_split.query]
    assert scores["top1"] == pytest.approx(queries["first_rank"].count(1) / 3)
    assert scores["top5"] == scores["top10"] == 1
    assert scores["mean_ap"] == pytest.approx(sum(queries["ap"]) / 3, abs=1e-5)


def test_reranked_scores_stand_beside_the_others(tiny_config, tiny_split, trained):
    vectors = evaluation.embed_lists(tiny_config, trained[0], tiny_split)
    people, cameras = (
        [torch.tensor([getattr(t, field) for t in side]) for side in tiny_split[1:]]
        for field in ("person", "camera")
    )
    others = sum(map(len, tiny_split[1:])) - 1
    distances = rerank(*vectors, k1=min(20, others), k2=min(6, others))
    expected = retrieval.evaluate(*vectors, *people, *cameras, distances=distances)
    measured = evaluation.measure(tiny_config, trained[0], tiny_split)["reranked"]
    assert measured["mean_ap"] == pytest.approx(expected.mean_ap)
    assert measured["top1"] == pytest.approx(float(expected.cmc[0]))
