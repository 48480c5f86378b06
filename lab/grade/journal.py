"""The journal of a batch: a line for each submission that was graded, never changed and never lost.

A line is on the disk before anybody is told of it. A process that is killed while it writes leaves a part of
a line at the end: it is taken away when the batch goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from lab.core.errors import DiskFullError, EvidenceError, UsageError, is_full
from lab.core.limits import LINE
from lab.grade.result import Graded

FORMAT = 1
NAME = "journal.jsonl"


class Key(Struct, frozen=True):
    """What a result depends on: hashes of submission and assignment, ids of images, the lab's version."""

    submission: str
    assignment: str
    lab: str
    images: dict[str, str] = {}


class Entry(Struct, frozen=True):
    """A submission that was graded, ``quiet`` if nothing else ran meanwhile.

    Without a result it is to be graded again.
    """

    student: str
    key: Key | None = None
    graded: Graded | None = None
    quiet: bool = False
    seconds: float = 0.0


class Journal:
    """The last entry of each student, and where the next one is written."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self.entries: dict[str, Entry] = {}
        self.damaged = 0
        """Lines that cannot be read: what they said is graded again."""
        self._end = self._read()
        os.ftruncate(file.fileno(), self._end)
        os.lseek(file.fileno(), self._end, os.SEEK_SET)

    def _read(self) -> int:
        """Read all entries; where the last whole line ends."""
        end = place = 0
        bad: list[int] = []
        for line in self._file:
            place += len(line)
            entry = _decoded(line)
            if entry is None:
                bad.append(place)
                continue
            self.entries[entry.student] = entry
            end = place
        self.damaged = sum(1 for one in bad if one < end)
        return end

    def write(self, entry: Entry) -> None:
        """Add an entry, on the disk. DiskFullError if there is no room: the journal is then as it was."""
        line = _encoded(entry)
        try:
            self._write(line)
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._end)  # without the part of the line that is there
            os.lseek(self._file.fileno(), self._end, os.SEEK_SET)
            if is_full(error):
                raise DiskFullError(error, str(self._path)) from error
            what = f"the journal cannot be written: {error.strerror}"
            raise EvidenceError("journal", what, where=str(self._path)) from error
        self._end += len(line)
        self.entries[entry.student] = entry

    def _write(self, line: bytes) -> None:
        """All of a line: write(2) may take a part of it."""
        left = memoryview(line)
        while left:
            left = left[os.write(self._file.fileno(), left) :]


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal in a folder, for this process alone. UsageError if another one has it, or it is none."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if is_full(error):
            raise DiskFullError(error, str(path)) from error
        what = f"the results cannot be written there: {error.strerror}"
        raise UsageError("out", what, where=str(folder), fix="name another folder: --out DIR") from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what, fix = (
                "another `lab grade` writes there",
                "wait for its end, or name another folder: --out DIR",
            )
            raise UsageError("out-busy", what, where=str(folder), fix=fix) from None
        yield Journal(file, path)


def _encoded(entry: Entry) -> bytes:
    return json.dumps({"format": FORMAT, **msgspec.to_builtins(entry)}).encode("ascii") + b"\n"


def _decoded(line: bytes) -> Entry | None:
    """The entry of a line; None if it is no whole one."""
    if not line.endswith(b"\n") or len(line) > LINE:
        return None
    try:
        data: Any = json.loads(line)
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            return None
        return msgspec.convert(data, Entry)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
