"""Files that commands write for other programs: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lab.core.errors import UsageError, unless_full

if TYPE_CHECKING:
    from lab.output.junit import Suite


@contextmanager
def replaced(target: Path, what: str, option: str) -> Iterator[BinaryIO]:
    """A new file that takes the target's place when it is whole, and leaves nothing behind if it is not.

    UsageError if it cannot be written: ``what`` it is, and the ``option`` that names another.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("xb") as stream:  # never through a link that somebody laid into the record
            yield stream
        part.replace(target)
    except OSError as error:
        told = f"the {what} cannot be written: {error.strerror}"
        refusal = UsageError("export", told, where=str(target), fix=f"name another file: {option} FILE")
        raise unless_full(error, refusal) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reported(target: Path | None) -> Iterator[Callable[[Suite], None]]:
    """Takes what became of each file, and writes all of it as JUnit XML at the end, if that is wanted.

    UsageError, before anything is done, if it cannot be written.
    """
    suites: list[Suite] = []
    if target is None:
        yield suites.append
        return
    if target.is_dir() or not os.access(target.parent, os.W_OK | os.X_OK):
        what, fix = "the JUnit report cannot be written there", "name another file: --junit FILE"
        raise UsageError("export", what, where=str(target), fix=fix)
    yield suites.append
    from lab.output.junit import document

    with replaced(target, "JUnit report", "--junit") as stream:
        stream.write(document(suites).encode())
