"""What ``results.json`` holds: format 1. Its schema is ``scenarios/results.schema.json``."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lab.core.assets import address_of
from lab.grade.batch import Status
from lab.grade.result import RunOutcome
from lab.scenario.schema import DIALECT


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a check; ``shown`` says whether students may see it."""

    name: str
    outcome: Literal["pass", "fail", "inconclusive", "skipped"]
    points: int
    shown: bool
    expected: str
    observed: str
    causes: list[str]
    hint: str
    follows: str


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """One run of a scenario.

    ``record`` is a folder beside this file, ``said`` are the compiler's words, or what the trouble is.
    """

    outcome: RunOutcome
    said: str
    record: str
    checks: list[Check]


class Advice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a sanitizer told of a C or C++ program, and the place in its source."""

    what: str
    place: str


class OfScenario(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one scenario; ``blocked`` names one that it needs and that did not pass."""

    name: str
    points: float
    open: float
    blocked: str
    advice: list[Advice]
    runs: list[Run]


class Student(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one student; ``points`` is null where a human has to tell them."""

    student: str
    id: str
    submission: str
    folder: str
    digest: str
    status: Status
    points: float | None
    open: float
    penalty: float
    late: str
    reasons: list[str]
    remarks: list[str]
    scenarios: list[OfScenario]


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario of the assignment."""

    name: str
    points: float
    hidden: bool


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The results of a class; ``equal`` are groups of submissions that are the same."""

    format: Literal[1]
    title: str
    maximum: float
    scenarios: list[Scenario]
    students: list[Student]
    equal: list[list[str]]


def schema_text(kind: type[Struct] = Document, name: str = "results") -> str:
    """The schema (draft 2020-12) of a document as the file of that name holds it."""
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": address_of(name),
        **msgspec.json.schema(kind),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
