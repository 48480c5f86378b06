"""The journal: whole after any interruption, and for one process at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lab.core.errors import DiskFullError, UsageError
from lab.grade.journal import NAME, Entry, Key, opened
from lab.grade.result import CaseResult, CheckSeen, Graded, RunResult

RESULT = Graded((CaseResult("echo", (RunResult("failed", (CheckSeen("a\nb", "fail", 2, causes=("x",)),)),)),))
ENTRIES = [
    Entry(student, Key("s", "a", "1", {"host": "id"}), RESULT, seconds=1.5)
    for student in ("name:ann", "name:b\u00f6\udcff", "moodle:3")
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with opened(tmp_path / "new" / "folder") as journal:
        for entry in ENTRIES:
            journal.write(entry)
    with opened(tmp_path / "new" / "folder") as journal:
        assert list(journal.entries.values()) == ENTRIES
        journal.write(Entry(ENTRIES[0].student))
    with opened(tmp_path / "new" / "folder") as journal:
        assert journal.entries[ENTRIES[0].student].graded is None
        assert journal.damaged == 0


def test_every_place_at_which_it_may_break_off(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for entry in ENTRIES:
            journal.write(entry)
    path = tmp_path / NAME
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = sum(end <= length for end in ends)
        with opened(tmp_path) as journal:
            assert list(journal.entries.values()) == ENTRIES[:kept]
            assert journal.damaged == 0
            if kept < len(ENTRIES):
                journal.write(ENTRIES[kept])
        with opened(tmp_path) as journal:
            assert list(journal.entries.values()) == ENTRIES[: kept + 1]


def test_a_lost_block_and_a_damaged_line(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for entry in ENTRIES:
            journal.write(entry)
    path = tmp_path / NAME
    first, second, third, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join((first, second[:40] + b"\0" * 40, third, b"\0" * 300 + b"\n")))
    with opened(tmp_path) as journal:
        assert list(journal.entries.values()) == [ENTRIES[0], ENTRIES[2]]
        assert journal.damaged == 1


def test_one_process_at_a_time_and_no_link(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(UsageError, match="another"), opened(tmp_path):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError), opened(tmp_path / "other"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.write, []

    def some_room(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) == 1:
            return real(descriptor, bytes(data[:10]))
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path) as journal:
        journal.write(ENTRIES[0])
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", some_room)
            with pytest.raises(DiskFullError):
                journal.write(ENTRIES[1])
        journal.write(ENTRIES[2])
    with opened(tmp_path) as journal:
        assert list(journal.entries.values()) == [ENTRIES[0], ENTRIES[2]]
        assert journal.damaged == 0
