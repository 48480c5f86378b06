"""What is said of a run, in sentences.

A template is text with fields:

- ``{host}`` is a parameter as it is. Several are listed ("a, b and c"), each once; a message is its own
  sentence; of a truth value nothing is shown.
- ``{took:span}`` is shown by a format of :data:`FORMATS`, ``{by:cause}`` by a table of ``WORDS``.
- ``{number:byte|bytes}`` is the first word for one and the second for any other number, or of several.
- A part in brackets is left out where one of its parameters is empty, 0 or false: ``SYN[, sent {times}]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from lab.core.durations import format_duration
from lab.core.quote import quoted
from lab.core.words import describe_status
from lab.evidence.message import Message, Proof, Value
from lab.evidence.verdict import CheckResult, Verdict
from lab.output.sentences import sentences, words

_PART = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{(\w+)(?::([^{}]+))?\}")

_MILLISECOND, _SECOND = 1_000_000, 1_000_000_000

_MOST_TOLD = 8
"""Sentences that a result strings together; its evidence has them all."""


def span(nanoseconds: int) -> str:
    """A length of time: ``3.204 ms``, ``1.500 s``."""
    if abs(nanoseconds) < _SECOND:
        return f"{nanoseconds / _MILLISECOND:.3f} ms"
    return f"{nanoseconds / _SECOND:.3f} s"


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; ``nobody`` without any."""
    if len(texts) < 2:
        return texts[0] if texts else "nobody"
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def counted(number: Value, noun: str) -> str:
    """``1 byte``, ``7 bytes``, ``>=1 bytes``."""
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


class Teller:
    """Tells of one run: times from ``origin`` (ns) on, and frames of other files than ``capture`` by file."""

    def __init__(self, origin: int = 0, capture: str = "") -> None:
        self._origin = origin
        self._capture = capture

    def when(self, time: int) -> str:
        """A time, relative to the run's first SYN: ``+3.204 ms``."""
        after = time - self._origin
        return f"{'+' if after >= 0 else ''}{span(after)}"

    def text(self, said: Message, **seen: Value) -> str:
        """The sentence; a template may also use what was ``seen``."""
        sentence = sentences()[said.key]
        if callable(sentence):
            return sentence(self, **said.parameters)
        return self.filled(sentence, {**seen, **said.parameters})

    def proof(self, proof: Proof) -> str:
        """``frame 12, +3.204 ms: FIN from client_a``; the file is named unless it is the switch's."""
        told = self.text(proof.what, host=proof.host, time=proof.time, step=proof.step)
        if not proof.frame:
            return told
        where = "" if proof.capture in {"", self._capture} else f"{proof.capture} "
        return f"{where}frame {proof.frame}, {self.when(proof.time)}: {told}"

    def all(self, said: Iterable[Message]) -> str:
        """The sentences, each once; of very many the first few."""
        each = list(dict.fromkeys(map(self.text, said)))
        more = [f"and {len(each) - _MOST_TOLD} more"] if len(each) > _MOST_TOLD else []
        return "; ".join(each[:_MOST_TOLD] + more)

    def filled(self, template: str, values: Mapping[str, Value]) -> str:
        """A template with its fields filled in."""

        def part(found: re.Match[str]) -> str:
            return found[1] if all(values[name] for name, _ in _FIELD.findall(found[1])) else ""

        whole = _PART.sub(part, template) if "[" in template else template
        return _FIELD.sub(lambda found: self._field(values[found[1]], found[2]), whole)

    def _field(self, value: Value, form: str | None) -> str:
        if form is None:
            return self.shown(value)
        if form in FORMATS:
            return FORMATS[form](self, value)
        if "|" in form:
            one, many = form.split("|")
            single = len(value) == 1 if isinstance(value, tuple) else str(value) == "1"
            return one if single else many
        return words()[form][str(value)]

    def shown(self, value: Value) -> str:
        """A parameter without a format."""
        match value:
            case None | bool():
                return ""
            case Message():
                return self.text(value)
            case tuple():
                return listed(list(dict.fromkeys(map(self.shown, value))))
            case float():
                return f"{value:g}"
            case _:
                return str(value)


FORMATS: Mapping[str, Callable[[Teller, Value], str]] = {
    "span": lambda _, value: span(value),  # type: ignore[arg-type]
    "when": lambda teller, value: teller.when(value),  # type: ignore[arg-type]
    "duration": lambda _, value: format_duration(value),  # type: ignore[arg-type]
    "status": lambda _, value: describe_status(value),  # type: ignore[arg-type]
    "quoted": lambda _, value: quoted(str(value)),
    "states": lambda _, value: ", ".join(value) or "no state",  # type: ignore[arg-type]
    "commas": lambda teller, value: ", ".join(map(teller.shown, value)),  # type: ignore[arg-type]
    "or": lambda teller, value: " or ".join(map(teller.shown, value)),  # type: ignore[arg-type]
}
"""How a field is shown that names one of them."""


def teller_of(verdict: Verdict) -> Teller:
    """Who tells of the run that was judged."""
    return Teller(verdict.origin, verdict.capture)


class Told:
    """What a result says, in sentences."""

    def __init__(self, result: CheckResult, teller: Teller) -> None:
        self.result = result
        self._teller = teller

    @property
    def expected(self) -> str:
        """What was to be."""
        return self._teller.all(self.result.expected)

    @property
    def observed(self) -> str:
        """What was."""
        return self._teller.all(self.result.observed)

    @cached_property
    def evidence(self) -> tuple[str, ...]:
        """What proves it, each sentence once."""
        return tuple(dict.fromkeys(map(self._teller.proof, self.result.evidence)))

    @property
    def causes(self) -> tuple[str, ...]:
        """Why it failed."""
        return tuple(map(self._teller.text, self.result.causes))

    @property
    def programs(self) -> tuple[str, ...]:
        """What each program was doing then."""
        return tuple(map(self._teller.text, self.result.programs))
