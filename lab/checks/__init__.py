"""What must be true of a run: one file a subject in ``subjects``, each pure from Evidence to a CheckResult.

A check never passes or fails on incomplete evidence: it says ``doubt``, unless what was seen decides alone
(docs/checks.md argues it word by word).
"""

from __future__ import annotations

from collections.abc import Collection

from lab.checks.check import Check
from lab.checks.conversation import SUBJECT
from lab.checks.finding import Finding, conclude
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.checks import CheckBase
from lab.scenario.variables import VariableError


def names_of(scenario: Scenario) -> list[str]:
    """What the checks of a scenario are called, the conversation first."""
    return [SUBJECT, *(spec.name or spec.title for spec in scenario.checks if isinstance(spec, Check))]


def worth(scenario: Scenario, only: Collection[str]) -> int:
    """The points of the checks that ``only`` names, of all of them where it names none."""
    specs = [spec for spec in scenario.checks if isinstance(spec, Check)]
    return sum(spec.points for spec in specs if not only or (spec.name or spec.title) in only)


def judge(spec: CheckBase, evidence: Evidence) -> CheckResult:
    """Judge one check. A text whose variable was never captured leaves nothing to judge."""
    assert isinstance(spec, Check)  # noqa: S101 - all of the family are
    try:
        return spec.judge(evidence)
    except VariableError as error:
        why = message("text", text=error.what)
        unknown = Finding(Outcome.INCONCLUSIVE, message("variables-have-values"), (why,), absent=True)
        return conclude(spec, [unknown])
