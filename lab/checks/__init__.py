"""What must be true of a run: one file a subject in ``subjects``, each pure from Evidence to a CheckResult.

A check never passes or fails on incomplete evidence: it says ``doubt``, unless what was seen decides alone
(docs/checks.md argues it word by word).
"""

from __future__ import annotations

from lab.checks.check import Check
from lab.checks.finding import Finding, conclude
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import message
from lab.evidence.verdict import CheckResult
from lab.scenario.checks import CheckBase
from lab.scenario.variables import VariableError


def judge(spec: CheckBase, evidence: Evidence) -> CheckResult:
    """Judge one check. A text whose variable was never captured leaves nothing to judge."""
    assert isinstance(spec, Check)  # noqa: S101 - all of the family are
    try:
        return spec.judge(evidence)
    except VariableError as error:
        why = message("text", text=error.what)
        unknown = Finding(Outcome.INCONCLUSIVE, message("variables-have-values"), (why,), absent=True)
        return conclude(spec, [unknown])
