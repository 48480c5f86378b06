"""What is said of a whole run, and by several checks."""

from __future__ import annotations

from lab.core.durations import format_duration
from lab.evidence.message import Message
from lab.output.describe import Teller


def _bounds(_: Teller, min: float | None, max: float | None) -> str:  # noqa: A002 - the words of a scenario
    bounds = (("at least", min), ("at most", max))
    told = [f"{word} {format_duration(bound)}" for word, bound in bounds if bound is not None]
    return " and ".join(told) or "any time"


def _step(teller: Teller, step: str, host: str, what: str, expected: Message | None) -> str:
    """A step and what it waited for, unless its description says that."""
    wanted = teller.text(expected) if expected else ""
    return f"step {step}, {host}: {what}" + (f": {wanted}" if wanted not in what else "")


SENTENCES = {
    "text": "{text}",
    "but": "but {doubt}",
    "bounds": _bounds,
    "sidecar-late": "the machine was busy: the sidecar was up to {late:span} late",
    "took": "it took {took:span}",
    "not-judged": "not judged: {reason}",
    "needs": 'it needs "{check}", which did not pass',
    "variables-have-values": "a text whose variables have values",
    # the script
    "script-in-doubt": "it may have come if the machine had not been short of processors",
    "step": _step,
    "step-ended": "step {step} at {where} ended after {took:span}",
    "step-not-reached": "step {step} was not reached",
    "not-consumed": "not consumed: {text:quoted}",
    "every-step-passes": "every step is played and passes",
    "no-step-played": "no step was played",
    "steps-passed": lambda _, number: f"all {number} steps passed" if number > 1 else "1 step passed",
    "steps-took": "in {took:span}",
    # processes
    "process": "{name} (process {number})",
    "other-process": "process {number} ({name})",
    "numbered": "{number} ({name})",
    "child-of": "the child of {parent} (process {number})",
    "child-of-its-program": "a child of its program",
    # what a kernel shows
    "kernel-shows": "the kernel of {host} shows {state} at {time:when}",
    # who listens where
    "holds-socket": "{still} {still:holds|hold} the socket",
    "holds-copy": (
        "{closed} closed its copy, {still} still {still:holds|hold} one: FIN is sent when the last holder"
        " closes"
    ),
    "limits-changed": (
        "process {processes} changed the limits by which it is known which program it came from"
    ),
}
