"""What must be true of a run: one file a subject, each pure from Evidence to a CheckResult.

A judge never passes or fails on incomplete evidence: it says ``doubt``, unless what was seen decides alone
(docs/checks.md argues it word by word).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.checks import close_wait, connection, connections, exit, listener, output, process, state  # noqa: A004
from lab.checks.finding import Finding, conclude
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.verdict import CheckResult
from lab.scenario.checks import CheckBase
from lab.scenario.variables import VariableError

JUDGES: Mapping[str, Callable[[Any, Evidence], CheckResult]] = {
    "connection": connection.judge,
    "connections": connections.judge,
    "close_wait": close_wait.judge,
    "listener": listener.judge,
    "state": state.judge,
    "process": process.judge,
    "output": output.judge,
    "exit": exit.judge,
}
"""subject -> who judges it"""


def judge(spec: CheckBase, evidence: Evidence) -> CheckResult:
    """Judge one check. A text whose variable was never captured leaves nothing to judge."""
    try:
        return JUDGES[spec.subject](spec, evidence)
    except VariableError as error:
        unknown = Finding(
            Outcome.INCONCLUSIVE, "a text whose variables have values", (error.what,), absent=True
        )
        return conclude(spec, spec.subject, [unknown])
