"""What a process that grades is told, and what it answers."""

from __future__ import annotations

import json
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lab.grade.result import Graded


class Task(Struct, frozen=True):
    """A submission to grade, and the hash that it must have.

    With a ``client`` it is a pair of a matrix: the submission's server plays with that one's client.
    """

    student: str
    digest: str
    before: Graded | None = None
    client: str = ""
    client_digest: str = ""

    @property
    def id(self) -> str:
        """What tells it from any other task. No student has a ``/`` in the name: it is that of an entry."""
        return f"{self.student}/{self.client}" if self.client else self.student

    def after(self, before: Graded | None) -> Task:
        """The task where so much was found before."""
        return replace(self, before=before)


class Answer(Struct, frozen=True):
    """``say``: what goes on. ``done``: the result. ``changed``: it is not as it was.

    ``full``: there is no room on the disk, at ``text``. ``trouble``: the submission cannot be graded for a
    reason of the grader's own.
    """

    kind: Literal["say", "done", "full", "changed", "trouble"]
    text: str = ""
    graded: Graded | None = None


def encoded(message: Struct) -> bytes:
    """A message as a line."""
    return json.dumps(msgspec.to_builtins(message)).encode("ascii") + b"\n"
