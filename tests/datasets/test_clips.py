from collections import Counter
from itertools import chain, islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torchvision.io import write_png

from ssn3d.datasets.clips import (
    Clips,
    IdentitySampler,
    Request,
    chunks,
    covering_clips,
    resized,
    resized_frames,
    sample_frames,
)
from ssn3d.datasets.keypoints import PARTS, Points, labelled_frames, mirror
from ssn3d.datasets.tracklets import Tracklet, load_frames
from ssn3d.rng import stream

lengths = st.integers(1, 100)
few = st.integers(1, 6)


def clips_of(tracklet: Tracklet, **settings) -> Clips:
    return Clips([tracklet], **({"frames": 4, "stride": 2, "size": (32, 16)} | settings))


def both_ways(clips: Clips) -> tuple:
    """A request whose clip is as filmed and one whose clip is mirrored."""
    requests = [Request(0, (key,)) for key in range(20)]
    drawn = [stream(*request.key) for request in requests]
    for random in drawn:
        sample_frames(len(clips.tracklets[0]), clips.frames, clips.stride, random)
    flipped = [bool(torch.rand((), generator=random) < 0.5) for random in drawn]
    return requests[flipped.index(False)], requests[flipped.index(True)]


@given(length=lengths, frames=few, stride=few, seed=st.integers(0, 99))
def test_a_long_tracklet_gives_evenly_spaced_frames(length, frames, stride, seed):
    length += frames * stride - 1
    taken = sample_frames(length, frames, stride, stream(seed))
    assert taken == list(range(taken[0], taken[0] + frames * stride, stride))
    assert 0 <= taken[0] and taken[-1] < length


@given(frames=st.integers(2, 8), stride=st.integers(2, 8), data=st.data())
def test_a_shorter_tracklet_gives_different_frames_in_order(frames, stride, data):
    length = data.draw(st.integers(frames, frames * stride - 1))
    taken = sample_frames(length, frames, stride, stream(data.draw(st.integers(0, 99))))
    assert taken == sorted(set(taken))
    assert len(taken) == frames
    assert set(taken) <= set(range(length))


@given(frames=st.integers(2, 8), stride=few, data=st.data())
def test_a_tracklet_of_too_few_frames_repeats_some_in_order(frames, stride, data):
    length = data.draw(st.integers(1, frames - 1))
    taken = sample_frames(length, frames, stride, stream(data.draw(st.integers(0, 99))))
    assert taken == sorted(taken)
    assert len(taken) == frames
    assert set(taken) <= set(range(length))


def test_every_start_of_a_long_tracklet_occurs():
    starts = {sample_frames(34, 4, 8, stream(seed))[0] for seed in range(200)}
    assert starts == set(range(34 - 3 * 8))


@pytest.mark.parametrize(
    ("step", "span", "length", "expected"),
    [
        (64, 64, 200, [(0, 64), (64, 128), (128, 200)]),  # DukeMTMC-VideoReID
        (64, 64, 128, [(0, 64), (64, 128)]),
        (64, 64, 127, [(0, 127)]),
        (64, 64, 9, [(0, 9)]),
        (32, 64, 130, [(0, 64), (32, 96), (64, 128), (96, 130)]),  # iLIDS-VID
        (32, 64, 64, [(0, 64), (32, 64)]),
        (32, 64, 63, [(0, 63)]),
        (32, 64, 31, [(0, 31)]),
    ],
)
def test_long_tracklets_are_cut_as_ap3d_does(step, span, length, expected):
    frames = torch.zeros(length, 3, 1, 1, dtype=torch.uint8)
    frames[:, 0, 0, 0] = torch.arange(length)
    cut = chunks(Tracklet(frames, 7, 2), step, span)
    assert [(int(c.frames[0, 0]), int(c.frames[-1, 0]) + 1) for c in cut] == expected
    assert {(c.person, c.camera) for c in cut} == {(7, 2)}


