"""A submission with all that grading it needs, as one object that another process or machine can take.

No file of the teacher's machine is read by whoever has it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from lab.core.archive import Tree
from lab.core.errors import DiskFullError, is_full
from lab.grade.reading import Assigned
from lab.grade.task import Answer, Task

Files = tuple[tuple[str, bytes], ...]
"""Paths from a folder on, with what is in each file."""


class Parcel(Struct, frozen=True):
    """The assignment, a task, and the programs that were handed in; ``lab`` is the version that made it."""

    lab: str
    assigned: Assigned
    given: Mapping[str, Tree]
    task: Task


class Returned(Struct, frozen=True):
    """What came of it: the answer, how long it took (seconds), the records, and who did it."""

    answer: Answer
    seconds: float
    records: Files
    by: str


def files_in(folder: Path) -> Files:
    """All files of a folder of records."""
    return tuple(
        (path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    )


def lay(files: Files, folder: Path) -> None:
    """Write files into a folder. ValueError for a path that leads out of it, DiskFullError, OSError."""
    for name, content in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"a record has a file at {name}")
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError as error:
            if is_full(error):
                raise DiskFullError(error, str(place)) from error
            raise


def write(parcel: Parcel, file: Path) -> None:
    """Write a parcel for a process of this machine."""
    file.write_bytes(pickle.dumps(parcel))


def opened(file: Path) -> Parcel:
    """Read what :func:`write` wrote. Nobody else may be able to write that file: it can be any code."""
    parcel = pickle.loads(file.read_bytes())  # noqa: S301 - this user wrote it
    assert isinstance(parcel, Parcel)  # noqa: S101 - only write() makes such a file
    return parcel
