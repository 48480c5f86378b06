"""What a student may see of a failed check besides its sentences: nearest texts, programs, unread output."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checks.conversation import SUBJECT as CONVERSATION
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.grade.result import Detail
from lab.output.describe import Told
from lab.output.difference import side_by_side

_MOST_LINES = 12
_LONGEST_LINE = 200
_NEAREST = 3


def details(told: Told, evidence: Evidence) -> tuple[Detail, ...]:
    """All there is of a check; nothing of one that passed or was skipped."""
    if told.result.outcome in (Outcome.PASS, Outcome.SKIPPED):
        return ()
    return tuple(Detail(label, _bounded(text)) for label, text in _found(told, evidence) if text.strip())


def _found(told: Told, evidence: Evidence) -> Iterator[tuple[str, str]]:
    for difference in told.result.differences[:_NEAREST]:
        lines = (f"{label:<10}{text}" for label, text in side_by_side(difference))
        yield "the nearest text that was there", "\n".join(lines)
    step = evidence.transcript.failed
    if told.result.subject == CONVERSATION and step is not None:
        yield "came and was not expected", step.rest.replace("\r\n", "\n").strip("\n")
    yield "programs", "\n".join(told.programs)


def _bounded(text: str) -> str:
    """The last lines, long ones cut: a program may print without end."""
    lines = text.split("\n")
    left = [f"... {len(lines) - _MOST_LINES} lines before"] if len(lines) > _MOST_LINES else []
    cut = (
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …" for line in lines[-_MOST_LINES:]
    )
    return "\n".join([*left, *cut])
