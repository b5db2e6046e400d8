import pytest
import torch
from torchvision.io import write_png

from ssn3d.datasets.tracklets import Split, Tracklet, load_frames, summarise


def test_tracklets_are_equal_if_their_pixels_are(tracklet, files):
    image = load_frames(Tracklet(files, 1, 1), range(4))
    assert Tracklet(files, 1, 1) == Tracklet(image, 1, 1)
    assert Tracklet(files, 1, 1) != Tracklet(image.flip(0), 1, 1)
    assert Tracklet(files, 1, 1) != Tracklet(image[:3], 1, 1)


def test_tracklets_of_different_people_cameras_or_points_differ(tracklet):
    one = tracklet(1, 1, points=True)
    assert one == Tracklet(one.frames, 1, 1, one.points)
    assert one != Tracklet(one.frames, 2, 1, one.points)
    assert one != Tracklet(one.frames, 1, 2, one.points)
    assert one != Tracklet(one.frames, 1, 1)
    assert one != Tracklet(one.frames, 1, 1, one.points._replace(visible=~one.points.visible))


def test_frames_come_in_the_order_asked_for(files):
    all_frames = load_frames(Tracklet(files, 1, 1), range(4))
    chosen = load_frames(Tracklet(files, 1, 1), [3, 0, 0])
    assert torch.equal(chosen, all_frames[[3, 0, 0]])
    assert (chosen.dtype, tuple(chosen.shape)) == (torch.uint8, (3, 3, 32, 16))


def test_a_missing_frame_is_named(files):
    files[2].unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.png does not exist"):
        load_frames(Tracklet(files, 1, 1), range(4))


def test_a_frame_of_another_size_is_named(files):
    write_png(torch.zeros(3, 30, 16, dtype=torch.uint8), str(files[3]))
    with pytest.raises(ValueError, match=r"3\.png is \(30, 16\).*\(32, 16\)"):
        load_frames(Tracklet(files, 1, 1), range(4))


def test_a_summary_counts_people_without_junk_and_distractors(tracklet):
    gallery = [tracklet(-1, 1, 2), tracklet(0, 2, 3), tracklet(0, 3, 4), tracklet(5, 1, 9)]
    train, query, whole = summarise(Split(gallery[3:] * 2, [], gallery))
    assert whole._asdict() == {
        "part": "gallery",
        "people": 1,
        "tracklets": 4,
        "distractors": 2,
        "junk": 1,
        "cameras": 3,
        "frames": 18,
        "shortest": 2,
        "median": 3.5,
        "longest": 9,
    }
    assert (train.people, train.tracklets, train.frames) == (1, 2, 18)
    assert query[1:] == (0,) * 9
