"""A verdict as JSON holds it, in the record and in what the commands answer."""

from __future__ import annotations

from collections.abc import Mapping

from lab.evidence.verdict import CheckResult, Verdict


def verdict_as_data(verdict: Verdict) -> Mapping[str, object]:
    """The verdict as JSON holds it, its keys always in this order."""
    return {
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "results": [_result_as_data(result) for result in verdict.results],
        "disagreements": list(verdict.disagreements),
    }


def _result_as_data(result: CheckResult) -> Mapping[str, object]:
    return {
        "name": result.name,
        "subject": result.subject,
        "outcome": result.outcome.value,
        "expected": result.expected,
        "observed": result.observed,
        "evidence": list(result.evidence),
        "causes": list(result.causes),
        "programs": list(result.programs),
        "hint": result.hint,
        "points": result.points,
        "visibility": result.visibility,
        "differences": [
            {"expected": difference.expected, "observed": difference.observed}
            for difference in result.differences
        ],
        "follows": result.follows,
    }
