"""Files that programs have written, read by somebody whom they cannot fool: bounded in bytes and in time.

Whoever made a file is not trusted. A path is walked name by name, and no link in it is followed. What is
there is looked at before it is opened, so that no FIFO and no device ever is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from itertools import islice

from . import output
from .protocol import FileFound, FileKind

MOST_READ = 128 << 20
"""Bytes of a file that are read at most; of a larger one only its size is told."""

MOST_KEPT = 4 << 20
"""Bytes of a file that are kept at most: its first."""

_READ_SECONDS = 15.0
_PIECE = 1 << 20
_NAMES, _NAMES_LOOKED_AT = 10, 1000
"""Names beside a file that is not there that are told, of the first so many of the folder."""

_ENTRY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Reading:
    """One file on its way to a record. Called again and again, it reads on, until it has an answer.

    ``root`` opens the host's root directory; ``first`` is the host's first process, and ``busy`` says whether
    a program still runs there. It is waited for so many seconds, and one that is ``wanted`` also if it is not
    there.
    """

    def __init__(
        self,
        root: Callable[[], int],
        first: int,
        path: str,
        *,
        wait: float,
        wanted: bool,
        busy: Callable[[], bool],
    ) -> None:
        self.content = bytearray()
        self._root = root
        self._first = first
        self._path = path
        self._wait = wait
        self._wanted = wanted
        self._busy = busy
        self._steps = self._read()

    def __call__(self) -> FileFound | None:
        """The answer, or None as long as there is more to do."""
        try:
            return next(self._steps)
        except OSError as error:
            return _found("unread", error.strerror or str(error))

    def _read(self) -> Iterator[FileFound | None]:
        since = time.monotonic()
        while True:
            waits = time.monotonic() - since < self._wait
            entry, kind, why = self._entry()
            try:
                if kind == "missing" and waits and self._wanted and self._busy():
                    yield None
                    continue
                if kind != "file":
                    yield _found(kind, why, beside=_names(entry) if kind == "missing" else [])
                    return
                about = os.fstat(entry)
                writers = output.writers(self._first, (about.st_dev, about.st_ino))
                if writers and waits:
                    yield None
                    continue
                found = None
                for found in self._content(entry, since):
                    if found is None:
                        yield None
                if found is None or (found.changing and time.monotonic() - since < self._wait):
                    continue
                vars(found)["writers"] = writers
                yield found
                return
            finally:
                os.close(entry)

    def _entry(self) -> tuple[int, FileKind, str]:
        """What is at the path, of what kind it is and why; for a missing one the last folder on the way."""
        parts = self._path.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            raise PermissionError(errno.EPERM, "the path leads out of the folder")
        here = self._root()
        try:
            for number, name in enumerate(parts, 1):
                try:
                    there = os.open(name, _ENTRY, dir_fd=here)
                except (FileNotFoundError, NotADirectoryError):
                    return here, "missing", ""
                os.close(here)
                here, kind = there, _kind(os.fstat(there).st_mode)
                if number == len(parts) or kind == "link":
                    return here, kind, name
                if kind != "folder":
                    return here, "missing", name
        except BaseException:
            os.close(here)
            raise
        raise AssertionError(parts)

    def _content(self, entry: int, since: float) -> Iterator[FileFound | None]:
        """Read what is in a regular file, with pauses; at last what it is."""
        self.content.clear()
        file = os.open(f"/proc/self/fd/{entry}", _READ)
        try:
            before = os.fstat(file)
            digest, size = hashlib.sha256(), 0
            most = min(before.st_size, MOST_READ)
            # No more than it had then, though it may have grown.
            while size < most and (data := os.read(file, min(_PIECE, most - size))):
                digest.update(data)
                self.content += data[: MOST_KEPT - len(self.content)]
                size += len(data)
                if time.monotonic() - since > _READ_SECONDS:
                    yield _found("unread", f"it could not be read within {_READ_SECONDS:g} s")
                    return
                yield None
            after = os.fstat(file)
            changing = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
            whole = size == before.st_size
            yield _found(
                "file", "", size=before.st_size, sha256=digest.hexdigest() if whole else "",
                kept=len(self.content), changing=changing,
            )  # fmt: skip
        finally:
            os.close(file)


def _kind(mode: int) -> FileKind:
    kinds: dict[int, FileKind] = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "link",
        stat.S_IFIFO: "fifo",
    }
    return kinds.get(stat.S_IFMT(mode), "device")


def _names(entry: int) -> list[str]:
    """Some names in a folder; none if it is none."""
    try:
        folder = os.open(f"/proc/self/fd/{entry}", _READ | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for one in islice(entries, _NAMES_LOOKED_AT))[:_NAMES]
    finally:
        os.close(folder)


def _found(
    kind: FileKind,
    why: str,
    *,
    size: int = 0,
    sha256: str = "",
    kept: int = 0,
    changing: bool = False,
    beside: list[str] | None = None,
) -> FileFound:
    return FileFound(
        at=time.time_ns(), kind=kind, why=why, size=size, sha256=sha256, kept=kept, changing=changing,
        writers=[], beside=beside or [],
    )  # fmt: skip
