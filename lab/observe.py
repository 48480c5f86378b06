"""What the sidecar's instruments saw, collected while a run goes on and brought home at its end."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from sys import intern
from typing import Any

from lab.capture import CaptureFile, HeldSegment
from lab.deploy import Deployment
from lab.processes import ProcessRow, ProcessSample, Sleep
from lab.sockets import Sampling, SocketEnds, SocketRow, SocketSample
from lab.words import kernel_state

ROWS_KEPT = 200_000
"""Rows in all samples of the sockets of a run, and as many in those of the processes.

What opens thousands must not eat the memory.
"""

HELD_KEPT = 10_000
"""Segments kept back whose times a record holds."""


class Observer:
    """Hears the agent's events; afterwards fetches what it recorded."""

    def __init__(self) -> None:
        self._samples: list[SocketSample] = []
        self._last: dict[str, int] = {}
        self._processes: list[ProcessSample] = []
        self._held: dict[int, HeldSegment] = {}
        self._room = dict.fromkeys(("sockets", "processes"), ROWS_KEPT)

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the agent.

        Sockets or processes of a host have changed, or a segment was kept back or went on.
        """
        kind = event["event"]
        if kind == "held" and len(self._held) < HELD_KEPT:
            self._held[event["number"]] = held_in(event)
        if kind == "released" and (held := self._held.get(event["number"])):
            self._held[event["number"]] = replace(held, until=event["at"])
        if kind in {"held", "released"}:
            return
        self._room[kind] -= 1 + len(event["rows"]) + len(event.get("gone", ()))
        if self._room[kind] < 0:
            return
        if kind == "processes":
            programs = tuple(_process(row) for row in event["rows"])
            self._processes.append(ProcessSample(event["at"], event["host"], programs))
            return
        self._end_last(event["host"], **event["before"])
        self._last[event["host"]] = len(self._samples)
        self._samples.append(_sample(event))

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

    async def end_sampling(self, deployment: Deployment) -> Sampling:
        """Stop looking at sockets; how well it was done."""
        told = await deployment.agent.ask("end_sample")
        for kind, key in (("sockets", "trouble"), ("processes", "process_trouble")):
            if self._room[kind] < 0:
                told[key] = told[key] or f"the samples held more than {ROWS_KEPT} {kind}"
        return Sampling(**told)

    async def end_captures(self, deployment: Deployment, folder: Path) -> tuple[CaptureFile, ...]:
        """End every capture, prove it, and bring its file into the record's folder."""
        hosts = [host.plan.name for host in deployment.hosts.values() if host.plan.loopback]
        wanted = [("capture", ""), *((f"loopback-{host}", host) for host in hosts)]
        return tuple([await _bring(deployment, folder, name, host) for name, host in wanted])


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
    pid, parent, session, number, name, zombie, descriptors, sockets, asleep = row
    sleeps = tuple(Sleep(call, inode) for call, inode in asleep)
    return ProcessRow(pid, parent, session, number, name, zombie, descriptors, tuple(sockets), sleeps)


async def _bring(deployment: Deployment, folder: Path, name: str, host: str) -> CaptureFile:
    proof = await deployment.agent.ask("end_capture", name=name)
    size = proof.pop("size")
    offset = 0
    with (folder / f"{name}.pcap").open("wb") as file:
        while offset < size:
            chunk = base64.b64decode(await deployment.agent.ask("read_capture", name=name, offset=offset))
            if not chunk:
                break
            file.write(chunk)
            offset += len(chunk)
    return CaptureFile(f"{name}.pcap", host, **proof)
