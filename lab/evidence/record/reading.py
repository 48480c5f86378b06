"""Reading a record back: what it says becomes evidence, or an error that says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from lab.core import limits
from lab.core.errors import EvidenceError, UsageError
from lab.evidence.evidence import Evidence, RunInfo, gather
from lab.evidence.files import FileEvidence, SeenFile
from lab.evidence.history import Ends, ends_of
from lab.evidence.processes import ProcessSample
from lab.evidence.record import layout
from lab.evidence.record.codec import FORMAT, Unfit, decode
from lab.evidence.record.files import Lines, damaged, document, opened
from lab.evidence.record.scenario import scenario_from
from lab.evidence.record.steps import facts_of
from lab.evidence.record.writing import verdict_as_text
from lab.evidence.situation import Situation, SituationEvent
from lab.evidence.sockets import DatagramSample, DatagramSocket, SocketRow, SocketSample
from lab.evidence.transcript import Output, StepEnded, Transcript, TranscriptEvent
from lab.scenario import Scenario

T = TypeVar("T")

_STEP = re.compile(r"(finally\.)?\d+(\.\d+)*(@\d+)*", re.ASCII)
"""The number of a step, with the rounds of the blocks around it (lab.steps.runner)."""

_FILE_NAME = re.compile(r"file-\d+\.bin", re.ASCII)
_CAPTURE_NAME = re.compile(r"[A-Za-z0-9_-]+\.pcap")


def read(folder: Path) -> Evidence:
    """The evidence of a run.

    Raises:
        UsageError: there is no such folder.
        EvidenceError: a file of it is missing, damaged, too large, or contradicts the others.
    """
    _require(folder)
    info = _run(folder / layout.RUN)
    scenario = scenario_from(folder / layout.SCENARIO)
    if doubt := next(_contradictions(scenario, info), ""):
        raise damaged(folder / layout.RUN, doubt)
    transcript = _transcript(folder / layout.TRANSCRIPT, scenario)
    samples = tuple(_samples(folder / layout.SOCKETS, scenario))
    datagrams = tuple(_datagrams(folder / layout.DATAGRAMS, scenario))
    processes = tuple(_processes(folder / layout.PROCESSES, scenario))
    situation = tuple(_situation(folder / layout.SITUATION, scenario))
    files = _files(folder, scenario)
    for capture in info.captures:
        opened(folder / capture.path, limits.CAPTURE).close()
    return gather(
        folder, scenario, info, transcript, samples,
        datagram_samples=datagrams, processes=processes, situation=situation, files=files,
    )  # fmt: skip


def read_transcript(folder: Path) -> Transcript:
    """The transcript of a run alone. Raises as :func:`read`."""
    _require(folder)
    _run(folder / layout.RUN)
    return _transcript(folder / layout.TRANSCRIPT, scenario_from(folder / layout.SCENARIO))


def is_recorded(folder: Path, verdict: Mapping[str, Any]) -> bool:
    """Whether the record holds exactly this verdict, as JSON holds it, byte for byte."""
    try:
        with opened(folder / layout.VERDICT, limits.DOCUMENT) as file:
            return file.read() == verdict_as_text(verdict).encode()
    except EvidenceError:
        return False


def _require(folder: Path) -> None:
    if not folder.is_dir():
        fix = "name the folder of a run, as `lab run` shows it"
        raise UsageError("no-record", "there is no such record", where=str(folder), fix=fix)


def _run(path: Path) -> RunInfo:
    """What is known of the run. EvidenceError for a record of another version."""
    data = document(path)
    if isinstance(data, dict) and "format" not in data:
        raise damaged(path, "format: it is missing")
    found = data.pop("format") if isinstance(data, dict) else FORMAT
    if found != FORMAT:
        what = f"the record has format {found!r:.20}, and this version of the lab reads format {FORMAT}"
        fix = "check it with the version of the lab that made it (`versions` in run.json)"
        raise EvidenceError("other-format", what, where=str(path), fix=fix)
    return _fitted(path, RunInfo, data)


def _fitted(path: Path, kind: type[T], data: Any, line: int = 0) -> T:
    try:
        return decode(kind, data)
    except Unfit as unfit:
        raise damaged(path, str(unfit), line) from unfit


def _transcript(path: Path, scenario: Scenario) -> Transcript:
    file, room = Lines(path), _Room(path)
    events = tuple(room.taken(_event(path, scenario, data, line), line) for line, data in file)
    unplayed = file.closing.get("unplayed", "")
    if not isinstance(unplayed, str):
        raise damaged(path, "unplayed: text is needed", len(events) + 1)
    return Transcript(events, unplayed)


class _Room:
    """What a transcript may still hold."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._events = limits.EVENTS + limits.STEPS
        self._output = limits.OUTPUT
        self._of_program: dict[tuple[str, str], int] = {}

    def taken(self, event: TranscriptEvent, line: int) -> TranscriptEvent:
        """The event. EvidenceError if there is no room for it."""
        self._events -= 1
        if self._events < 0:
            raise damaged(self._path, "there are more events than a run has", line)
        if isinstance(event, Output):
            key = event.host, event.program
            self._of_program[key] = self._of_program.get(key, 0) + len(event.text)
            self._output -= len(event.text)
            if self._output < 0 or self._of_program[key] > limits.PROGRAM_OUTPUT:
                raise damaged(self._path, "there is more output than a run keeps", line)
        return event


