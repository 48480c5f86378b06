"""``output``: what the programs of a host printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from msgspec import Struct
from pydantic import Field

from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.nearest import nearest
from lab.checks.select import is_meant, model_of, was_started, whose
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.transcript import Dropped, Input, Output
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Count, Counted, HostName, Model, Name, OneOrMany, Text
from lab.scenario.mistake import Mistake, Path
from lab.scenario.variables import substitute

_SHOWN = 200
"""Characters of a program's output that a result quotes."""


class _Printed(Struct, frozen=True):
    """What programs of a host printed, each on its screen; what may be missing; whether any was started."""

    host: str
    screens: Mapping[str, str]
    lacking: Message | None
    started: bool

    @property
    def proofs(self) -> list[Proof]:
        """The end of each screen."""
        shown = ((program, screen[-_SHOWN:]) for program, screen in self.screens.items())
        return [
            proof("output", "printed", host=self.host, program=program, text=text) for program, text in shown
        ]

    @property
    def lines(self) -> list[str]:
        return [line for screen in self.screens.values() for line in screen.split("\n")]


class OutputRef(Model):
    """What a program printed."""

    heading: ClassVar[str] = "Which output"

    host: Annotated[HostName, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(
            description="One of several programs, or a connection of the script; all of the host's unless "
            "given. run: the commands of run steps"
        ),
    ] = None
    lines: Annotated[dict[Text, Counted] | None, Field(description="Whole lines, and how many of each")] = (
        None
    )
    contains: Annotated[
        tuple[Text, ...] | None,
        OneOrMany(),
        Field(description="Texts that occur in this order, none overlapping"),
    ] = None
    lacks: Annotated[tuple[Text, ...] | None, OneOrMany(), Field(description="Texts that occur nowhere")] = (
        None
    )


class OutputCheck(Check):
    """What the programs of a host printed."""

    subject: ClassVar[str] = "output"
    of_connections: ClassVar[bool] = True
    words: ClassVar[tuple[str, ...]] = ("lines", "contains", "lacks")

    output: Annotated[OutputRef, Field(description="Whose, and what")]

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Everything that is looked for."""
        for word in self.given():
            below = self.said(word)
            keys = below if isinstance(below, dict) else range(len(below))
            yield from ((("output", word, key), key if isinstance(key, str) else below[key]) for key in keys)

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """Words with nothing under them, and lines that are several."""
        for word in self.given():
            if not self.said(word):
                what, fix = f': "{word}" says nothing', "put at least one text in it"
                yield Mistake("no-assertion", ("output", word), what, fix)
        for text in self.output.lines or ():
            if "\n" in text:
                what, fix = ": a line cannot hold a line break", "use `contains:` for text of several lines"
                yield Mistake("contradiction", ("output", "lines", text), what, fix)

        for word in ("contains", "lacks"):
            for number, text in enumerate(getattr(self.output, word) or ()):
                if "\r\n" in text:
                    what = f': "{word}" has CR LF (\\r\\n), and in the output each CR LF is read as LF'
                    fix = "write \\n; a step `expect` finds the line ends as they are printed or received"
                    yield Mistake("contradiction", ("output", word, number), what, fix)

    @property
    def title(self) -> str:
        return f"output of {whose(self.output.host, self.output.program)}"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every text of the check; ``contains`` must hold within one program's output."""
        ref = self.output
        printed = _Printed(
            ref.host,
            _screens(ref, evidence),
            _lacking(ref, evidence),
            was_started(evidence, ref.host, ref.program),
        )
        values = evidence.info.variables
        findings = [
            _line(substitute(text, values), bounds, printed) for text, bounds in (ref.lines or {}).items()
        ]
        if ref.contains is not None:
            findings.append(_contains([substitute(text, values) for text in ref.contains], printed))
        findings += [_lacks(substitute(text, values), printed) for text in ref.lacks or ()]
        return conclude(self, findings)


def _events(ref: OutputRef, evidence: Evidence) -> Iterator[Output | Input | Dropped]:
    for event in evidence.transcript.events:
        if isinstance(event, Output | Input | Dropped) and _concerns(event, ref):
            yield event


