"""What the sidecar's instruments saw, collected while a run goes on and brought home at its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import Collection, Iterable
from operator import attrgetter
from pathlib import Path
from sys import intern

from msgspec.structs import replace

from lab.agent import protocol
from lab.core import limits
from lab.core.errors import EngineError
from lab.core.files import written
from lab.core.words import MEMORY_ENDS, TcpState
from lab.deploy.deployment import Deployment
from lab.evidence.capture import CaptureFile, Drop, HeldSegment
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.situation import Doing, Killed, OutOfMemory, Situation, SituationEvent, Unread
from lab.evidence.sockets import (
    DatagramSample,
    DatagramSocket,
    Instrument,
    Loss,
    Sampling,
    SocketEnds,
    SocketRow,
    SocketSample,
)

_WINDOW_SECONDS = 0.08
"""Between the two looks that tell a busy program from one that is asleep."""

_HOME_SECONDS = 180.0
"""How long it may take to bring all captures home, be every single answer in time."""

_INSTRUMENTS = {
    protocol.SocketsChanged.event: Instrument.SOCKETS,
    protocol.DatagramSocketsChanged.event: Instrument.DATAGRAMS,
    protocol.ProcessesChanged.event: Instrument.PROCESSES,
    protocol.SegmentHeld.event: Instrument.HOLD,
    protocol.SegmentReleased.event: Instrument.HOLD,
    protocol.ProcessKilled.event: Instrument.ENDS,
    protocol.PeerHeard.event: Instrument.PEERS,
    protocol.PeerEnded.event: Instrument.PEERS,
}
"""Whose evidence is lost with an event."""


_SAMPLED = Instrument.SOCKETS, Instrument.DATAGRAMS, Instrument.PROCESSES
"""The instruments that tell rows."""


class Observer:
    """Hears the agent's events; afterwards fetches what it recorded.

    There is room for so many rows of samples. Half of it is anybody's, and of the other half each of the
    hosts has a part that no other host can fill.
    """

    def __init__(self, hosts: int = 1) -> None:
        self._samples: list[SocketSample] = []
        self._last: dict[str, int] = {}
        self._datagrams: list[DatagramSample] = []
        self._processes: list[ProcessSample] = []
        self._situation: list[SituationEvent] = []
        self._held: dict[int, HeldSegment] = {}
        self._room = dict.fromkeys(_SAMPLED, limits.ROWS // 2)
        self._part = limits.ROWS // 2 // max(1, hosts)
        self._parts: dict[tuple[Instrument, str], int] = {}
        """How many rows there is room for, and how many in the part of each host."""
        self._lost: Counter[tuple[Instrument, str, str, int]] = Counter()

    def hear(self, event: protocol.Event | protocol.Misheard) -> None:
        """Take an event of the agent; one that is not known, or not as it should be, is a loss."""
        instrument, why = _INSTRUMENTS.get(event.event, Instrument.EVENTS), ""
        if isinstance(event, protocol.Misheard):
            why = event.why
        else:
            try:
                self._take(event)
            except (LookupError, TypeError, ValueError) as error:
                why = repr(error)
        if why:
            self._lost[instrument, "", why, 0] += 1

    def _take(self, event: protocol.Event) -> None:
        match event:
            case protocol.SocketsChanged():
                self._take_sockets(event)
            case protocol.DatagramSocketsChanged():
                self._take_datagrams(event)
            case protocol.ProcessesChanged():
                self._take_processes(event)
            case protocol.SegmentHeld():
                self._take_held(event)
            case protocol.SegmentReleased():
                self._take_released(event)
            case protocol.ProcessKilled():
                self._take_killed(event)
            case protocol.PeerHeard() | protocol.PeerEnded():
                pass  # the script hears them
            case _:
                raise LookupError(event.event)

    def _take_held(self, event: protocol.SegmentHeld) -> None:
        if len(self._held) < limits.HELD:
            self._held[event.number] = held_segment(event)
        else:
            self._lost[Instrument.HOLD, event.host, "too-many-held", limits.HELD] += 1

    def _take_released(self, event: protocol.SegmentReleased) -> None:
        if held := self._held.get(event.number):
            self._held[event.number] = replace(held, until=event.at)

    def _take_killed(self, event: protocol.ProcessKilled) -> None:
        self._situation.append(
            Killed(
                at=event.at, host=event.host, pid=event.pid, parent=event.parent, session=event.session,
                number=event.number, name=event.name, status=event.status, dying=event.dying,
            )
        )  # fmt: skip

    def _take_processes(self, event: protocol.ProcessesChanged) -> None:
        needed = sum(1 + len(row[7]) + len(row[8]) for row in event.rows)
        if self._finds_room(Instrument.PROCESSES, event.host, needed):
            programs = tuple(_process(row) for row in event.rows)
            self._processes.append(ProcessSample(event.at, event.host, programs))

    def _take_sockets(self, event: protocol.SocketsChanged) -> None:
        if self._finds_room(Instrument.SOCKETS, event.host, len(event.rows) + len(event.gone)):
            sample = socket_sample(event)
            self._end_last(sample.host, event.before_until, event.before_took)
            self._last[sample.host] = len(self._samples)
            self._samples.append(sample)

    def _take_datagrams(self, event: protocol.DatagramSocketsChanged) -> None:
        if self._finds_room(Instrument.DATAGRAMS, event.host, len(event.rows) + len(event.gone)):
            rows = tuple(map(_datagram_socket, event.rows))
            self._datagrams.append(DatagramSample(event.at, event.host, rows, tuple(event.gone)))

    def _finds_room(self, kind: Instrument, host: str, rows: int) -> bool:
        """Whether a sample of so many rows may be kept; once one may not, nothing more is."""
        needed = 1 + rows
        if self._room[kind] - needed >= 0:
            self._room[kind] -= needed
            return True
        part = self._parts.get((kind, host), self._part) - needed
        self._parts[kind, host] = part if part >= 0 else -1
        if part < 0:
            self._lost[kind, host, "too-many-samples", 0] += 1
        return part >= 0

    def _end_last(self, host: str, until: int, took: int) -> None:
        """Until when what a host's last sample shows was seen to be so."""
        if host in self._last:
            last = self._samples[self._last[host]]
            self._samples[self._last[host]] = replace(last, until=until, took=max(last.took, took))

    @property
    def held(self) -> tuple[HeldSegment, ...]:
        """The segments that were kept back, in that order."""
        return tuple(self._held.values())

    @property
    def samples(self) -> tuple[SocketSample, ...]:
        """What was heard, in the order it was seen."""
        return tuple(self._samples)

    @property
    def datagrams(self) -> tuple[DatagramSample, ...]:
        """What was heard of UDP sockets, in the order it was seen."""
        return tuple(self._datagrams)

    @property
    def processes(self) -> tuple[ProcessSample, ...]:
        """What was heard of processes, in the order it was seen."""
        return tuple(self._processes)

    def saw_killed(self, besides: Collection[int]) -> bool:
        """Whether a process was seen to be ended by SIGKILL or SIGHUP, other than those with these ids."""
        return any(
            isinstance(event, Killed) and event.status in MEMORY_ENDS and event.pid not in besides
            for event in self._situation
        )

    @property
    def has_looked_around(self) -> bool:
        """Whether the script has broken off."""
        return any(isinstance(event, Situation) for event in self._situation)

    @property
    def situation(self) -> tuple[SituationEvent, ...]:
        """What was asked for when the script broke off, and what was killed, in the order of its times."""
        return tuple(sorted(self._situation, key=attrgetter("at")))

    async def look_around(self, deployment: Deployment, unread: Iterable[Unread]) -> None:
        """The script has broken off: ask what every program is doing, and keep what nobody has read."""
        self._situation += unread
        with contextlib.suppress(EngineError):  # without an answer nothing is said of what they do
            told = await deployment.agent.ask(protocol.LookAround(window=_WINDOW_SECONDS))
            self._situation += map(_situation, told)

    async def ask_for_memory(self, deployment: Deployment, since: int, *, patient: bool) -> None:
        """Ask on which hosts a process was killed because the memory was used up (see ``Deployment``)."""
        with contextlib.suppress(EngineError):  # without an answer nothing is said of memory
            told = await deployment.out_of_memory(since, patient=patient)
            self._situation += (OutOfMemory(at, host) for host, at in told)

    async def end_sampling(self, deployment: Deployment) -> Sampling:
        """Stop looking at sockets; how well it was done."""
        end = await deployment.agent.ask(protocol.EndSampling())
        lost = [Loss(Instrument(one.instrument), one.host, one.count, one.why, one.limit) for one in end.lost]
        lost += [
            Loss(kind, host, count, why, limit) for (kind, host, why, limit), count in self._lost.items()
        ]
        return Sampling(end.began, end.ended, end.mean_gap, end.worst_gap, tuple(lost))

    async def end_captures(self, deployment: Deployment, folder: Path) -> tuple[CaptureFile, ...]:
        """End every capture, prove it, and bring its file into the record's folder, in bounded time."""
        hosts = [host.plan.name for host in deployment.hosts.values() if host.plan.loopback]
        wanted = [("capture", ""), *((f"loopback-{host}", host) for host in hosts)]
        try:
            async with asyncio.timeout(_HOME_SECONDS):
                return tuple([await _bring(deployment, folder, name, host) for name, host in wanted])
        except TimeoutError:
            what = f"the captures were not here after {_HOME_SECONDS:g} s"
            fix = "use an engine that is nearer, or a script that sends less"
            raise EngineError("engine-slow", what, where=deployment.engine.address, fix=fix) from None


