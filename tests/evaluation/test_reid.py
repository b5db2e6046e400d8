from dataclasses import replace

import pytest
import torch

from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.evaluation import reid, retrieval
from ssn3d.evaluation.reranking import rerank
from ssn3d.models.aggregators.ssn3d import SSN3D
from ssn3d.models.reid import ReID
from ssn3d.models.ssn import Parts
from ssn3d.training import inference
from ssn3d.training.reid import build, fit

H, W = 8, 4
"""Rows and columns of the oracle's maps."""


def test_scores_follow_from_the_embeddings(tiny_config, tiny_split, trained, monkeypatch):
    people = {tracklet.person for tracklet in tiny_split.query}
    monkeypatch.setattr(
        reid,
        "embed",
        lambda config, model, tracklets, device: torch.tensor(
            [[float(t.person)] for t in tracklets]
        ),
    )
    result = reid.evaluate(tiny_config, trained[0], tiny_split)
    assert (result.mean_ap, result.skipped, len(result.queries)) == (1.0, 0, len(people))


def test_queries_in_the_gallery_are_embedded_once(tiny_config, tiny_split, trained, monkeypatch):
    seen = []
    embed = inference.embed

    def watched(config, model, tracklets, **rest):
        seen.extend(tracklets)
        return embed(config, model, tracklets, **rest)

    monkeypatch.setattr(reid, "embed", watched)
    both = [*tiny_split.gallery, *tiny_split.query]
    reid.evaluate(tiny_config, trained[0], Split([], tiny_split.query, both))
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
    monkeypatch.setattr(reid, "embed", lambda *_, **__: pytest.fail("embedded too early"))
    split = Split([], tiny_split.query[query], tiny_split.gallery[gallery])
    arguments = (tiny_config, None, split) if ask == "evaluate" else (tiny_config, split)
    with pytest.raises(ValueError, match=said):
        getattr(reid, ask)(*arguments)


def test_supervised_tracklets_without_points_are_refused(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    bare = [replace(tracklet, points=None) for tracklet in tiny_split.query]
    said = r"3 of 6 tracklets have none; add them \(`ssn3d label`"
    with pytest.raises(ValueError, match=said):
        reid.check(config, Split([], bare, tiny_split.gallery))
    with pytest.raises(ValueError, match="3 of 3 tracklets have none"):
        inference.embed(config, trained[0], bare)
    assert len(inference.embed(tiny_config, trained[0], bare)) == 3


def test_a_summary_says_who_was_found_at_which_rank(tiny_config, tiny_split, trained):
    scores = reid.measure(tiny_config, trained[0], tiny_split)
    assert scores["top1"] == float(reid.evaluate(tiny_config, trained[0], tiny_split).cmc[0])
    queries = scores["queries"]
    assert queries["person"] == [tracklet.person for tracklet in tiny_split.query]
    assert scores["top1"] == pytest.approx(queries["first_rank"].count(1) / 3)
    assert scores["top5"] == scores["top10"] == 1
    assert scores["mean_ap"] == pytest.approx(sum(queries["ap"]) / 3, abs=1e-5)


def test_reranked_scores_stand_beside_the_others(tiny_config, tiny_split, trained):
    vectors = reid.embed_lists(tiny_config, trained[0], tiny_split)
    people, cameras = (
        [torch.tensor([getattr(t, field) for t in side]) for side in tiny_split[1:]]
        for field in ("person", "camera")
    )
    others = sum(map(len, tiny_split[1:])) - 1
    distances = rerank(*vectors, k1=min(20, others), k2=min(6, others))
    expected = retrieval.evaluate(*vectors, *people, *cameras, distances=distances)
    measured = reid.measure(tiny_config, trained[0], tiny_split)["reranked"]
    assert measured["mean_ap"] == pytest.approx(expected.mean_ap)
    assert measured["top1"] == pytest.approx(float(expected.cmc[0]))


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, clip_frames=2, clip_stride=3, test_frames=2)


