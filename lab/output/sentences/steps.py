"""What is said of a step: what it waited for, and what was there instead."""

from __future__ import annotations

from lab.evidence.facts import StepFact
from lab.evidence.message import Message
from lab.output.describe import Teller
from lab.output.events import TOO_MUCH

_ENDS = {"": "is still open", "closed": "was closed by its other end", "reset": "was reset by its other end"}


def tell(fact: StepFact | None) -> str:
    """The sentence of a fact by itself; empty for none."""
    return Teller().text(fact.message) if fact else ""


def _late(_: Teller, seconds: float, *, of_script: bool) -> str:
    return f"not before the script's {seconds:g} s were over" if of_script else f"not within {seconds:g} s"


def _connection_is(_: Teller, how: str) -> str:
    return f"the connection {_ENDS.get(how, f'broke: {TOO_MUCH.get(how, how)}')}"


def _late_output(teller: Teller, late: Message, verb: str, life: Message, *, other: bool) -> str:
    said = f"it {verb} {'something else' if other else 'nothing more'}"
    return f"{teller.text(late)}: {said}, {teller.text(life)}"


def _cannot_send(_: Teller, peer: str, most_waiting: int, error: str) -> str:
    waiting = f"more than {most_waiting} bytes wait to be sent" if most_waiting else ""
    return f"{peer}: {waiting or error or 'no datagram has come that could be answered'}"


SENTENCES = {
    # what was to be
    "is-running": "the program is running",
    "ends-before-start": "{before} has ended before {starts} is started",
    "listens-on-all": "{who} listens on {ports:port|ports} {ports}",
    "connects": "a connection from {host} to {to}",
    "nothing-heard": "nothing is {verb} for {seconds} s",
    "exits-with": "exit status {status}",
    "line-fits": "a line of at most {most} bytes, which is what a terminal takes",
    "closed-before-opened": "{name} is closed before it is opened again",
    "bytes-are-sent": "{count} bytes are sent",
    "every-variable-has-value": "every variable has a value",
    "host-is-up": "host {host} is up",
    "program-runs-on": "a program runs on {actor}",
    "takes-input": "the {noun} takes input",
    # what was there
    "program-runs": "it is still running",
    "had-ended": "it had ended: {status:status}",
    "ended-unprinted": "the program ended before it printed that: {status:status}",
    "output-ended": "its output ended, and it is still running",
    "closed-by-script": "the script has closed it ({how})",
    "connection-is": _connection_is,
    "nothing-more-comes": "nothing more comes: {life}",
    "some-have-not": "{number} of {of} have not, {first} the first: {life}",
    "late": _late,
    "late-output": _late_output,
    "late-match": (
        "{late}: the expression was still being matched with {characters} characters: it backtracks"
    ),
    "is-path": "it is {path:quoted}",
    "had-said": "it had {verb} {text:quoted} before, and no step has expected that",
    "has-said": "it {verb} {text:quoted}",
    "exited-with": "{status:status}",
    "not-in-output": "it is not in the command's output",
    "line-too-long": "{bytes} bytes; a program with `tty: false` takes any number",
    "cannot-match": (
        lambda _, error: f"it cannot be matched: {error or 'the process that matches it has ended'}"
    ),
    "all-killed": "all in it was killed",
    "none-started": "none was started there",
    "cannot-send": _cannot_send,
}