def test_chunks_take_their_points_along(tracklet):
    whole = tracklet(1, 1, 8, points=True)
    first, second = chunks(whole, 3, 4)
    assert first == Tracklet(whole.frames[:4], 1, 1, Points(*(x[:4] for x in whole.points)))
    assert second == Tracklet(whole.frames[3:], 1, 1, Points(*(x[3:] for x in whole.points)))


people_lists = st.lists(st.integers(1, 9), min_size=2, max_size=6).map(
    lambda counts: [person for person, count in enumerate(counts, 1) for _ in range(count)]
)


@given(people=people_lists, clips_per_id=st.integers(2, 4), seed=st.integers(0, 9), data=st.data())
def test_every_batch_has_so_many_clips_of_so_many_people(people, clips_per_id, seed, data):
    ids_per_batch = data.draw(st.integers(2, len(set(people))))
    sampler = IdentitySampler(people, ids_per_batch, clips_per_id, seed)
    for batch in islice(sampler, 5):
        counts = Counter(people[request.tracklet] for request in batch)
        assert list(counts.values()) == [clips_per_id] * ids_per_batch


@given(people=people_lists, clips_per_id=st.integers(2, 4), number=st.integers(0, 9))
def test_no_tracklet_comes_twice_in_a_pass_unless_its_person_has_too_few(
    people, clips_per_id, number
):
    taken = Counter(chain(*IdentitySampler(people, 2, clips_per_id).one_pass(number)))
    for tracklet, times in taken.items():
        assert times == 1 or people.count(people[tracklet]) < clips_per_id


def test_a_remainder_is_left_out_of_a_pass_and_has_its_turn_in_another():
    sampler = IdentitySampler([1] * 5 + [2] * 4, 2, 4)
    taken = [sampler.one_pass(number) for number in range(30)]
    assert all(len(batches) == 1 and len(set(batches[0])) == 8 for batches in taken)
    assert {index for batches in taken for index in batches[0]} == set(range(9))


def test_a_person_with_too_few_tracklets_repeats_them():
    [batch] = IdentitySampler([1, 2, 2, 2, 2], 2, 4).one_pass(0)
    assert Counter(batch)[0] == 4
    assert set(batch) == {0, 1, 2, 3, 4}


def test_fewer_people_than_a_batch_takes_are_refused():
    with pytest.raises(ValueError, match="takes 3 people, but the training list has 2; add people"):
        IdentitySampler([1, 1, 2, 2], 3, 2)


@pytest.mark.parametrize(("ids_per_batch", "clips_per_id"), [(1, 4), (4, 1)])
def test_batches_without_hard_triplets_are_refused(ids_per_batch, clips_per_id):
    with pytest.raises(ValueError, match="at least 2 people with 2 clips each"):
        IdentitySampler([1, 1, 2, 2], ids_per_batch, clips_per_id)


def test_batches_are_the_same_each_time_and_go_on_where_they_were_left():
    people = [person for person in range(5) for _ in range(6)]
    whole = list(islice(IdentitySampler(people, 3, 2, seed=1), 20))
    assert list(islice(IdentitySampler(people, 3, 2, seed=1), 20)) == whole
    assert list(islice(IdentitySampler(people, 3, 2, seed=1), 12, 20)) == whole[12:]


def test_batches_and_passes_differ_and_so_do_seeds():
    people = [person for person in range(5) for _ in range(6)]
    one, other = IdentitySampler(people, 3, 2, seed=1), IdentitySampler(people, 3, 2, seed=2)
    assert one.one_pass(0) != one.one_pass(1)
    assert one.one_pass(0) != other.one_pass(0)
    keys = [request.key for batch in islice(one, 20) for request in batch]
    keys += [request.key for batch in islice(other, 20) for request in batch]
    assert len(set(keys)) == len(keys)


def test_a_clip_is_the_same_whatever_was_asked_before(tracklet):
    many = [tracklet(person, 1, 30, points=True) for person in range(3)]
    settings = {"frames": 4, "stride": 2, "size": (32, 16), "points": True, "labelled": 2}
    request = Request(1, (0, 5))
    first = Clips(many, **settings)[request]
    again = Clips(many, **settings)
    for other in (Request(0, (0, 5)), Request(1, (0, 6)), Request(2, (1, 5))):
        again[other]
    for mine, theirs in zip(first, again[request], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)