def _situation(told: protocol.HostSituation) -> Situation:
    doings = tuple(map(_doing, told.processes))
    tcp, bound = (tuple(_socket(*row) for row in rows) for rows in (told.tcp, told.bound))
    udp = tuple(map(_datagram_socket, told.udp))
    return Situation(told.at, told.host, told.window, doings, tcp, bound, udp, told.trouble, told.since)


def _doing(told: protocol.Doing) -> Doing:
    return Doing(
        _process(told.row), used=told.used, waited=told.waited, awake=told.awake, running=told.running,
        stopped=told.stopped, input=told.input, unlisted=told.unlisted, status=told.status,
        used_since=told.used_since, waited_since=told.waited_since,
    )  # fmt: skip


def held_segment(event: protocol.SegmentHeld) -> HeldSegment:
    """The segment that the agent has kept back."""
    return HeldSegment(
        at=event.at, until=0, host=event.host, step=event.step,
        source=event.source, source_port=event.source_port,
        target=event.target, target_port=event.target_port,
        seq=event.seq, ack=event.ack, flags=event.flags, length=event.length,
    )  # fmt: skip


def socket_sample(event: protocol.SocketsChanged) -> SocketSample:
    """What a look of the agent has shown."""
    rows = tuple(_socket(*row) for row in event.rows)
    gone = tuple(
        SocketEnds(intern(here), port, intern(there), peer) for here, port, there, peer in event.gone
    )
    at, counts = event.at, event.counts._asdict()
    return SocketSample(
        at, event.host, rows, **counts, took=event.took, until=at, whole=event.whole, gone=gone
    )


