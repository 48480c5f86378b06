"""Points, exactly: what several runs of a scenario and its checks are worth, and what lateness takes away."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from lab.checks.check import Check
from lab.grade.assignment import Case, Late, Rule
from lab.grade.reading import Played
from lab.grade.result import CaseResult, Graded, RunResult

Fate = Literal["pass", "fail", "open"]

WHOLE = ""
"""The one share of a scenario whose checks have no points: the whole of it."""


class Score(Struct, frozen=True):
    """Points of a scenario: those that are sure, and those that nobody can tell yet."""

    earned: Fraction
    open: Fraction = Fraction(0)


class Flaky(Struct, frozen=True):
    """A check that passed in some runs only."""

    name: str
    passed: int
    runs: int


def shares(played: Played) -> dict[str, Fraction]:
    """How the points of a scenario are shared out among its checks."""
    names = numbered([(one.name or one.title) for one in _checks(played)])
    points = {name: one.points for name, one in zip(names, _checks(played), strict=True) if one.points}
    total = sum(points.values())
    if not total:
        return {WHOLE: played.case.worth}
    return {name: played.case.worth * Fraction(one, total) for name, one in points.items()}


def _checks(played: Played) -> list[Check]:
    return [one for one in played.loaded.scenario.checks if isinstance(one, Check)]


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that are there already with a number: ``output of a``, ``output of a (2)``."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def score(case: Case, parts: dict[str, Fraction], result: CaseResult, *, open_needs: bool = False) -> Score:
    """The points of a scenario.

    One that was not played earns nothing; if it is open whether what it needs passed, so are its points.
    """
    if not result.runs:
        return Score(Fraction(0), sum(parts.values(), Fraction(0)) if open_needs else Fraction(0))
    own = share_scores(case, parts, result)
    earned = sum((one.earned for one in own.values()), Fraction(0))
    if case.rule.kind == "best":
        possible = max(sum(_if(fate, parts, "pass", "open")) for fate in _fates(parts, result))
        return Score(earned, Fraction(possible) - earned)
    return Score(earned, sum((one.open for one in own.values()), Fraction(0)))


def share_scores(case: Case, parts: dict[str, Fraction], result: CaseResult) -> dict[str, Score]:
    """The points of each share of a scenario that was played; if the best run counts, those of that run."""
    fates = _fates(parts, result)
    if case.rule.kind == "best":
        fates = [max(fates, key=lambda fate: sum(_if(fate, parts, "pass")))]
    found = {}
    for name, worth in parts.items():
        factor = _factor(case.rule, [fate[name] for fate in fates])
        found[name] = Score(Fraction(0), worth) if factor is None else Score(worth * factor)
    return found


def _fates(parts: dict[str, Fraction], result: CaseResult) -> list[dict[str, Fate]]:
    return [{name: _fate(run, name) for name in parts} for run in result.runs]


def _if(fates: dict[str, Fate], parts: dict[str, Fraction], *wanted: Fate) -> list[Fraction]:
    return [worth for name, worth in parts.items() if fates[name] in wanted]


def _factor(rule: Rule, fates: Sequence[Fate]) -> Fraction | None:
    """How much of a share several runs earn; None if that is open."""
    found = set(fates)
    if rule.kind == "points" and rule.every:
        some = Fraction(str(rule.some)) / Fraction(str(rule.every))
        if {"pass", "fail"} <= found:
            return some
    elif "fail" in found:
        return Fraction(0)
    if "open" in found:
        return None
    return Fraction(int(found == {"pass"}))


def _fate(run: RunResult, name: str) -> Fate:
    if run.outcome == "not-built":
        return "fail"
    if run.outcome == "trouble":
        return "open"
    if name == WHOLE:
        return {"passed": "pass", "failed": "fail"}.get(run.outcome, "open")  # type: ignore[return-value]
    names = numbered([one.name for one in run.checks])
    outcome = next((one.outcome for own, one in zip(names, run.checks, strict=True) if own == name), "fail")
    unsure = any(one.outcome == "inconclusive" for one in run.checks)
    if outcome == "inconclusive" or (outcome == "skipped" and unsure):
        return "open"
    return "pass" if outcome == "pass" else "fail"


def scores(played: Sequence[Played], graded: Graded) -> dict[str, Score]:
    """The points of each scenario by its name."""
    results = {one.name: one for one in graded.cases}
    unsure = {one.name for one in graded.cases if one.undecided}
    for one in graded.cases:  # in the order they were played: what is needed comes first
        if one.blocked in unsure:
            unsure.add(one.name)
    found = {}
    for own in played:
        result = results.get(own.name, CaseResult(own.name))
        found[own.name] = score(own.case, shares(own), result, open_needs=result.blocked in unsure)
    return found


def flaky(result: CaseResult, *, shown_only: bool = False) -> list[Flaky]:
    """The checks that passed in some runs and failed in others, or those of them that students may see.

    None where an adversary played: its runs are not the same.
    """
    if any(run.variant for run in result.runs):
        return []
    seen: dict[str, Counter[str]] = {}
    for run in result.runs:
        checks = [one for one in run.checks if one.shown or not shown_only]
        for name, one in zip(numbered([one.name for one in checks]), checks, strict=True):
            seen.setdefault(name, Counter())[one.outcome] += 1
    return [
        Flaky(name, counts["pass"], counts.total())
        for name, counts in seen.items()
        if counts["pass"] and counts["fail"]
    ]


def penalty(late: Late | None, handed_in: datetime | None, maximum: Fraction) -> Fraction:
    """The points that lateness takes away; none if it is not known when it was handed in."""
    if late is None or handed_in is None:
        return Fraction(0)
    over = (handed_in - late.deadline).total_seconds() - late.grace
    if over <= 0:
        return Fraction(0)
    periods = math.ceil(over / late.per) if late.per else 1
    percent = min(Fraction(str(late.penalty)) * periods, Fraction(str(late.most)))
    return maximum * percent / 100


def worded(points: Fraction) -> str:
    """``1 point``, ``2.5 points``."""
    number = shown(points)
    return f"{number} point{'' if number == '1' else 's'}"


def shown(points: Fraction) -> str:
    """Points as people write them: two decimals at most, halves rounded up."""
    cents = math.floor(points * 100 + Fraction(1, 2))
    return f"{cents / 100:.2f}".rstrip("0").rstrip(".")
