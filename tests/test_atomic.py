import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssn3d.atomic import atomic_folder, build_once


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "set") as draft:
        (draft / "half").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(tmp_path / "set") as draft:
        (draft / "whole").touch()
        assert not (tmp_path / "set").exists()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["whole"]


def test_what_a_killed_process_left_does_not_count(tmp_path):
    left = tmp_path / ".set.draft"
    left.mkdir()
    (left / "half").touch()
    root = build_once(tmp_path / "set", lambda draft: (draft / "whole").touch())
    assert [path.name for path in root.iterdir()] == ["whole"]
    assert not left.exists()


def test_others_may_read_a_folder_as_usual(tmp_path):
    (tmp_path / "usual").mkdir()
    root = build_once(tmp_path / "set", lambda draft: None)
    assert root.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_is_there_is_not_made_again(tmp_path):
    root = tmp_path / "deep" / "set"
    made = [build_once(root, lambda draft: (draft / "a").touch()) for _ in range(2)]
    assert made == [root, root]
    build_once(root, lambda draft: pytest.fail("made twice"))


def test_who_asks_meanwhile_waits_and_finds_it(tmp_path):
    calls, begun = [], threading.Barrier(3)

    def write(draft):
        calls.append(draft)
        (draft / "a").touch()

    def ask(_):
        begun.wait()
        return build_once(tmp_path / "set", write)

    with ThreadPoolExecutor(3) as askers:
        assert set(askers.map(ask, range(3))) == {tmp_path / "set"}
    assert len(calls) == 1
