"""What students may see of a scenario and of an assignment: nothing that tells of anything hidden."""

from __future__ import annotations

from fractions import Fraction

from lab.checks.check import Check
from lab.checks.conversation import SUBJECT as CONVERSATION
from lab.grade.assignment import Case, Rule
from lab.grade.points import WHOLE, numbered, shares
from lab.grade.reading import Played
from lab.scenario import Scenario


def visible_part(scenario: Scenario) -> Scenario | None:
    """The scenario without hidden checks and the needs of these; None if all that it checks is hidden."""
    seen = [check for check in scenario.checks if check.visibility == "visible"]
    if scenario.checks and not seen:
        return None
    if len(seen) == len(scenario.checks):
        return scenario
    names = {check.name for check in seen} | {CONVERSATION}
    checks = (
        check.model_copy(update={"needs": tuple(name for name in check.needs if name in names)})
        for check in seen
    )
    return scenario.model_copy(update={"checks": tuple(checks)})


def visible_case(played: Played, file: str, published: frozenset[str]) -> Case:
    """The case of a scenario's visible part that lies in ``file``, and needs only what is ``published``.

    Its points are those of what is visible. So a visible check is worth the same with and without the others.
    """
    case = played.case
    checks = [check for check in played.loaded.scenario.checks if isinstance(check, Check)]
    seen = {check.name or check.title for check in checks if check.visibility == "visible"} | {CONVERSATION}
    worth = _visible_worth(played, checks)
    points: dict[str, object] = {"points": float(worth)}
    if case.rule.kind == "points":
        factor = float(worth / case.worth) if case.worth else 0.0
        points = {"points": None, "rule": Rule("points", float(worth), case.rule.some * factor)}
    return case.model_copy(
        update={
            "file": file,
            "needs": tuple(name for name in case.needs if name in published),
            "hints": {check: hint for check, hint in case.hints.items() if check in seen},
            **points,
        }
    )


def _visible_worth(played: Played, checks: list[Check]) -> Fraction:
    parts = shares(played)
    if WHOLE in parts:
        return parts[WHOLE]
    names = numbered([check.name or check.title for check in checks])
    seen = (name for name, check in zip(names, checks, strict=True) if check.visibility == "visible")
    return sum((parts.get(name, Fraction(0)) for name in seen), Fraction(0))
