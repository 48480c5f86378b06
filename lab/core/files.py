"""Files that are read, whoever made them, and those of a record that are written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lab.core.errors import EvidenceError, unless_full


class IrregularError(OSError):
    """A pipe, a device or a socket in the place of a file: to read from it may never end."""

    def __init__(self) -> None:
        super().__init__()
        self.strerror = "it is no regular file"


def opened(path: Path, *, follow: bool = True) -> BinaryIO:
    """A regular file, open for reading; with a link as its last part only if it is to ``follow`` it.

    OSError for anything else: IsADirectoryError for a folder.
    """
    # A pipe that nobody writes to is not waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise IrregularError
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A new file of a record. EvidenceError if it cannot be written, DiskFullError if there is no room."""
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        what = f"the record cannot be written: {error.strerror}"
        fix = "choose another folder: --records DIR"
        refusal = EvidenceError("record-unwritable", what, where=str(path), fix=fix)
        raise unless_full(error, refusal) from error
