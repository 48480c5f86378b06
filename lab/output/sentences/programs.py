"""What programs printed, how they ended, and what they did and held."""

from __future__ import annotations

from lab.core.quote import quoted
from lab.output.describe import Teller, counted

_HELD = {
    "zombies": ("zombie", "zombies"),
    "children": ("running child", "running children"),
    "descriptors": ("open descriptor", "open descriptors"),
}


def _held(number: int | str, what: str) -> str:
    one, many = _HELD[what]
    return f"{number} {one if str(number) == '1' else many}"


def _lines_seen(_: Teller, number: int, line: str, within: str) -> str:
    part = f"; the line {quoted(within)} contains it" if within else ""
    return f"{counted(number, 'line')} {quoted(line)}{part}"


def _printed_last(_: Teller, program: str, lines: tuple[str, ...]) -> str:
    shown = "\n".join(f"  | {line}" for line in lines)
    return f"{program} printed last:\n{shown}" if lines else f"{program} printed nothing"


SENTENCES = {
    # its output
    "nothing-printed": "nothing was printed",
    "output-cut": "only the first {limit} characters of the output were kept",
    "line-times": lambda _, line, times: (
        f"the line {quoted(line)} {'once' if times == '1' else f'{times} times'}"
    ),
    "lines-seen": _lines_seen,
    "output-contains": lambda _, texts: f"the output contains {', then '.join(map(quoted, texts))}",
    "contains": lambda _, number: f"it contains {'them in this order' if number > 1 else 'it'}",
    "text-not-there": "{text:quoted} is not there[ after {before:quoted}]",
    "cr-lf-is-lf": "CR LF (\\r\\n) in the output is read as LF (\\n)",
    "output-lacks": "the output lacks {text:quoted}",
    "in-line": "it is in the line {line:quoted}",
    "printed": "{program} printed {text:quoted}",
    "number-is": "it is {text}",
    "no-number": "{text:quoted} is no number",
    "number-at-least": "a number of at least {min}",
    "number-at-most": "a number of at most {max}",
    "number-near": "a number within {within} of {near}",
    # its end
    "program-never-started": "{whose} was never started",
    "no-program-started": "no program of {whose} was started",
    "was-started": "{program} was started at {time:when} by step {step}",
    "has-ended": "{program} ended at {time:when}",
    "was-still-running": "{program} was still running",
    "ended-so": "{program}: {status:status}",
    "still-running": "still running",
    "exit-status": "exit status {status}",
    "killed-by": "killed by {signal}",
    "printed-last": _printed_last,
    # what it did and held
    "program-to-look-at": "a program to look at",
    "runs": "{program} runs",
    "never-looked-at": "it was never looked at while it ran",
    "may-have-been-too-short": "it may have been too short for that",
    "should-have": lambda _, program, number, what: f"{program} has {_held(number, what)}",
    "had": lambda _, program, number, what: f"{program} had {_held(number, what)} when it was looked at last",
    "has": lambda _, number, what: f"has {_held(number, what)}",
    "is-asleep-in": "{program} is asleep in {call}",
    "was-asleep-in": "it was asleep in {call}",
    "seen-asleep-in": lambda teller, calls: (
        f"it was seen asleep in {teller.shown(calls) if calls else 'no call'}"
    ),
    "asleep-in": "is asleep in {call}",
    "sleep-not-known": "where it sleeps is not known on such a machine",
    "process-seen": "at {time:when} {name} (process {number} of {host}) {what}[: process {processes}]",
}
