"""A verdict as JSON holds it, in the record and in what the commands answer: as text, and as ``data``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from lab.core.words import Outcome
from lab.evidence.message import Message, Proof
from lab.evidence.verdict import CheckResult, Difference, Verdict
from lab.output.describe import Told, teller_of


class Points(Struct, frozen=True, forbid_unknown_fields=True):
    """Those of the checks that passed, and those of all; ``maximum`` is null where the checks are unknown."""

    total: int
    maximum: int | None


class ResultData(Struct, frozen=True, forbid_unknown_fields=True):
    """What a result says, for programs."""

    expected: Sequence[Message]
    observed: Sequence[Message]
    evidence: Sequence[Proof]
    causes: Sequence[Message]
    programs: Sequence[Message]


class ResultDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a check, and why; ``data`` says the sentences for programs."""

    name: str
    subject: str
    outcome: Outcome
    expected: str
    observed: str
    evidence: Sequence[str]
    causes: Sequence[str]
    programs: Sequence[str]
    hint: str
    points: int
    visibility: str
    differences: Sequence[Difference]
    follows: str
    data: ResultData


class VerdictData(Struct, frozen=True, forbid_unknown_fields=True):
    """What a verdict says, for programs; ``origin`` (ns) is what sentences tell times from."""

    origin: int
    capture: str
    disagreements: Sequence[Message]


class VerdictDocument(Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag=1):
    """All checks of a run: ``verdict.json`` of its record."""

    scenario: str
    outcome: Outcome
    results: Sequence[ResultDocument]
    disagreements: Sequence[str]
    data: VerdictData


def verdict_as_data(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict as JSON holds it, its keys always in this order."""
    data: Mapping[str, Any] = to_builtins(verdict_document(verdict))
    return data


def verdict_document(verdict: Verdict) -> VerdictDocument:
    """The verdict with its sentences."""
    teller = teller_of(verdict)
    return VerdictDocument(
        scenario=verdict.scenario,
        outcome=verdict.outcome,
        results=[_result(Told(result, teller)) for result in verdict.results],
        disagreements=[teller.text(said) for said in verdict.disagreements],
        data=VerdictData(verdict.origin, verdict.capture, verdict.disagreements),
    )


def points_of(results: Iterable[CheckResult]) -> Points:
    """The points of these checks."""
    each = [(one.points, one.outcome is Outcome.PASS) for one in results]
    return Points(sum(points for points, passed in each if passed), sum(points for points, _ in each))


def _result(told: Told) -> ResultDocument:
    result = told.result
    return ResultDocument(
        name=result.name,
        subject=result.subject,
        outcome=result.outcome,
        expected=told.expected,
        observed=told.observed,
        evidence=told.evidence,
        causes=told.causes,
        programs=told.programs,
        hint=result.hint,
        points=result.points,
        visibility=result.visibility,
        differences=result.differences,
        follows=result.follows,
        data=ResultData(result.expected, result.observed, result.evidence, result.causes, result.programs),
    )
