"""``results.json`` as Gradescope reads it, one file for each submission.

Gradescope has no word for what nobody can tell: such a test has no points and no status, and its text says
so. Lateness is Gradescope's: no penalty is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, TypedDict

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lab.checks.check import Check
from lab.core.escape import escape, one_line, unicode_json
from lab.grade.batch import Row
from lab.grade.feedback import as_text, check_lines
from lab.grade.points import WHOLE, Score, numbered, share_scores, shares, shown
from lab.grade.reading import Assigned, Played, check_names
from lab.grade.result import CaseResult, CheckSeen

FOLDER = "gradescope"

Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]


class _Parts(TypedDict, total=False):
    """Some keys of a test."""

    output: str
    output_format: Literal["text"]
    score: float
    max_score: float
    status: Literal["passed", "failed"]


class Test(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test, as Gradescope's documentation says."""

    name: str
    number: str
    output: str | UnsetType = UNSET
    output_format: Literal["text"] | UnsetType = UNSET
    score: float | UnsetType = UNSET
    max_score: float | UnsetType = UNSET
    status: Literal["passed", "failed"] | UnsetType = UNSET
    visibility: Visibility


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """``results.json``."""

    score: float
    output: str
    execution_time: float
    tests: list[Test]
    output_format: Literal["text"] = "text"
    visibility: Literal["visible"] = "visible"
    stdout_visibility: Literal["hidden"] = "hidden"


def results(row: Row, assigned: Assigned) -> str:
    """The text of ``results.json`` for one submission."""
    cases = {case.name: case for case in row.graded.cases} if row.graded else {}
    hidden = frozenset(one.name for one in assigned.played if one.is_hidden)
    tests = [
        test
        for number, one in enumerate(assigned.played, start=1)
        if one.name in cases
        for test in _of_case(number, one, cases[one.name], hidden)
    ]
    document = Document(_number(row.earned), escape("\n".join(_said(row))), row.seconds, tests)
    return unicode_json(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")


def _said(row: Row) -> Iterator[str]:
    """What stands above all tests. Reasons may name what is hidden."""
    yield from row.submission.remarks
    if row.status == "refused":
        yield f"It was not graded: {row.reasons[0]}"
    if row.open:
        yield "A person will look at this submission: not all of it could be graded."


def _of_case(number: int, one: Played, result: CaseResult, hidden: frozenset[str]) -> Iterator[Test]:
    """The tests of a scenario: one for the whole if its checks have no points, and one for each check."""
    parts = shares(one)
    scores = share_scores(one.case, parts, result) if result.runs else {}
    runs = [run for run in result.runs if run.checks]
    if WHOLE in parts or not runs:
        yield Test(
            name=one_line(one.name),
            number=str(number),
            visibility="hidden" if one.is_hidden else "visible",
            **(
                _text(_of_whole(result, hidden))
                | _outcome(scores.get(WHOLE) or _none(result, parts), one.case.worth)
            ),
        )
    if runs:
        places = _visibilities(one)
        columns = zip(*(run.checks for run in runs), strict=True)
        for place, (name, seen) in enumerate(zip(places, columns, strict=True), start=1):
            yield Test(
                name=f"{one_line(one.name)}: {one_line(seen[0].name)}",
                number=f"{number}.{place}",
                visibility=places[name],
                **(
                    _text(_of_check(seen))
                    | (_outcome(scores[name], parts[name]) if name in parts else _status(seen))
                ),
            )


def _none(result: CaseResult, parts: dict[str, Fraction]) -> Score:
    """What a scenario is worth of whose checks nothing is known: it was not built or played, or not yet."""
    is_open = any(run.outcome == "trouble" for run in result.runs)
    return Score(Fraction(0), sum(parts.values(), Fraction(0)) if is_open else Fraction(0))


def _visibilities(one: Played) -> dict[str, Visibility]:
    """Who may see each check, the script first, by the names that results have."""
    checks = [check for check in one.loaded.scenario.checks if isinstance(check, Check)]
    found: list[Visibility] = ["visible", *(check.visibility for check in checks)]
    names = numbered(check_names(one.loaded))
    return {name: "hidden" if one.is_hidden else own for name, own in zip(names, found, strict=True)}


def _of_whole(result: CaseResult, hidden: frozenset[str]) -> str:
    if result.blocked:
        needed = "another scenario" if result.blocked in hidden else result.blocked
        return f"It was not played, because {needed} did not pass."
    said = next((run.said for run in result.runs if run.outcome == "not-built"), "")
    if said:
        return f"It does not build:\n{said}"
    if any(run.outcome == "trouble" for run in result.runs):
        return "It could not be graded. That is no fault of yours."
    passed = sum(run.outcome == "passed" for run in result.runs)
    return f"It passed in {passed} of {len(result.runs)} runs." if len(result.runs) > 1 else ""


def _of_check(seen: Sequence[CheckSeen]) -> str:
    """What is told of a check: of the first run in which it did not pass."""
    worst = next((one for one in seen if one.outcome != "pass"), seen[0])
    told = as_text(list(check_lines(worst))[1:]).rstrip("\n")
    passed = sum(one.outcome == "pass" for one in seen)
    differs = f"It passed in {passed} of {len(seen)} runs.\n" if 0 < passed < len(seen) else ""
    return f"{differs}{told}"


def _text(text: str) -> _Parts:
    return {"output": escape(text), "output_format": "text"} if text else {}


def _outcome(score: Score, worth: Fraction) -> _Parts:
    """Points and status; without both if they are open."""
    if score.open:
        return {}
    passed = score.earned == worth
    return {
        "score": _number(score.earned),
        "max_score": _number(worth),
        "status": "passed" if passed else "failed",
    }


def _status(seen: Sequence[CheckSeen]) -> _Parts:
    outcomes = {one.outcome for one in seen}
    if "fail" in outcomes:
        return {"status": "failed"}
    return {"status": "passed"} if outcomes == {"pass"} else {}


def _number(points: Fraction) -> float:
    return float(shown(points))
