"""Making a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from msgspec import Struct

from lab.core import limits
from lab.core.errors import EvidenceError
from lab.core.escape import unicode_json
from lab.core.files import written
from lab.evidence.evidence import RunInfo
from lab.evidence.files import FileEvidence
from lab.evidence.processes import ProcessSample
from lab.evidence.record import layout
from lab.evidence.record.codec import FORMAT, encode, escaped
from lab.evidence.record.layout import ENTRIES, weight_of
from lab.evidence.record.steps import Tell, line_of
from lab.evidence.situation import SituationEvent
from lab.evidence.sockets import DatagramSample, SocketSample
from lab.evidence.transcript import StepEnded, Transcript, TranscriptEvent
from lab.scenario import Scenario
from lab.scenario.base import plain


def write(
    folder: Path,
    scenario: Scenario,
    info: RunInfo,
    transcript: Transcript,
    samples: Iterable[SocketSample],
    *,
    tell: Tell,
    datagrams: Iterable[DatagramSample] = (),
    processes: Iterable[ProcessSample] = (),
    situation: Iterable[SituationEvent] = (),
    files: Sequence[FileEvidence] = (),
) -> None:
    """Write everything but the captures, which are there already, and the verdict.

    Raises:
        EvidenceError: a file cannot be written, or would be larger than a reader takes (lab.core.limits).
    """
    write_scenario(folder, scenario)
    events = events_as_data(transcript.events, tell)
    _lines(folder / layout.TRANSCRIPT, events, {"unplayed": transcript.unplayed})
    _lines(folder / layout.SOCKETS, samples_as_data(samples), {})
    _lines(folder / layout.DATAGRAMS, samples_as_data(datagrams), {})
    _lines(folder / layout.PROCESSES, samples_as_data(processes), {})
    _lines(
        folder / layout.SITUATION,
        ({"event": layout.EVENT_NAMES[type(event)], **encode(event)} for event in situation),
        {},
    )
    write_files(folder, files)
    _document(folder / layout.RUN, {"format": FORMAT, **encode(info)})


def write_scenario(folder: Path, scenario: Scenario) -> None:
    """Write the scenario that was played. Raises as :func:`write`."""
    _document(folder / layout.SCENARIO, plain(scenario))


def write_files(folder: Path, files: Sequence[FileEvidence]) -> None:
    """Write what was seen of files, and what is kept of them. Raises as :func:`write`."""
    _lines(folder / layout.FILES, (encode(file.seen) for file in files), {})
    for file in files:
        if file.seen.stored:
            with written(folder / file.seen.stored) as stored:
                stored.write(file.content)


def write_verdict(folder: Path, verdict: Mapping[str, Any]) -> None:
    """Write what became of each check, as JSON holds it. EvidenceError if it cannot be written."""
    with written(folder / layout.VERDICT) as file:
        file.write(verdict_as_text(verdict).encode("ascii"))


def verdict_as_text(verdict: Mapping[str, Any]) -> str:
    """The verdict as a record holds it: the same verdict gives the same bytes."""
    return unicode_json(_laid_out(verdict) + "\n")


_SHORT = 300
"""Characters of an object that stands in one line: a piece of evidence, of which there may be very many."""


def _laid_out(data: Any, margin: str = "") -> str:
    """JSON with an entry a line, except for objects that are short."""
    inner = f"{margin}  "
    if isinstance(data, list | tuple) and data:
        ends, entries = "[]", [_laid_out(value, inner) for value in data]
    elif isinstance(data, dict) and len(flat := json.dumps(data)) > _SHORT:
        ends = "{}"
        entries = [f"{json.dumps(key)}: {_laid_out(value, inner)}" for key, value in data.items()]
    else:
        return flat if isinstance(data, dict) else json.dumps(data)
    lines = f",\n{inner}".join(entries)
    return f"{ends[0]}\n{inner}{lines}\n{margin}{ends[1]}"


def events_as_data(events: Iterable[TranscriptEvent], tell: Tell) -> Iterator[dict[str, Any]]:
    """The events as JSON holds them, their kinds under ``event``; of a failed step, text and ``data``."""
    for event in events:
        yield _named(event, line_of(event, tell) if isinstance(event, StepEnded) else event)


def _named(event: TranscriptEvent | SituationEvent, data: Struct) -> dict[str, Any]:
    return {"event": layout.EVENT_NAMES[type(event)], **encode(data)}


def samples_as_data(
    samples: Iterable[SocketSample | DatagramSample | ProcessSample],
) -> Iterator[dict[str, Any]]:
    """The samples as JSON holds them; one with very many entries goes on in objects that hold only these."""
    for sample in samples:
        data = encode(sample)
        keys = [key for key in ENTRIES if key in data]
        parts = zip_longest(*(_batches(data[key]) for key in keys), fillvalue=[])
        first, *others = (dict(zip(keys, part, strict=True)) for part in parts)
        yield {**data, **first}
        yield from others


def _batches(entries: list[Any]) -> Iterator[list[Any]]:
    """The entries of a sample in order, as many at once as a line may have."""
    batch: list[Any] = []
    weight = 0
    for entry in entries:
        if batch and weight + weight_of(entry) > limits.ROWS_OF_LINE:
            yield batch
            batch, weight = [], 0
        batch.append(entry)
        weight += weight_of(entry)
    yield batch


def _document(path: Path, data: Any) -> None:
    text = _as_text(escaped(data)).encode("ascii")
    _require(len(text), limits.DOCUMENT, path)
    with written(path) as file:
        file.write(text)


def _require(size: int, largest: int, path: Path) -> None:
    if size > largest:
        what = f"the record cannot be written: a piece is larger than {largest // limits.MIB} MiB"
        fix = "let the programs print less, or the scenario be shorter"
        raise EvidenceError("record-too-large", what, where=str(path), fix=fix)


def _as_text(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


def _as_line(data: Any) -> bytes:
    return f"{json.dumps(data)}\n".encode("ascii")


def _lines(path: Path, items: Iterable[Mapping[str, Any]], closing: Mapping[str, Any]) -> None:
    """A document a line, then one that says how many there were, so that a file cut short is known for it."""
    count = size = 0
    with written(path) as file:
        for item in items:
            line = _as_line(escaped(item))
            size += len(line)
            _require(len(line), limits.LINE, path)
            _require(size, limits.LINES - limits.LINE, path)
            file.write(line)
            count += 1
        file.write(_as_line({layout.END: count, **closing}))
