"""Points: shares of checks, rules of several runs, lateness. All exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from msgspec.structs import replace

from lab.grade.assignment import Case, Late, Rule, parse_moment, parse_rule
from lab.grade.points import WHOLE, Score, flaky, penalty, score, shown
from lab.grade.result import CaseResult, CheckSeen, RunOutcome, RunResult

ALL, BEST, SOME = Rule(), Rule("best"), Rule("points", 10.0, 7.0)
TEN = {WHOLE: Fraction(10)}
OUTCOMES: dict[str, RunOutcome] = {
    "p": "passed", "f": "failed", "b": "not-built", "i": "inconclusive", "t": "trouble",
}  # fmt: skip


def played(runs: str) -> CaseResult:
    return CaseResult("one", tuple(RunResult(OUTCOMES[run]) for run in runs))


@pytest.mark.parametrize(
    ("rule", "runs", "earned", "still"),
    [
        (ALL, "p", 10, 0),
        (ALL, "ppf", 0, 0),
        (ALL, "ppi", 0, 10),
        (ALL, "pfi", 0, 0),
        (ALL, "t", 0, 10),
        (ALL, "b", 0, 0),
        (BEST, "fpf", 10, 0),
        (BEST, "ff", 0, 0),
        (BEST, "fi", 0, 10),
        (BEST, "pt", 10, 0),
        (SOME, "ppp", 10, 0),
        (SOME, "pff", 7, 0),
        (SOME, "pfi", 7, 0),
        (SOME, "ppi", 0, 10),
        (SOME, "fi", 0, 10),
        (SOME, "ff", 0, 0),
    ],
)
def test_rules(rule: Rule, runs: str, earned: int, still: int) -> None:
    case = Case(file="one.yaml", points=10.0, rule=rule, runs=len(runs))
    assert score(case, TEN, played(runs)) == Score(Fraction(earned), Fraction(still))


def seen(**outcomes: str) -> RunResult:
    checks = tuple(CheckSeen(name, outcome, points=1) for name, outcome in outcomes.items())
    return RunResult("failed" if "fail" in outcomes.values() else "passed", checks)


def test_shares_are_exact_and_what_is_open_stays_open() -> None:
    parts = dict.fromkeys("abc", Fraction(10, 3))
    case = Case(file="one.yaml", points=10.0)
    one = CaseResult("one", (seen(a="pass", b="fail", c="pass"),))
    assert score(case, parts, one) == Score(Fraction(20, 3))
    doubt = CaseResult("one", (seen(a="pass", b="fail", c="inconclusive"),))
    assert score(case, parts, doubt) == Score(Fraction(10, 3), Fraction(10, 3))
    # What was skipped for want of something that is in doubt is in doubt, too.
    skipped = CaseResult("one", (seen(a="inconclusive", b="skipped", c="pass"),))
    assert score(case, parts, skipped) == Score(Fraction(10, 3), Fraction(20, 3))
    both = CaseResult("one", (seen(a="pass", b="pass", c="fail"), seen(a="pass", b="fail", c="pass")))
    assert score(case, parts, both) == Score(Fraction(10, 3))
    assert score(Case(file="x", points=10.0, rule=SOME), parts, both).earned == Fraction(10, 3) * (
        1 + Fraction(14, 10)
    )
    assert [(one.name, one.passed, one.runs) for one in flaky(both)] == [("b", 1, 2), ("c", 1, 2)]
    assert flaky(replace(both, runs=(both.runs[0], replace(both.runs[1], variant="join: at once")))) == []


def test_what_was_not_played_earns_nothing_unless_its_need_is_open() -> None:
    case, blocked = Case(file="one.yaml", points=10.0), CaseResult("one", blocked="other")
    assert score(case, TEN, blocked) == Score(Fraction(0))
    assert score(case, TEN, blocked, open_needs=True) == Score(Fraction(0), Fraction(10))


@pytest.mark.parametrize(
    ("late_by", "taken"),
    [
        (timedelta(), 0),
        (timedelta(minutes=10), 0),
        (timedelta(minutes=10, seconds=1), 1),
        (timedelta(hours=24, minutes=10), 1),
        (timedelta(hours=24, minutes=11), 2),
        (timedelta(days=300), 5),
    ],
)
def test_lateness(late_by: timedelta, taken: int) -> None:
    deadline = parse_moment("2026-12-01 23:59 Europe/Berlin")
    assert deadline == datetime(2026, 12, 1, 22, 59, tzinfo=UTC)
    late = Late.model_validate({"deadline": deadline, "grace": "10m", "penalty": 10.0, "most": 50.0})
    assert penalty(late, deadline + late_by, Fraction(10)) == taken
    assert penalty(late, None, Fraction(10)) == penalty(None, deadline, Fraction(10)) == 0


def test_points_are_shown_with_two_decimals() -> None:
    shares = (Fraction(20, 3), Fraction(10), Fraction(1, 200), Fraction(5, 2), Fraction(0))
    assert [shown(one) for one in shares] == ["6.67", "10", "0.01", "2.5", "0"]


@pytest.mark.parametrize(
    "value",
    ["most", {"all": 10}, {"all": 3, "some": 4}, {"all": True, "some": 0}, 3, {"all": -1, "some": -2}],
)
def test_rules_that_are_none(value: object) -> None:
    with pytest.raises(ValueError, match="all"):
        parse_rule(value)


@pytest.mark.parametrize(
    "text",
    ["2026-12-01", "2026-12-01 23:59", "2026-13-01 23:59 UTC", "2026-12-01 23:59 Europe/Nowhere", "", "../x"],
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_moment(text)


@pytest.mark.parametrize(("script", "undecided"), [("inconclusive", True), ("fail", False)])
def test_what_was_skipped_is_open_where_nobody_knows_of_the_script(script: str, undecided: bool) -> None:
    checks = CheckSeen("conversation", script), CheckSeen("a", "skipped", 3), CheckSeen("b", "fail", 2)
    run = RunResult("failed", checks)
    assert run.undecided is undecided
