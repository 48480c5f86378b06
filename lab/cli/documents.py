"""The JSON documents that commands print: format 1. Their schema is ``scenarios/output.schema.json``.

A document has a class, so that mypy sees what is in it; docs/json.md says what each key means. To change
what a key means, or to take one away, is another format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from msgspec.structs import asdict

from lab.core.assets import address_of
from lab.core.errors import LabError, ScenarioError
from lab.deploy.doctor import Health
from lab.deploy.labs import LabStatus
from lab.engine.images import State
from lab.output.document import Points, VerdictDocument

FORMAT = 1


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag=FORMAT):
    """What every document has: its format, and the exit code of the command."""

    exit: int


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a document."""


class ProblemDocument(_Part, frozen=True, kw_only=True):
    """A mistake in a scenario or assignment file, and its place."""

    code: str
    what: str
    file: str
    line: int
    column: int
    fix: str


class ErrorDocument(_Part, frozen=True, kw_only=True):
    """What went wrong, where, and how to mend it; ``problems`` are those of a file."""

    code: str
    what: str
    where: str
    fix: str
    problems: Sequence[ProblemDocument] | UnsetType = UNSET

    @classmethod
    def of(cls, error: LabError) -> ErrorDocument:
        """The error as JSON holds it."""
        problems: Sequence[ProblemDocument] | UnsetType = UNSET
        if isinstance(error, ScenarioError):
            problems = [
                ProblemDocument(code=one.code, what=one.what, fix=one.fix, **asdict(one.where))
                for one in error.problems
            ]
        return cls(code=error.code, what=error.what, where=error.where, fix=error.fix, problems=problems)


class Failure(Document, frozen=True, kw_only=True):
    """Any command that could not do what it was asked."""

    error: ErrorDocument


class RunDocument(_Part, frozen=True, kw_only=True):
    """What became of a scenario file: a verdict, or the ``error`` for which there is none."""

    file: str
    run: str | UnsetType = UNSET
    record: str | UnsetType = UNSET
    up: bool | UnsetType = UNSET
    verdict: VerdictDocument | UnsetType = UNSET
    error: ErrorDocument | UnsetType = UNSET
    cleanup: ErrorDocument | UnsetType = UNSET
    points: Points
    exit: int


class Runs(Document, frozen=True, kw_only=True):
    """``lab run`` and ``lab up``."""

    points: Points
    runs: Sequence[RunDocument]


class RecordDocument(_Part, frozen=True, kw_only=True):
    """What became of a saved run: a verdict, or the ``error`` for which there is none."""

    record: str
    as_recorded: bool | UnsetType = UNSET
    verdict: VerdictDocument | UnsetType = UNSET
    error: ErrorDocument | UnsetType = UNSET
    points: Points
    exit: int


class Checked(Document, frozen=True, kw_only=True):
    """``lab check``."""

    points: Points
    records: Sequence[RecordDocument]


def sum_of(points: Sequence[Points]) -> Points:
    """The points of several runs."""
    maxima = [one.maximum for one in points if one.maximum is not None]
    return Points(sum(one.total for one in points), sum(maxima) if len(maxima) == len(points) else None)


class HostDocument(_Part, frozen=True, kw_only=True):
    """A host of a lab that is up."""

    host: str
    addresses: str
    state: str
    container: str


class LabDocument(_Part, frozen=True, kw_only=True):
    """A lab that is up; ``created`` and ``expires`` are seconds since 1970."""

    run: str
    scenario: str
    file: str
    folder: str
    created: int
    standing: LabStatus
    expires: int
    hosts: Sequence[HostDocument]


class Labs(Document, frozen=True, kw_only=True):
    """``lab ps``."""

    labs: Sequence[LabDocument]


class RemovedLab(_Part, frozen=True, kw_only=True):
    """A lab that was removed, with its containers' ids."""

    run: str
    scenario: str
    standing: LabStatus
    containers: Sequence[str]


class Removed(Document, frozen=True, kw_only=True):
    """``lab down`` and ``lab wipe``."""

    removed: Sequence[RemovedLab]


class Exported(Document, frozen=True, kw_only=True):
    """``lab wireshark``; ``unsound`` says what of the captures cannot be read."""

    file: str
    frames: int
    unsound: Sequence[str]


