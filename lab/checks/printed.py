"""What a program has printed last, and the exception in it that nobody handled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from lab.evidence.evidence import Evidence
from lab.evidence.transcript import ProgramRun

_LAST_LINES, _LAST_LINE = 6, 300
"""Of an output, the last lines that are shown, and the characters of each."""

_TRACEBACK, _TRACED = 80, "Traceback (most recent call last)"
"""Of an output, the last lines among which an exception is looked for, and how Python begins one."""

_PIECES = 200
"""Of an output, the last that are looked at for its last lines."""

_SOON = 1_000_000_000
"""ns after a program's end within which its last output is heard."""

_NEVER = 2**63


def has_printed(evidence: Evidence, run: ProgramRun, until: int) -> bool:
    """Whether a run has printed anything until then."""
    outputs = evidence.outputs.get((run.started.host, run.started.program), ())
    first = bisect_left(outputs, run.started.at, key=lambda event: event.at)
    return first < len(outputs) and outputs[first].at <= until


def printed_by(evidence: Evidence, run: ProgramRun, until: int = _NEVER) -> str:
    """The end of what a run has printed, at all or until a time (ns)."""
    outputs = evidence.outputs.get((run.started.host, run.started.program), ())
    until = min(until, run.exited.at + _SOON if run.exited else evidence.info.ended)
    first = bisect_left(outputs, run.started.at, key=lambda event: event.at)
    last = bisect_right(outputs, until, key=lambda event: event.at)
    return "".join(event.text for event in outputs[max(first, last - _PIECES) : last])


def last_lines(text: str, most: int = _LAST_LINES) -> list[str]:
    """The last lines of an output, without the empty ones around them."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n") if text.strip() else []
    return [line[:_LAST_LINE] for line in lines[-most:]]


def last_words(evidence: Evidence, run: ProgramRun) -> tuple[str, bool]:
    """The last line that a run has printed, and whether it is that of an exception that nobody handled."""
    return last_exception(printed_by(evidence, run))


def last_exception(text: str) -> tuple[str, bool]:
    """The last exception of an output that nobody handled and True, or its last line and False."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_TRACEBACK:]
    if not lines:
        return "", False
    thrown = [line for line in lines if line.lstrip().startswith(("terminate called", "what():"))]
    java = [line for line in lines if line.startswith('Exception in thread "')]
    words = " ".join(line.strip() for line in thrown) or (java[-1] if java else "") or _raised(lines)
    return (words or lines[-1].strip())[:_LAST_LINE], bool(words)


def _raised(lines: Sequence[str]) -> str:
    """The line below Python's last traceback that names the exception: the first that is not indented."""
    start = max((number for number, line in enumerate(lines) if _TRACED in line), default=len(lines))
    below = (line for line in lines[start + 1 :] if not line.startswith((" ", "\t")))
    return next(below, "")
