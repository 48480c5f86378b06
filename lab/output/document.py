"""A verdict as JSON holds it, in the record and in what the commands answer: as text, and as ``data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from lab.evidence.verdict import Verdict
from lab.output.telling import Told, teller_of


def verdict_as_data(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict as JSON holds it, its keys always in this order."""
    teller = teller_of(verdict)
    return {
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "results": [_result_as_data(Told(result, teller)) for result in verdict.results],
        "disagreements": [teller.text(said) for said in verdict.disagreements],
        "data": {
            "origin": verdict.origin,
            "capture": verdict.capture,
            "disagreements": to_builtins(verdict.disagreements),
        },
    }


def _result_as_data(told: Told) -> Mapping[str, Any]:
    result = told.result
    return {
        "name": result.name,
        "subject": result.subject,
        "outcome": result.outcome.value,
        "expected": told.expected,
        "observed": told.observed,
        "evidence": list(told.evidence),
        "causes": list(told.causes),
        "programs": list(told.programs),
        "hint": result.hint,
        "points": result.points,
        "visibility": result.visibility,
        "differences": to_builtins(result.differences),
        "follows": result.follows,
        "data": {
            key: to_builtins(getattr(result, key))
            for key in ("expected", "observed", "evidence", "causes", "programs")
        },
    }
