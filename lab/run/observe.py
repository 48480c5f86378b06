"""What the sidecar's instruments saw, collected while a run goes on and brought home at its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from operator import attrgetter
from pathlib import Path
from sys import intern
from typing import Any

from msgspec.structs import replace

from lab.core import limits
from lab.core.errors import EngineError
from lab.core.files import written
from lab.core.words import MEMORY_ENDS, kernel_state
from lab.deploy.deployment import Deployment
from lab.evidence.capture import CaptureFile, Drop, HeldSegment
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.situation import Doing, Killed, OutOfMemory, Situation, SituationEvent, Unread
from lab.evidence.sockets import Instrument, Loss, Sampling, SocketEnds, SocketRow, SocketSample

_WINDOW_SECONDS = 0.08
"""Between the two looks that tell a busy program from one that is asleep."""

_HOME_SECONDS = 180.0
"""How long it may take to bring all captures home, be every single answer in time."""


class Observer:
    """Hears the agent's events; afterwards fetches what it recorded.

    There is room for so many rows of samples. Half of it is anybody's, and of the other half each of the
    hosts has a part that no other host can fill.
    """

    def __init__(self, hosts: int = 1) -> None:
        self._samples: list[SocketSample] = []
        self._last: dict[str, int] = {}
        self._processes: list[ProcessSample] = []
        self._situation: list[SituationEvent] = []
        self._held: dict[int, HeldSegment] = {}
        self._room = dict.fromkeys((Instrument.SOCKETS, Instrument.PROCESSES), limits.ROWS // 2)
        self._part = limits.ROWS // 2 // max(1, hosts)
        self._parts: dict[tuple[Instrument, str], int] = {}
        """How many rows there is room for, and how many in the part of each host."""
        self._lost: Counter[tuple[Instrument, str, str]] = Counter()
        self._hearers: dict[str, tuple[Instrument, Callable[[dict[str, Any]], None]]] = {
            "sockets": (Instrument.SOCKETS, self._hear_sockets),
            "processes": (Instrument.PROCESSES, self._hear_processes),
            "held": (Instrument.HOLD, self._hear_held),
            "released": (Instrument.HOLD, self._hear_released),
            "killed": (Instrument.ENDS, self._hear_killed),
        }

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the agent; one that is not known is a loss."""
        name = str(event["event"])
        if name not in self._hearers:
            self._lost[Instrument.EVENTS, "", repr(name[:100])] += 1
            return
        instrument, hearer = self._hearers[name]
        try:
            hearer(event)
        except (LookupError, TypeError, ValueError) as error:
            self._lost[instrument, "", f"an event of the sidecar is not as it should be: {error!r}"] += 1

    def _hear_held(self, event: dict[str, Any]) -> None:
        if len(self._held) < limits.HELD:
            self._held[event["number"]] = held_in(event)
        else:
            self._lost[Instrument.HOLD, event["host"], f"there were more than {limits.HELD}"] += 1

    def _hear_released(self, event: dict[str, Any]) -> None:
        if held := self._held.get(event["number"]):
            self._held[event["number"]] = replace(held, until=event["at"])

    def _hear_killed(self, event: dict[str, Any]) -> None:
        self._situation.append(Killed(**{key: value for key, value in event.items() if key != "event"}))

    def _hear_processes(self, event: dict[str, Any]) -> None:
        if self._finds_room(Instrument.PROCESSES, event):
            programs = tuple(_process(row) for row in event["rows"])
            self._processes.append(ProcessSample(event["at"], event["host"], programs))

    def _hear_sockets(self, event: dict[str, Any]) -> None:
        if self._finds_room(Instrument.SOCKETS, event):
            sample = _sample(event)
            self._end_last(sample.host, **event["before"])
            self._last[sample.host] = len(self._samples)
            self._samples.append(sample)

    def _finds_room(self, kind: Instrument, event: dict[str, Any]) -> bool:
        """Whether so much may be kept; once it may not, nothing more is."""
        several = (value for row in event["rows"] for value in row if isinstance(value, list))
        needed = 1 + len(event["rows"]) + len(event.get("gone", ())) + sum(map(len, several))
        if self._room[kind] - needed >= 0:
            self._room[kind] -= needed
            return True
        host = event["host"]
        part = self._parts.get((kind, host), self._part) - needed
        self._parts[kind, host] = part if part >= 0 else -1
        if part < 0:
            self._lost[kind, host, f"the samples held too many {kind}"] += 1
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
            told = await deployment.agent.ask("situation", window=_WINDOW_SECONDS)
            self._situation += [_host_situation(one) for one in told]

    async def ask_for_memory(self, deployment: Deployment, since: int, *, patient: bool) -> None:
        """Ask on which hosts a process was killed because the memory was used up (see ``Deployment``)."""
        with contextlib.suppress(EngineError):  # without an answer nothing is said of memory
            told = await deployment.out_of_memory(since, patient=patient)
            self._situation += (OutOfMemory(at, host) for host, at in told)

    async def end_sampling(self, deployment: Deployment) -> Sampling:
        """Stop looking at sockets; how well it was done."""
        told = await deployment.agent.ask("end_sample")
        lost = [
            Loss(Instrument(one["instrument"]), one["host"], one["count"], one["why"])
            for one in told.pop("lost")
        ]
        lost += [Loss(kind, host, count, why) for (kind, host, why), count in self._lost.items()]
        return Sampling(**told, lost=tuple(lost))

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


def _host_situation(told: dict[str, Any]) -> Situation:
    processes = tuple(Doing(_process(one.pop("row")), **one) for one in told["processes"])
    tables = {name: tuple(_socket(*row) for row in told[name]) for name in ("tcp", "bound", "udp")}
    return Situation(told["at"], told["host"], told["window"], processes, **tables, trouble=told["trouble"])


def held_in(event: dict[str, Any]) -> HeldSegment:
    """The segment that the agent tells to have kept back."""
    return HeldSegment(event["at"], 0, event["host"], event["step"], **event["segment"])


def _sample(event: dict[str, Any]) -> SocketSample:
    rows = tuple(_socket(*row) for row in event["rows"])
    gone = tuple(
        SocketEnds(intern(here), port, intern(there), peer) for here, port, there, peer in event["gone"]
    )
    at, host, took, whole = event["at"], event["host"], event["took"], event["whole"]
    return SocketSample(at, host, rows, **event["counts"], took=took, until=at, whole=whole, gone=gone)


def _socket(state: int, local: str, local_port: int, remote: str, *rest: int) -> SocketRow:
    return SocketRow(kernel_state(state), intern(local), local_port, intern(remote), *rest)


def _process(row: list[Any]) -> ProcessRow:
    pid, parent, session, number, name, zombie, descriptors, sockets, asleep, mark = row
    sleeps = tuple(Sleep(call, inode) for call, inode in asleep)
    return ProcessRow(pid, parent, session, number, name, zombie, descriptors, tuple(sockets), sleeps, mark)


async def _bring(deployment: Deployment, folder: Path, name: str, host: str) -> CaptureFile:
    proof = await deployment.agent.ask("end_capture", name=name)
    size, drops = proof.pop("size"), tuple(Drop(**drop) for drop in proof.pop("drops"))
    offset = 0
    with written(folder / f"{name}.pcap") as file:
        while offset < size:
            chunk = base64.b64decode(await deployment.agent.ask("read_capture", name=name, offset=offset))
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
    return CaptureFile(f"{name}.pcap", host, **proof, drops=drops)
