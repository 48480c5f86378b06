"""What is said of a run whose programs do not build: that is a result, and there is no other."""

from __future__ import annotations

from lab.checks.conversation import SUBJECT
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.evidence.verdict import CheckResult

_LINES = 40
"""Lines of a compiler's words that are told; the record has more."""


def judge(evidence: Evidence) -> CheckResult:
    """The script, of which no step was played, with the compiler's words."""
    said = tuple(map(_shortened, dict.fromkeys(evidence.info.not_built.values())))
    expected, observed = message("programs-built"), reason(evidence)
    return CheckResult(SUBJECT, SUBJECT, Outcome.FAIL, (expected,), (observed,), programs=said)


def reason(evidence: Evidence) -> Message:
    """Why no check can be judged."""
    return message("nothing-built", programs=tuple(evidence.info.not_built))


def _shortened(said: str) -> Message:
    lines = said.split("\n")
    return message("said-by-build", said="\n".join(lines[:_LINES]), more=max(0, len(lines) - _LINES))