def _event(path: Path, scenario: Scenario, data: dict[str, Any], line: int) -> TranscriptEvent:
    kind: Any = _kind(layout.EVENTS, data, path, line)
    if kind is StepEnded:
        data |= facts_of(data)
    event: TranscriptEvent = _fitted(path, kind, data, line)
    _require_host(event.host.partition(".")[0], scenario, path, line)  # a step's actor may be HOST.PROGRAM
    return event


def _samples(path: Path, scenario: Scenario) -> Iterator[SocketSample]:
    known: dict[str, set[Ends]] = {}
    for line, data in _whole_samples(path):
        sample = _fitted(path, SocketSample, data, line)
        _require_host(sample.host, scenario, path, line)
        ends = *map(ends_of, sample.rows), *map(ends_of, sample.gone)
        if not all(_is_address(here) and _is_address(there) for here, _, there, _ in ends):
            raise damaged(path, "rows: one of the addresses is none", line)
        if doubt := _unfounded(sample, known):
            raise damaged(path, doubt, line)
        yield sample


def _unfounded(sample: SocketSample, there: dict[str, set[Ends]]) -> str:
    """What a sample tells that cannot follow what was ``there`` on its host before; that is kept in mind."""
    if sample.whole:
        there[sample.host] = set()
    if sample.host not in there:
        return "whole: a host's first sample has nothing to differ from"
    gone = {ends_of(one) for one in sample.gone}
    if not gone <= there[sample.host]:
        return "gone: one of the sockets was not there"
    there[sample.host] -= gone
    there[sample.host] |= {ends_of(row) for row in sample.rows}
    return ""