def test_a_clip_shows_frames_of_its_tracklet_in_order(tracklet):
    filmed = tracklet(5, 1, 30)
    clips = clips_of(filmed)
    request, _ = both_ways(clips)
    taken = sample_frames(30, 4, 2, stream(*request.key))
    assert torch.equal(clips[request].frames, filmed.frames[taken])
    assert clips[request].person == 5


def test_a_flip_mirrors_all_frames_and_points_of_a_clip(tracklet):
    filmed = tracklet(1, 1, 30, points=True)
    settings = {"points": True, "labelled": 2}
    clips, unflipped = clips_of(filmed, **settings), clips_of(filmed, flip=False, **settings)
    _, request = both_ways(clips)
    flipped, plain = clips[request], unflipped[request]
    assert torch.equal(flipped.frames, plain.frames.flip(-1))
    assert torch.equal(flipped.labelled, plain.labelled.flip(-1))
    torch.testing.assert_close(flipped.points, mirror(plain.points), equal_nan=True)
    torch.testing.assert_close(flipped.labels, mirror(plain.labels), equal_nan=True)


def test_a_flip_exchanges_left_and_right(tracklet):
    filmed = tracklet(1, 1, 30, points=True)
    clips = clips_of(filmed, points=True)
    _, flipped = both_ways(clips)
    taken = sample_frames(30, 4, 2, stream(*flipped.key))
    left, right = PARTS.index("left foot"), PARTS.index("right foot")
    x, y = filmed.points.estimated[taken][:, right].unbind(-1)
    expected = torch.stack((1 - x, y), -1)
    torch.testing.assert_close(clips[flipped].points[:, left], expected, equal_nan=True)


def test_about_half_of_the_clips_are_flipped(tracklet):
    filmed = tracklet(1, 1, 4)
    clips = clips_of(filmed, stride=1)
    frames = [clips[Request(0, (key,))].frames for key in range(200)]
    plain = sum(torch.equal(clip, filmed.frames) for clip in frames)
    assert sum(torch.equal(clip, filmed.frames.flip(-1)) for clip in frames) == 200 - plain
    assert 70 < plain < 130


def test_labelled_frames_come_with_their_labels_and_nan_where_unseen(tracklet):
    filmed = tracklet(1, 1, 30, points=True)
    clips = clips_of(filmed, labelled=2, flip=False)
    clip = clips[Request(0, (0,))]
    [careful] = clips.labelled
    assert torch.equal(clip.labelled, filmed.frames[careful])
    assert torch.equal(clip.labels.isnan().any(-1), ~filmed.points.visible[careful])
    seen = filmed.points.visible[careful]
    assert torch.equal(clip.labels[seen], filmed.points.truth[careful][seen])


def test_a_tracklet_with_too_few_frames_to_label_repeats_them(tracklet):
    clip = clips_of(tracklet(1, 1, 1, points=True), labelled=2)[Request(0, (0,))]
    assert torch.equal(clip.labelled[0], clip.labelled[1])
    assert tuple(clip.labels.shape) == (2, len(PARTS), 2)


def test_what_was_not_asked_for_is_empty(tracklet):
    clip = clips_of(tracklet(1, 1, 30, points=True))[Request(0, (0,))]
    assert (len(clip.points), len(clip.labelled), len(clip.labels)) == (0, 0, 0)


@pytest.mark.parametrize("settings", [{"points": True}, {"labelled": 2}])
def test_strategies_that_need_points_say_so_if_there_are_none(tracklet, settings):
    with pytest.raises(ValueError, match=r'has none; .*strategy="unsupervised"'):
        clips_of(tracklet(1, 1, 30), **settings)