class FileDocument(_Part, frozen=True, kw_only=True):
    """What is known of a scenario or assignment file."""

    file: str
    valid: bool
    error: ErrorDocument | UnsetType = UNSET
    chosen: Sequence[str] | UnsetType = UNSET
    scenario: Mapping[str, Any] | UnsetType = UNSET
    assignment: Mapping[str, Any] | UnsetType = UNSET
    scenarios: int | UnsetType = UNSET
    points: float | UnsetType = UNSET


class Validated(Document, frozen=True, kw_only=True):
    """``lab validate``."""

    files: Sequence[FileDocument]


class ExampleDocument(_Part, frozen=True, kw_only=True):
    """A scenario or an assignment that comes with the lab."""

    name: str
    title: str
    description: str


class Examples(Document, frozen=True, kw_only=True):
    """``lab examples``."""

    examples: Sequence[ExampleDocument]
    assignments: Sequence[ExampleDocument]


class Created(Document, frozen=True, kw_only=True):
    """``lab init``: the files, and the one to begin with."""

    files: Sequence[str]
    scenario: str | UnsetType = UNSET
    assignment: str | UnsetType = UNSET


class ImageDocument(_Part, frozen=True, kw_only=True):
    """An image of the lab's own; ``size`` is in bytes."""

    name: str
    state: State
    id: str | None
    size: int | None


class Images(Document, frozen=True, kw_only=True):
    """``lab images build`` and ``lab images list``."""

    images: Sequence[ImageDocument]


class FindingDocument(_Part, frozen=True, kw_only=True):
    """One thing that `lab doctor` looked at."""

    subject: str
    health: Health
    seen: str
    fix: str


class Examined(Document, frozen=True, kw_only=True):
    """``lab doctor``."""

    healthy: bool
    findings: Sequence[FindingDocument]


class SheetDocument(_Part, frozen=True, kw_only=True):
    """A sheet of Moodle or Canvas that was filled in: the file in ``out``, and how many points it has.

    Then the students without points yet, those of the sheet without a submission, and those who are not in
    the sheet. ``warning`` says that the sheet has another maximum.
    """

    file: str
    filled: int
    no_points: Sequence[str]
    no_submission: Sequence[str]
    no_line: Sequence[str]
    warning: str


class Graded(Document, frozen=True, kw_only=True):
    """``lab grade``; ``results`` is what the file ``results.json`` in the folder ``out`` holds."""

    out: str
    results: Annotated[Mapping[str, Any], Meta(extra_json_schema={"$ref": address_of("results")})]
    sheets: Sequence[SheetDocument]


class SelfChecked(Document, frozen=True, kw_only=True):
    """``lab selfcheck``; ``results`` are those of a class with one student."""

    results: Annotated[Mapping[str, Any], Meta(extra_json_schema={"$ref": address_of("results")})]


class MatrixPlayed(Document, frozen=True, kw_only=True):
    """``lab matrix``; ``matrix`` is what the file ``matrix.json`` in the folder ``out`` holds."""

    out: str
    matrix: Annotated[Mapping[str, Any], Meta(extra_json_schema={"$ref": address_of("matrix")})]


class HiddenDocument(_Part, frozen=True, kw_only=True):
    """Scenarios that students do not get, and how many checks of the others."""

    scenarios: Sequence[str]
    checks: int


class LeftOut(_Part, frozen=True, kw_only=True):
    """A visible scenario that students do not get either, and why."""

    name: str
    why: str


class Published(Document, frozen=True, kw_only=True):
    """``lab publish``."""

    folder: str
    files: Sequence[str]
    scenarios: Sequence[str]
    hidden: HiddenDocument
    left_out: Sequence[LeftOut]


class Bundled(Document, frozen=True, kw_only=True):
    """``lab bundle``."""

    file: str
    files: Sequence[str]


class Planned(_Part, frozen=True, kw_only=True):
    """What would be done with a submission."""

    student: str
    submission: str
    plan: str


class Plan(Document, frozen=True, kw_only=True):
    """``lab grade --dry-run``."""

    plan: Sequence[Planned]


def event_line(event: Mapping[str, Any]) -> str:
    """A line of ``lab logs``, of an event as the record holds it."""
    return json.dumps({"format": FORMAT, **event})


def as_text(document: Document) -> str:
    """The document as it is printed."""
    return json.dumps(to_builtins(document), indent=2)
