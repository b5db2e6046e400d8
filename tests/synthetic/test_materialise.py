import re
from dataclasses import dataclass, replace

import pytest

from ssn3d.synthetic.materialise import RenderedSet, materialise, rendered_set


@dataclass(frozen=True)
class Profile:
    people: int = 3


SETTINGS = {"seed": 0, "height": 32, "width": 16, "count": 2, "profile": Profile()}


def named(kind: str = "dots", version: object = 1, **changes) -> str:
    return rendered_set(kind, print, version, **SETTINGS | changes).name


def test_a_name_says_what_is_rendered_and_is_the_same_every_time():
    assert named() == "dots-32x16-seed0-1852868b"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "lines"},
        {"version": 2},
        {"version": [1, 2]},
        {"seed": 1},
        {"height": 64},
        {"width": 32},
        {"count": 3},
        {"profile": replace(Profile(), people=4)},
    ],
    ids=str,
)
def test_another_setting_or_renderer_is_another_set(changes):
    assert re.fullmatch(r"\w+-\d+x\d+-seed\d-[0-9a-f]{8}", named(**changes))
    assert named(**changes) != named()


def test_a_field_that_is_added_later_renames_nothing():
    @dataclass(frozen=True)
    class Larger(Profile):
        jitter: float = 0.1

    assert named(profile=Larger()) == named(profile=Profile())
    assert named(profile=Larger(jitter=0.2)) != named(profile=Profile())


@pytest.fixture
def calls() -> list[dict]:
    """What `write` of the set was called with."""
    return []


@pytest.fixture
def wanted(calls) -> RenderedSet:
    def write(root, **settings):
        calls.append(settings)
        (root / "one.png").touch()
        if len(calls) == 1 and settings["seed"] == 13:
            raise OSError("the disk is full")

    return rendered_set("dots", write, 1, **SETTINGS)


def test_a_set_is_rendered_once_with_its_settings(wanted, calls, tmp_path):
    roots = [materialise(wanted, tmp_path / "new") for _ in range(2)]
    assert roots == [tmp_path / "new" / wanted.name] * 2
    assert [path.name for path in roots[0].iterdir()] == ["one.png"]
    assert calls == [SETTINGS]


def test_a_failure_leaves_nothing_behind_and_can_be_repeated(wanted, calls, tmp_path):
    unlucky = rendered_set("dots", wanted.write.func, 1, **SETTINGS | {"seed": 13})
    with pytest.raises(OSError, match="the disk is full"):
        materialise(unlucky, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert materialise(unlucky, tmp_path).is_dir()