def tracklet(person: int, cells: list[list[int]]) -> Tracklet:
    """Four frames; part n of frame t stands in cell `cells[t][n]`, and the first pixels say so."""
    cells = torch.tensor(cells)
    frames = torch.zeros(len(cells), 3, 16, 16, dtype=torch.uint8)
    frames[:, 0, 0, :9] = cells
    points = torch.stack([cells % W + 0.5, cells // W + 0.5], -1) / torch.tensor([W, H])
    seen = torch.ones(len(cells), 9, dtype=torch.bool)
    return Tracklet(frames, person, 1, Points(points, points, seen))


@pytest.fixture
def people():
    generator = torch.Generator().manual_seed(0)
    return [
        tracklet(
            person, [torch.randperm(H * W, generator=generator)[:9].tolist() for _ in range(4)]
        )
        for person in range(6)
    ]


@pytest.fixture
def oracle(monkeypatch):
    """A network that sees each part where the frame says, in an order that may be turned."""
    network = torch.nn.Module()

    def look(config, model, clips):
        shown = torch.stack([tracklet.frames[taken, 0, 0, :9] for tracklet, taken in clips])
        cells = shown.long().roll(network.turn, dims=2)
        maps = torch.nn.functional.one_hot(cells, H * W).float().reshape(len(clips), -1, 9, H, W)
        return Parts(maps, maps, maps)

    monkeypatch.setattr(reid, "find_parts_of", look)
    network.turn = 0
    return network


def test_parts_that_are_where_they_should_be(config, people, oracle):
    found = reid.measure_parts(config, oracle, people)
    assert found["pck"] == 1
    assert found["spread"] == pytest.approx({"frames": 0, "people": 0}, abs=1e-6)
    assert found["distinctness"] == 1
    assert found["extent"] == pytest.approx(1 / (H * W))
    assert len(found["at_border"]) == 9
    assert found["tracklets"] == 3  # every other person


def test_the_prior_is_the_mean_place_in_training_judged_on_every_other_person(config):
    top, bottom = [list(range(9))] * 4, [list(range(H * W - 9, H * W))] * 4
    still, others = tracklet(0, top), tracklet(0, bottom)
    assert reid.measure_prior(config, [still], [others, tracklet(1, top)]) == 1
    assert reid.measure_prior(config, [others], [others, tracklet(1, top)]) == 0


def test_only_parts_without_labels_are_assigned_to_points(config, people, oracle):
    oracle.turn = 1
    named = reid.measure_parts(config, oracle, people)
    free = reid.measure_parts(replace(config, strategy="unsupervised"), oracle, people)
    assert named["pck"] < 0.5
    assert free["pck"] == 1


def test_points_that_cannot_be_seen_do_not_count(config, people, oracle):
    oracle.turn = 1  # all wrong, if anybody looked
    hidden = [
        replace(t, points=t.points._replace(visible=torch.zeros(4, 9, dtype=torch.bool)))
        if t.person % 2
        else t
        for t in people
    ]
    found = reid.measure_parts(config, oracle, hidden[1:2] + people[:1])
    assert found["pck"] != found["pck"]  # nothing is left to count


def test_nothing_is_said_where_nothing_is_known(config, people, oracle, monkeypatch):
    bare = [replace(t, points=None) for t in people]
    assert reid.measure_parts(config, oracle, bare) is None
    longer = replace(config, clip_frames=5, test_frames=5)
    assert reid.measure_parts(longer, oracle, people) is None
    assert reid.measure_parts(replace(config, clip_stride=99), oracle, people)["pck"] == 1
    monkeypatch.setattr(reid, "find_parts_of", lambda *_: None)
    assert reid.measure_parts(config, oracle, people) is None


def test_a_real_network_is_measured(tiny_config, tiny_split, trained):
    found = reid.measure_parts(replace(tiny_config, clip_stride=2), trained[0], tiny_split.query)
    assert 0 <= found["pck"] <= 1
    assert len(found["pck_parts"]) == 9


def by_colour(parts: int) -> ReID:
    """A network whose attention classifier takes red windows for part 0, green ones for part 1."""
    aggregator = SSN3D(3, parts=parts, window=1, hidden=2, width=4, embedding=4)
    [classifier] = aggregator.ssn.classifiers
    with torch.no_grad():
        classifier.to_hidden.weight.copy_(torch.eye(2, 3)[..., None, None])
        classifier.to_hidden.bias.fill_(9)  # colours are normalised; none is cut off
        classifier.to_parts.weight.zero_()
        classifier.to_parts.weight[:2] = torch.eye(2)
        classifier.to_parts.bias.fill_(-99)
        classifier.to_parts.bias[:2] = 0
    return ReID(torch.nn.Identity(), aggregator)


@pytest.mark.parametrize("parts", [2, 9])
def test_windows_at_true_points_are_classified_as_by_hand(config, people, parts):
    """Frames red above the middle, green below it: a part is taken for what it stands on."""
    frames = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    frames[:, 0, :8], frames[:, 1, 8:] = 255, 255
    coloured = [replace(each, frames=frames) for each in people]
    if parts == 2:
        config = replace(config, strategy="unsupervised")
    found = torch.tensor(reid.measure_confusion(config, by_colour(parts), coloured))
    above = torch.stack([each.points.truth[[0, 3], :, 1] < 0.5 for each in people])
    share = above.float().mean(dim=(0, 1))
    assert 0 < share.min() < share.max() < 1
    expected = torch.zeros(9, parts)
    expected[:, 0], expected[:, 1] = share, 1 - share
    torch.testing.assert_close(found, expected)


def test_only_points_that_can_be_seen_are_classified(config, people):
    visible = torch.ones(4, 9, dtype=torch.bool)
    visible[:, 2] = False
    hidden = [replace(t, points=t.points._replace(visible=visible)) for t in people]
    rows = torch.tensor(reid.measure_confusion(config, by_colour(9), hidden)).isnan()
    assert rows.all(dim=1).tolist() == rows.any(dim=1).tolist() == [n == 2 for n in range(9)]


def test_each_of_several_classifiers_judges_every_frame(tiny_config, tiny_split):
    config = replace(tiny_config, shared=False, clip_stride=2)
    network, _ = fit(config, tiny_split.train)
    found = torch.tensor(reid.measure_confusion(config, network, tiny_split.query))
    single = []
    for classifier in network.aggregator.ssn.classifiers:
        alone = build(replace(config, shared=True))
        alone.backbone.load_state_dict(network.backbone.state_dict())
        alone.aggregator.ssn.classifiers[0].load_state_dict(classifier.state_dict())
        single.append(reid.measure_confusion(config, alone, tiny_split.query))
    torch.testing.assert_close(found, torch.tensor(single).mean(dim=0), equal_nan=True)


def test_without_a_trained_classifier_or_points_nothing_is_confused(config, people):
    network = by_colour(9)
    average = build(replace(config, aggregator="average", strategy="unsupervised"))
    bare = [replace(t, points=None) for t in people]
    assert reid.measure_confusion(config, average, people) is None
    assert reid.measure_confusion(replace(config, strategy="supervised"), network, people) is None
    assert reid.measure_confusion(config, network, bare) is None
    assert reid.measure_confusion(config, network, []) is None


def test_what_is_confused_is_stored(tiny_config, tiny_split, trained):
    config = replace(tiny_config, clip_stride=2)
    measured = reid.measure(config, trained[0], tiny_split)["confusion"]
    assert measured == reid.measure_confusion(config, trained[0], tiny_split.query)
    assert [len(row) for row in measured] == [9] * 9