def test_clips_come_in_the_size_asked_for(tracklet):
    clip = clips_of(tracklet(1, 1, 30, points=True), size=(48, 20), labelled=2)[Request(0, (0,))]
    assert tuple(clip.frames.shape) == (4, 3, 48, 20)
    assert tuple(clip.labelled.shape) == (2, 3, 48, 20)
    assert clip.frames.dtype == torch.uint8


def test_frames_of_the_right_size_are_left_as_they_are(tracklet):
    frames = tracklet(1, 1).frames
    assert resized(frames, (32, 16)) is frames


def test_resizing_keeps_what_is_seen_where_it_is():
    frames = torch.zeros(1, 3, 32, 16, dtype=torch.uint8)
    frames[..., 16:, 8:] = 200
    small = resized(frames, (16, 8))[0, 0]
    assert (small[2, 2], small[12, 2], small[2, 6], small[12, 6]) == (0, 0, 0, 200)


def test_frames_of_different_sizes_make_one_clip(tracklet, tmp_path):
    images = [tracklet(1, 1).frames[0], tracklet(1, 1).frames[0][:, :30, :12]]
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for image, path in zip(images, paths, strict=True):
        write_png(image, str(path))
    clip = resized_frames(Tracklet(paths, 1, 1), [1, 0], (32, 16))
    assert torch.equal(clip[1], images[0])
    assert torch.equal(clip[0], resized(images[1][None], (32, 16))[0])


def test_resizing_one_by_one_equals_resizing_together(tracklet):
    filmed = tracklet(1, 1, 6)
    together = resized(load_frames(filmed, range(6)), (40, 20))
    assert torch.equal(resized_frames(filmed, range(6), (40, 20)), together)


def test_frames_of_files_are_read_in_the_order_asked_for(tracklet, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for image, path in zip(tracklet(1, 1, 6).frames, paths, strict=True):
        write_png(image, str(path))
    filed = Tracklet(paths, 1, 1)
    expected = resized(load_frames(filed, [4, 1, 4]), (20, 10))
    assert torch.equal(resized_frames(filed, [4, 1, 4], (20, 10)), expected)


@given(length=lengths, clip=st.integers(1, 40))
def test_clips_are_the_tracklet_cut_in_pieces(length, clip):
    pieces = covering_clips(length, clip)
    assert list(chain(*pieces)) == list(range(length))
    assert {len(piece) for piece in pieces[:-1]} <= {clip}
    assert 1 <= len(pieces[-1]) <= clip


@given(length=lengths, clip=st.integers(1, 10), multiple=st.integers(1, 8))
def test_a_last_clip_loops_from_its_own_start(length, clip, multiple):
    *pieces, last = covering_clips(length, clip * multiple, multiple=multiple)
    *expected, rest = covering_clips(length, clip * multiple)
    assert pieces == expected
    assert len(last) % multiple == 0
    assert len(last) - len(rest) < multiple
    assert last == (rest * multiple)[: len(last)]


def test_a_last_clip_is_padded_by_hand():
    assert covering_clips(10, 8, multiple=4) == [[*range(8)], [8, 9, 8, 9]]


def test_of_many_labelled_frames_each_clip_draws_some(tracklet):
    filmed = tracklet(1, 1, 30, points=True)
    for labelled, pool in ((5, labelled_frames(filmed.points, 5)), (None, list(range(30)))):
        clips = clips_of(filmed, labelled=labelled, flip=False)
        seen = set()
        for key in range(60):
            clip = clips[Request(0, (key,))]
            drawn = [
                next(i for i in pool if torch.equal(frame, filmed.frames[i]))
                for frame in clip.labelled
            ]
            assert drawn == sorted(set(drawn))
            assert_close(clip.labels, filmed.points.labels()[drawn], equal_nan=True)
            seen.update(drawn)
        assert seen >= set(pool[:5])


def test_one_labelled_frame_is_shown_as_often_as_two(tracklet):
    filmed = tracklet(1, 1, 30, points=True)
    clip = clips_of(filmed, labelled=1)[Request(0, (0,))]
    assert len(clip.labelled) == 2
    assert torch.equal(clip.labelled[0], clip.labelled[1])
