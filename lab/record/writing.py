"""Making a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from lab.errors import EvidenceError
from lab.evidence import RunInfo
from lab.processes import ProcessSample
from lab.record import layout
from lab.record.codec import encode
from lab.report.verdict import as_data
from lab.scenario import Scenario
from lab.scenario.base import plain
from lab.situation import SituationEvent
from lab.sockets import SocketSample
from lab.transcript import Transcript, TranscriptEvent
from lab.verdict import Verdict


def write(
    folder: Path,
    scenario: Scenario,
    info: RunInfo,
    transcript: Transcript,
    samples: Iterable[SocketSample],
    *,
    processes: Iterable[ProcessSample] = (),
    situation: Iterable[SituationEvent] = (),
) -> None:
    """Write everything but the captures, which are there already, and the verdict.

    Raises:
        EvidenceError: a file cannot be written.
    """
    _document(folder / layout.SCENARIO, plain(scenario))
    _lines(folder / layout.TRANSCRIPT, events_as_data(transcript.events), {"unplayed": transcript.unplayed})
    _lines(folder / layout.SOCKETS, map(encode, samples), {})
    _lines(folder / layout.PROCESSES, map(encode, processes), {})
    _lines(folder / layout.SITUATION, events_as_data(situation), {})
    _document(folder / layout.RUN, encode(info))


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Write what became of each check. EvidenceError if it cannot be written."""
    with _written(folder / layout.VERDICT) as file:
        file.write(verdict_as_text(verdict))


def verdict_as_text(verdict: Verdict) -> str:
    """The verdict as a record holds it: the same verdict gives the same bytes."""
    return _as_text(as_data(verdict))


def events_as_data(events: Iterable[TranscriptEvent | SituationEvent]) -> Iterator[dict[str, Any]]:
    """The events as JSON holds them, the kind of each under ``event``."""
    for event in events:
        yield {"event": layout.EVENT_NAMES[type(event)], **encode(event)}


def _document(path: Path, data: Any) -> None:
    with _written(path) as file:
        file.write(_as_text(data))


def _as_text(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


def _lines(path: Path, items: Iterable[Mapping[str, Any]], closing: Mapping[str, Any]) -> None:
    """A document a line, then one that says how many there were, so that a file cut short is known for it."""
    count = 0
    with _written(path) as file:
        for item in items:
            file.write(f"{json.dumps(item)}\n")
            count += 1
        file.write(f"{json.dumps({layout.END: count, **closing})}\n")


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A new file of a record."""
    try:
        with path.open("w", encoding="ascii") as file:
            yield file
    except OSError as error:
        what = f"the record cannot be written: {error.strerror}"
        fix = "make room, or choose another folder: --records DIR"
        raise EvidenceError("record-unwritable", what, where=str(path), fix=fix) from error