def _concerns(event: Output | Input | Dropped, ref: OutputRef) -> bool:
    return event.host == ref.host and is_meant(event.program, ref.program)


def _lacking(ref: OutputRef, evidence: Evidence) -> Message | None:
    dropped = next((event for event in _events(ref, evidence) if isinstance(event, Dropped)), None)
    return None if dropped is None else message("output-cut", limit=dropped.limit)


def _screens(ref: OutputRef, evidence: Evidence) -> Mapping[str, str]:
    """Each program's output as a person saw it; what was typed is not in it, CR LF is LF.

    On a terminal a line that was typed has moved the cursor to the next. A program on pipes is not typed to.
    """
    printed: dict[str, list[str]] = {}
    for event in _events(ref, evidence):
        parts = printed.setdefault(event.program, [])
        if isinstance(event, Output):
            parts.append(event.text)
        elif parts and not parts[-1].endswith("\n") and _begins_line(event, evidence.scenario):
            parts.append("\n")
    texts = {program: "".join(parts).replace("\r\n", "\n") for program, parts in printed.items()}
    return {program: text for program, text in texts.items() if text}


def _begins_line(event: Input | Dropped, scenario: Scenario) -> bool:
    """Whether a line was typed to a program on a terminal."""
    if isinstance(event, Dropped) or not _ends_line(event):
        return False
    model = scenario.programs.get(model_of(scenario, event.host, event.program))
    return model is not None and model.tty


def _ends_line(event: Input) -> bool:
    return event.text.endswith("\n") if event.kind == "text" else event.text == "enter"


def _line(text: str, bounds: Count, printed: _Printed) -> Finding:
    number = printed.lines.count(text)
    within = next((line for line in printed.lines if text in line and line != text), "")
    within = _cut(within) if number not in bounds else ""
    return find(
        message("line-times", line=_cut(text), times=str(bounds)),
        _with_line_ends(
            message("lines-seen", number=number, line=_cut(text), within=within)
            if printed.screens
            else _nothing(),
            text,
        ),
        holds=number in bounds,
        doubt=printed.lacking,
        proven=decided(number, bounds),
        absent=not printed.started,
        difference=nearest(text, printed.lines, whole=True) if number < bounds.minimum else None,
        missing=number < bounds.minimum,
    )


def _with_line_ends(observed: Message, text: str) -> list[Message]:
    """What was seen, and that a CR at the end of a line is not in it, where such a text is looked for."""
    has_end = "\r\n" in text or text.endswith("\r")
    return [observed, message("cr-lf-is-lf")] if has_end else [observed]


def _nothing() -> Message:
    return message("nothing-printed")


def _contains(texts: list[str], printed: _Printed) -> Finding:
    screens = printed.screens
    missing = [_first_missing(texts, screen) for screen in screens.values()]
    holds = None in missing
    after = max((number for number in missing if number is not None), default=0)
    before = _cut(texts[after - 1]) if after else ""
    gone = message("text-not-there", text=_cut(texts[after]), before=before) if screens else _nothing()
    return find(
        message("output-contains", texts=tuple(map(_cut, texts))),
        message("contains", number=len(texts)) if holds else _with_line_ends(gone, texts[after]),
        [] if holds else printed.proofs,
        holds=holds,
        doubt=printed.lacking,
        proven=holds,
        absent=not printed.started,
        difference=None if holds else nearest(texts[after], printed.lines, whole=False),
        missing=True,
    )


def _first_missing(texts: list[str], screen: str) -> int | None:
    """The number of the first text that does not follow those before it, None if all do."""
    at = 0
    for number, text in enumerate(texts):
        found = screen.find(text, at)
        if found < 0:
            return number
        at = found + len(text)
    return None


def _lacks(text: str, printed: _Printed) -> Finding:
    line = next((line for line in printed.lines if text in line), None)
    inside = line is not None or any(text in screen for screen in printed.screens.values())
    return find(
        message("output-lacks", text=_cut(text)),
        message("in-line", line=_cut(line or text))
        if inside
        else message("text-not-there", text=_cut(text), before=""),
        holds=not inside,
        doubt=printed.lacking,
        proven=inside,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
