"""The errors a person can meet, and nothing else.

::

    LabError(code, what, where, fix)
    ├─ ScenarioError    bad YAML, schema, reference          exit 2
    ├─ SubmissionError  a program that does not build        exit 1
    ├─ UsageError       a command's words are off            exit 2
    ├─ EngineError      daemon, image, launch, time-out      exit 3
    ├─ EvidenceError    capture or sampling incomplete       exit 3
    └─ DiskFullError    no room for records or the cache     exit 3

A failed expectation of a scenario is a result, never an exception.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum

from msgspec import Struct


class ExitCode(IntEnum):
    """What ``lab`` tells the shell; never a count, so that it cannot wrap round to 0."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOTHING_SELECTED = 4
    BUG = 70
    INTERRUPTED = 130


class SourceRef(Struct, frozen=True, order=True):
    """A place in a file a person wrote; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class LabError(Exception):
    """One problem: what it is, where it is, and how to mend it."""

    exit_code = ExitCode.INCONCLUSIVE

    def __init__(self, code: str, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class Problem(Struct, frozen=True):
    """One thing wrong with a scenario file."""

    code: str
    what: str
    where: SourceRef
    fix: str = ""

    def __str__(self) -> str:
        return str(LabError(self.code, self.what, where=str(self.where), fix=self.fix))


class ScenarioError(LabError):
    """A scenario file that cannot be played, with all its problems in the order of the file."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.code, first.what, where=str(first.where), fix=first.fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n\n".join(str(problem) for problem in self.problems)


class DiskFullError(LabError):
    """What was to be written found no room, which is nobody's wrong use."""

    def __init__(self, error: OSError, where: str) -> None:
        what = f"the disk is full: {error.strerror}"
        super().__init__("disk-full", what, where=where, fix="make room there, or choose another folder")


def unless_full(error: OSError, otherwise: LabError) -> LabError:
    """What to tell where something could not be written."""
    return DiskFullError(error, otherwise.where) if is_full(error) else otherwise


def is_full(error: OSError) -> bool:
    """Whether a disk, or what this user may have of it, was used up."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


class SubmissionError(LabError):
    """A program does not build: that is its own failure, as a failed check is."""

    exit_code = ExitCode.FAILED


class UsageError(LabError):
    """The words of a command do not fit together or name nothing that exists."""

    exit_code = ExitCode.USAGE


class EngineError(LabError):
    """The container engine is absent, refuses, or takes too long."""


class EvidenceError(LabError):
    """A record, capture or sample cannot be read or is incomplete."""
