"""The conversation as a person reads it: when, on which host, who typed what, what was printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.core.escape import one_line
from lab.core.words import Outcome
from lab.evidence.transcript import (
    Dropped,
    Exited,
    Input,
    InputEnded,
    Opened,
    Output,
    Started,
    StepEnded,
    Transcript,
    TranscriptEvent,
)
from lab.output.events import told
from lab.output.sentences.steps import tell
from lab.output.style import Ink, Style, columns, cut

_WIDEST_ACTOR = 24
"""Columns that names are filled up to at most."""


def step(event: StepEnded, began: int, style: Style) -> str:
    """A step that ended, in one line; ``began`` is the time that its own is counted from."""
    line = f"{style.sign(event.outcome)} {_time(event.at - began):>7}  {event.host}: {event.what}"
    shown = cut(one_line(line), style.width)
    return style.paint(shown, Ink.FAINT if event.outcome is Outcome.PASS else style.ink(event.outcome))


def conversation(transcript: Transcript, style: Style) -> Iterator[str]:
    """A line for each thing that was typed, printed or done; steps only where they failed."""
    if not transcript.events:
        yield "nothing was played"
        return
    began = transcript.events[0].at
    clock = max(len(_time(event.at - began)) for event in transcript.events)
    names = _names(transcript.events)
    actor = min(max(map(len, names.values())), _WIDEST_ACTOR)
    for event in transcript.events:
        name = names[event.host, getattr(event, "program", "")]
        margin = f"{_time(event.at - began):>{clock}}  {name.ljust(actor)}  "
        yield from _lines(event, margin, style)
    if transcript.unplayed:
        yield f"not played: step {one_line(transcript.unplayed)} and those after it"


def _names(events: Iterable[TranscriptEvent]) -> dict[tuple[str, str], str]:
    """How each host and program is called: by the host alone unless several programs ran there."""
    programs: dict[str, set[str]] = {}
    for event in events:
        programs.setdefault(event.host, set()).update({getattr(event, "program", "")} - {""})
    return {
        (host, program): f"{host}.{program}" if program and len(ran) > 1 else host
        for host, ran in programs.items()
        for program in {*ran, ""}
    }


def _lines(event: TranscriptEvent, margin: str, style: Style) -> Iterator[str]:
    match event:
        case Started() | Opened():
            yield from _told(f"$ {told(event)}", margin, style, Ink.FAINT)
        case Output():
            bar = "│" if style.unicode else "|"
            text = event.text.replace("\r\n", "\n").removesuffix("\n")
            for line in text.split("\n"):
                yield from _told(line, f"{margin}{bar} ", style)
                margin = " " * columns(margin)
        case Input():
            yield from _told(f"> {_typed(event)}", margin, style, Ink.STRONG)
        case InputEnded() | Exited():
            yield from _told(f"= {told(event)}", margin, style, Ink.FAINT)
        case Dropped():
            yield from _told(f"= {told(event)}", margin, style, Ink.UNSURE)
        case StepEnded() if event.outcome is not Outcome.PASS:
            sign = style.sign(event.outcome)
            failed = f"{sign} step {event.step}, {event.what}: {tell(event.expected)}; {tell(event.observed)}"
            yield from _told(failed, margin, style, style.ink(event.outcome))


def _told(text: str, margin: str, style: Style, *inks: Ink) -> Iterator[str]:
    return style.paragraph(text, *inks, indent=columns(margin), label=margin, label_ink=Ink.FAINT)


def _typed(event: Input) -> str:
    """What was typed; what is no text is named by its kind."""
    if event.kind == "text":
        return event.text.removesuffix("\n") if event.text.endswith("\n") else f"{event.text}  (no newline)"
    return f"[{event.kind}{' ' if event.text else ''}{event.text}]"


def _time(nanoseconds: int) -> str:
    """In seconds, with milliseconds."""
    return f"{nanoseconds / 1e9:.3f}"
