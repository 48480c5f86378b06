"""Files of programs as they were when the script was over, and those that were laid."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FileKind = Literal["file", "missing", "folder", "link", "fifo", "device", "unread"]


class SeenFile(Struct, frozen=True):
    """What was at a path in a program's folder (lab.scenario.checks.Place); without a host, what was laid.

    ``why`` says what could not be read, or the name on the way that is to blame. ``sha256`` is empty where it
    was larger than what is read of a file. Its first ``kept`` bytes are in the record, under the name that is
    ``stored``. ``changing`` says that it was written while it was read; ``writers`` had it open for that.
    ``beside`` are names in the folder where a missing one is not.
    """

    at: int
    host: str
    program: str
    path: str
    kind: FileKind
    why: str = ""
    size: int = 0
    sha256: str = ""
    kept: int = 0
    stored: str = ""
    changing: bool = False
    writers: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


class FileEvidence(Struct, frozen=True):
    """A file that was seen, and what is kept of it."""

    seen: SeenFile
    content: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether all of it is kept."""
        return len(self.content) == self.seen.size
