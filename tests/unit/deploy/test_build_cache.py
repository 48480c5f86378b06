"""Results of builds that are kept: whole, bounded, and safe to share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from lab.core.errors import ExitCode, LabError
from lab.deploy.build_cache import BuildCache


def test_a_result_is_had_back(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "made")
    assert cache.get("a") is None
    cache.put("a", b"result")
    assert cache.get("a") == b"result"
    assert [path.name for path in cache.folder.iterdir()] == ["a.build"]


@pytest.mark.parametrize("spoil", [b"", b"tcp-lab build 1\n", b"another program's file" * 9])
def test_what_is_not_whole_does_not_count_and_goes(tmp_path: Path, spoil: bytes) -> None:
    cache = BuildCache(tmp_path)
    (tmp_path / "a.build").write_bytes(spoil)
    assert cache.get("a") is None
    cache.put("a", b"result" * 1000)
    os.truncate(tmp_path / "a.build", 3000)
    assert cache.get("a") is None
    assert not list(tmp_path.iterdir())


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path, limit=3000)
    for number, name in enumerate("abc"):
        cache.put(name, bytes(900))
        os.utime(tmp_path / f"{name}.build", (number, number))
    assert cache.get("a") is not None
    cache.put("d", bytes(900))
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]
    cache.put("e", bytes(9000))
    assert not [name for name in "abcde" if cache.get(name)], "larger than all that may be kept"


def test_parts_that_nobody_writes_any_more_go(tmp_path: Path) -> None:
    for name in (".part-old", ".part-new", "tmpabc", "old.tar"):
        (tmp_path / name).touch()
        if name != ".part-new":
            os.utime(tmp_path / name, (0, 0))
    BuildCache(tmp_path).put("a", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".part-new", "a.build"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, _: bytes) -> NoReturn:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LabError, match="No space left on device") as caught:
        BuildCache(tmp_path).put("a", b"result")
    assert caught.value.exit_code is ExitCode.INCONCLUSIVE
    assert not list(tmp_path.iterdir())