def _whole_samples(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The samples of a file, each with its first line; what stands in several lines is put together."""
    room, first = limits.ROWS, 0
    whole: dict[str, Any] = {}
    for line, data in Lines(path):
        goes_on = bool(whole) and data.keys() <= set(layout.ENTRIES)
        room -= _weight(data) + (not goes_on)
        if room < 0:
            raise damaged(path, "there are more entries than a run keeps", line)
        if goes_on:
            _put_to(whole, data, path, line)
            continue
        if whole:
            yield first, whole
        first, whole = line, data
    if whole:
        yield first, whole


def _weight(data: dict[str, Any]) -> int:
    lists = (entries for key in layout.ENTRIES if type(entries := data.get(key)) is list)
    return sum(layout.weight_of(entry) for entries in lists for entry in entries)


def _put_to(whole: dict[str, Any], data: dict[str, Any], path: Path, line: int) -> None:
    """Add the entries of a line that goes on with a sample."""
    for key, entries in data.items():
        if type(entries) is not list or type(whole.get(key)) is not list:
            raise damaged(path, f"{key}: this line does not go on with the sample before it", line)
        whole[key] += entries


def _datagrams(path: Path, scenario: Scenario) -> Iterator[DatagramSample]:
    """What was seen of UDP sockets; a record from before they were looked at has no such file."""
    if not path.exists():
        return
    for line, data in _whole_samples(path):
        sample = _fitted(path, DatagramSample, data, line)
        _require_host(sample.host, scenario, path, line)
        if not all(_is_address(row.local) and _is_address(row.remote) for row in sample.rows):
            raise damaged(path, "rows: one of the addresses is none", line)
        yield sample


def _processes(path: Path, scenario: Scenario) -> Iterator[ProcessSample]:
    for line, data in _whole_samples(path):
        sample = _fitted(path, ProcessSample, data, line)
        _require_host(sample.host, scenario, path, line)
        yield sample


def _situation(path: Path, scenario: Scenario) -> Iterator[SituationEvent]:
    """What surrounded a failure; a record from before that was looked at has no such file."""
    if not path.exists():
        return
    for line, data in Lines(path):
        kind: Any = _kind(layout.SITUATION_EVENTS, data, path, line)
        event: SituationEvent = _fitted(path, kind, data, line)
        _require_host(event.host, scenario, path, line)
        if isinstance(event, Situation):
            rows: tuple[SocketRow | DatagramSocket, ...] = (*event.tcp, *event.bound, *event.udp)
            if not all(_is_address(row.local) and _is_address(row.remote) for row in rows):
                raise damaged(path, "one of the addresses is none", line)
        yield event


def _files(folder: Path, scenario: Scenario) -> tuple[FileEvidence, ...]:
    """What was seen of files; a record from before they were looked at has no such file."""
    path, room = folder / layout.FILES, limits.FILES
    found: list[FileEvidence] = []
    if not path.exists():
        return ()
    for line, data in Lines(path):
        seen = _fitted(path, SeenFile, data, line)
        if seen.host:
            _require_host(seen.host, scenario, path, line)
        if len(found) >= limits.STEPS or (seen.stored and not _FILE_NAME.fullmatch(seen.stored)):
            raise damaged(path, "stored: it is no name of a file of a record", line)
        content = b""
        if seen.stored:
            with opened(folder / seen.stored, limits.FILE) as file:
                content = file.read(limits.FILE)
        room -= len(content)
        if room < 0 or len(content) != seen.kept or seen.kept > seen.size:
            raise damaged(path, "kept: the file in the record has another size", line)
        if seen.kind == "file" and seen.kept == seen.size and sha256(content).hexdigest() != seen.sha256:
            raise damaged(path, "sha256: the file in the record is another", line)
        found.append(FileEvidence(seen, content))
    return tuple(found)


def _kind(kinds: Mapping[str, type], data: dict[str, Any], path: Path, line: int) -> type:
    kind = kinds.get(str(data.pop("event", "")))
    if kind is None:
        raise damaged(path, f"event: one of {', '.join(kinds)} is needed", line)
    return kind


def _require_host(host: str, scenario: Scenario, path: Path, line: int) -> None:
    if host not in scenario.hosts:
        raise damaged(path, "host: the scenario has no such host", line)


def _contradictions(scenario: Scenario, info: RunInfo) -> Iterator[str]:
    """What in ``run.json`` is impossible in itself or beside the scenario."""
    if set(info.addresses) != set(scenario.hosts):
        yield "addresses: its hosts are not those of the scenario"
    for addresses in (each for networks in info.addresses.values() for each in networks.values()):
        if not all(map(_is_address, addresses)):
            yield "addresses: one of them is no IP address"
    seen_at = {interface.host for interface in info.interfaces} | {capture.host for capture in info.captures}
    if not seen_at <= {"", *scenario.hosts}:
        yield "a capture or an interface is of a host that the scenario does not have"
    paths = [capture.path for capture in info.captures]
    if len(set(paths)) < len(paths) or not all(map(_CAPTURE_NAME.fullmatch, paths)):
        yield "captures: each is a file of its own, in the record's folder"
    for held in info.held:
        if held.host not in scenario.hosts or not _STEP.fullmatch(held.step):
            yield "held: one of them is of no host or of no step"


@lru_cache(maxsize=1024)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
