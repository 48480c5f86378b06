"""Runs that never happened: evidence put together from a written-down capture, samples and events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from lab import checks
from lab.core.words import Outcome, TcpState
from lab.evidence.capture import CaptureFile, Drop, HeldSegment, Interface
from lab.evidence.evidence import Evidence, RunInfo, gather
from lab.evidence.facts import Described
from lab.evidence.files import FileEvidence
from lab.evidence.processes import ProcessSample
from lab.evidence.situation import SituationEvent
from lab.evidence.sockets import DatagramSample, Loss, Sampling, SocketRow, SocketSample
from lab.evidence.transcript import Exited, Input, Output, Started, StepEnded, Transcript, TranscriptEvent
from lab.scenario import Scenario
from tests.judged import Judged, judged
from tests.unit import sketch

PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED
MS = 1_000_000
ENDED = sketch.EPOCH + 10_000 * MS
"""When every staged run ends: 10 s after its first SYN."""


def at(milliseconds: float) -> int:
    """A time of the run."""
    return sketch.EPOCH + round(milliseconds * MS)


def row(
    state: TcpState, local: str, remote: str = "0.0.0.0:0", *, inode: int = 1, unread: int = 0
) -> SocketRow:
    """A socket: ``192.168.153.128:19999`` and where it is connected to."""
    (here, port), (there, peer) = (end.rsplit(":", 1) for end in (local, remote))
    return SocketRow(state, here, int(port), there, int(peer), unread, 0, inode)


def started(program: str = "server", host: str = "server", milliseconds: float = 0) -> Started:
    """A program starts."""
    return Started(at(milliseconds), host, program, "1", f"/work/{program}", 7)


def printed(text: str, program: str = "server", host: str = "server") -> Output:
    """A program prints."""
    return Output(at(1), host, program, text)


def typed(text: str, program: str = "server", host: str = "server") -> Input:
    """The script types."""
    return Input(at(1), host, program, "2", "text", text)


def exited(status: int, program: str = "server", host: str = "server") -> Exited:
    """A program ends."""
    return Exited(at(5), host, program, status)


def step(number: str, outcome: Outcome = PASS, *, expected: str = "", observed: str = "") -> StepEnded:
    """A step is over."""
    wanted, there = (Described(text) if text else None for text in (expected, observed))
    what = "expect 'x'"
    return StepEnded(at(2), at(1), number, "chat.yaml:9:3", "server", what, outcome, wanted, there)


class Stage(Struct):
    """A run: complete unless it says otherwise."""

    folder: Path
    talk: str = ""
    capture: bytes = b""
    loopback: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[SocketSample] = ()
    datagram_samples: Sequence[DatagramSample] = ()
    processes: Sequence[ProcessSample] = ()
    events: Sequence[TranscriptEvent] = (step("1"),)
    unplayed: str = ""
    dropped: int = 0
    drops: Sequence[Drop] = ()
    worst_gap: int = 6 * MS
    lost: Sequence[Loss] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    held: Sequence[HeldSegment] = ()
    situation: Sequence[SituationEvent] = ()
    files: Sequence[FileEvidence] = ()
    carriage_returns: tuple[str, ...] = ()
    programs: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[Mapping[str, Any]] = ({"actor": "server", "action": {"quiet": "1s"}},)
    routers: tuple[str, ...] = ()
    macs: Mapping[str, str] = field(default_factory=dict)

    def evidence(self, *specs: Mapping[str, Any]) -> Evidence:
        """The evidence, as it is read from a record."""
        transcript = Transcript(tuple(self.events), self.unplayed)
        samples, processes = tuple(self.samples), tuple(self.processes)
        return gather(
            self.folder,
            self._scenario(specs),
            self._info(),
            transcript,
            samples,
            datagram_samples=tuple(self.datagram_samples),
            processes=processes,
            situation=tuple(self.situation),
            files=tuple(self.files),
        )

    def judge(self, spec: Mapping[str, Any]) -> Judged:
        """What becomes of one check."""
        evidence = self.evidence(spec)
        return judged(checks.judge(evidence.scenario.checks[0], evidence), evidence)

    def _info(self) -> RunInfo:
        captures = [self._write("capture.pcap", "", self.capture or sketch.switch(self.talk), self.dropped)]
        for host, talk in self.loopback.items():
            everywhere = dict.fromkeys(sketch.HOSTS, "127.0.0.1")
            captures.append(
                self._write(f"loopback-{host}.pcap", host, sketch.single(talk, hosts=everywhere), 0)
            )
        return RunInfo(
            run_id="r1",
            file="chat.yaml",
            began=at(-100),
            ended=ENDED,
            versions={},
            addresses={host: {"lan": (address,)} for host, address in sketch.HOSTS.items()},
            interfaces=tuple(
                Interface(index, f"p{index}", host, "lan", self.macs.get(host, ""))
                for host, index in sketch.PORTS.items()
            ),
            captures=tuple(captures),
            sampling=Sampling(at(-100), ENDED, 5 * MS, self.worst_gap, tuple(self.lost)),
            clock_offset=0,
            variables=self.variables,
            held=tuple(self.held),
            carriage_returns=self.carriage_returns,
        )

    def _write(self, name: str, host: str, data: bytes, dropped: int) -> CaptureFile:
        (self.folder / name).write_bytes(data)
        drops = () if host else tuple(self.drops)
        return CaptureFile(name, host, 100, 100, dropped, sealed=True, drops=drops)

    def _scenario(self, specs: Sequence[Mapping[str, Any]]) -> Scenario:
        data = {
            "version": 1,
            "title": "Staged",
            "networks": {"lan": {"subnet": "192.168.153.0/24"}},
            "programs": self.programs,
            "hosts": {
                host: {"address": address, "forward": host in self.routers}
                for host, address in sketch.HOSTS.items()
            },
            "steps": [*self.steps],
            "checks": [*specs] or [{"exit": {"host": "server", "running": True}}],
        }
        return Scenario.model_validate_json(json.dumps(data))
