"""The transcript as rows: what was typed and printed, programs' beginnings and ends, steps that failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import Literal

from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import (
    Dropped,
    Exited,
    Input,
    InputEnded,
    Opened,
    Output,
    Started,
    StepEnded,
    TranscriptEvent,
)
from lab.output.events import told
from lab.output.ladder.rows import Broke, Row, Said
from lab.output.sentences.steps import tell


def said(evidence: Evidence, hosts: Collection[str]) -> list[Row]:
    """The rows of a transcript, in order of time: what happened on these hosts, and every failed step."""
    events = evidence.transcript.events
    programs = _several(events)
    told = (event for event in events if isinstance(event, StepEnded) or event.host in hosts)
    return sorted((row for event in told for row in rows_of(event, programs)), key=attrgetter("time"))


def _several(events: Iterable[TranscriptEvent]) -> set[str]:
    """The hosts on which several programs ran: there a program is named."""
    ran: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, Started | Opened):
            ran.setdefault(event.host, set()).add(event.program)
    return {host for host, programs in ran.items() if len(programs) > 1}


def rows_of(event: TranscriptEvent, several: Collection[str]) -> Iterator[Row]:
    """The rows of one event; on the hosts in ``several`` a program is named."""
    if isinstance(event, StepEnded):
        if event.outcome in {Outcome.FAIL, Outcome.INCONCLUSIVE}:
            title = f"step {event.step}, {event.host}: {event.what}"
            fields = {"expected": tell(event.expected), "observed": tell(event.observed)}
            yield Broke(event.at, event.outcome, title, fields)
        return
    kind, lines = _told(event)
    program = event.program if event.host in several else ""
    yield from (Said(event.at, event.host, program, kind, line) for line in lines)


def _told(
    event: Started | Opened | Output | Dropped | Input | InputEnded | Exited,
) -> tuple[Literal["printed", "typed", "started", "ended"], list[str]]:
    match event:
        case Started() | Opened():
            return "started", [told(event)]
        case Input():
            return "typed", [event.text.removesuffix("\n") if event.kind == "text" else _named(event)]
        case Output():
            lines = event.text.replace("\r\n", "\n").split("\n")
            return "printed", [line for line in lines if line]
        case Dropped() | InputEnded() | Exited():
            return "ended", [told(event)]


def _named(event: Input) -> str:
    """Input that is no text: ``[key ctrl-c]``, ``[end]``."""
    return f"[{event.kind} {event.text}]" if event.text else f"[{event.kind}]"