def _socket(state: str, local: str, local_port: int, remote: str, *rest: int) -> SocketRow:
    return SocketRow(TcpState(state), intern(local), local_port, intern(remote), *rest)


def _datagram_socket(row: protocol.DatagramRow) -> DatagramSocket:
    local, port, remote, peer_port, queue, drops, inode = row
    return DatagramSocket(intern(local), port, intern(remote), peer_port, queue, inode, drops)


def _process(row: protocol.ProcessRow) -> ProcessRow:
    pid, parent, session, number, name, zombie, descriptors, sockets, asleep, mark = row
    sleeps = tuple(Sleep(call, inode) for call, inode in asleep)
    return ProcessRow(pid, parent, session, number, name, zombie, descriptors, sockets, sleeps, mark)


async def _bring(deployment: Deployment, folder: Path, name: str, host: str) -> CaptureFile:
    ask = deployment.agent.ask
    end = await ask(protocol.EndCapture(capture=name))
    offset = 0
    with written(folder / f"{name}.pcap") as file:
        while offset < end.size:
            piece = await ask(protocol.ReadCapture(capture=name, offset=offset))
            chunk = base64.b64decode(piece)
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
    drops = tuple(Drop(*drop) for drop in end.drops)
    counts = end.captured, end.received, end.dropped
    return CaptureFile(f"{name}.pcap", host, *counts, sealed=end.sealed, full=end.full, drops=drops)
