"""A lab that is up, seen from its sidecar: where its cables end, and what is sent there now."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import closing
from ipaddress import ip_address
from typing import Any

from msgspec import Struct

from lab.core.errors import EngineError
from lab.core.escape import one_line
from lab.deploy.clock import ahead
from lab.deploy.labs import Lab
from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.containers import Container
from lab.engine.frames import STDOUT, Frames
from lab.evidence.capture import Interface, link_local

_ANSWER_SECONDS = 30.0
_SNAPLEN = 2048
"""Bytes that are kept of a frame. In the kernel's ring each takes so many, whatever its own: the fewer, the
more fit in."""

_RING_KIB = 65536
_TCPDUMP = (
    "tcpdump", "-n", "-p", "-U", "--immediate-mode", "--nano", "-Z", "root", "-B", str(_RING_KIB), "-w", "-",
)  # fmt: skip
"""What it writes is whole at any moment, with times in ns."""

_LOOPBACK = re.compile(r"loopback-(.+)\.pcap")
"""How the agent names the capture of a host's loopback."""

_GOING_SECONDS = 5.0
"""How long the engine may list a container that has ended."""


class Cable(Struct, frozen=True):
    """A host's interface: its number there, and that of the port where its cable ends in the sidecar."""

    host: str
    device: str
    own: int
    port: int
    mac: str

    @property
    def interface(self) -> Interface:
        """The port, as captures of the sidecar number it."""
        return Interface(self.port, "", self.host, "", self.mac)


class Visit:
    """What can be asked of a lab that is up, and of its hosts by name. EngineError if it is up no more."""

    def __init__(self, engine: Engine, lab: Lab) -> None:
        self._engine = engine
        self._lab = lab
        self._sidecar = _sidecar(lab)
        self.pids = {host.labels.host: box.first_process(engine, host.id) for host in lab.hosts}

    def cables(self) -> tuple[Cable, ...]:
        """The cables of all hosts."""
        found: list[Cable] = []
        for host, pid in self.pids.items():
            links = json.loads(self.said(self._inside(pid, "ip", "-json", "link")))
            found += [_cable(host, link) for link in links if link.get("link_index")]
        return tuple(found)

    def names(self, cables: Sequence[Cable]) -> dict[str, str]:
        """Whose each address is, in its shortest form."""
        names = {
            str(ip_address(address)): host.labels.host
            for host in self._lab.hosts
            for address in host.labels.addresses.split()
        }
        return names | dict(link_local(cable.interface for cable in cables))

    def loopbacks(self) -> tuple[str, ...]:
        """The hosts whose loopback the scenario wants to be captured."""
        files = self.said(("ls", box.CAPTURES)).decode().split()
        found = {one[1] for one in map(_LOOPBACK.fullmatch, files) if one}
        return tuple(host for host in self.pids if host in found)

    def clock_offset(self) -> int:
        """How far the clock of the machine that captures is ahead of ours, in ns."""
        asked = time.time_ns()
        there = int(self.said(("date", "+%s%N")))
        return ahead(asked, there, time.time_ns())

    def capture(self, host: str = "", *, interface: str = "any", snaplen: int = _SNAPLEN) -> box.Exec:
        """A capture from now on, as pcap: of the switch, or at one host. It ends with the connection."""
        command: Sequence[str] = (*_TCPDUMP, "-i", interface, "-s", str(snaplen))
        if host:
            command = self._inside(self.pids[host], *command)
        return self._start(("python3", "-I", "-u", "-m", "agent.until", *command))

    def runs(self, program: box.Exec) -> bool:
        """Whether a command still runs: the engine may leave its connection open when the lab is removed."""
        try:
            return box.exec_status(self._engine, program.id).running
        except EngineError:
            return False

    def require_gone(self) -> None:
        """Return if the lab is up no more. EngineError if it is: only what ran in its sidecar has ended."""
        deadline = time.monotonic() + _GOING_SECONDS
        while any(one.id == self._sidecar.id for one in box.ours(self._engine, self._lab.run_id)):
            if time.monotonic() > deadline:
                raise EngineError("sidecar", "the capture in the lab's sidecar has ended", fix="lab doctor")
            time.sleep(0.05)

    def said(self, command: Sequence[str]) -> bytes:
        """What a command in the sidecar prints. EngineError if it fails or takes too long."""
        program = self._start(command)
        connection, frames = program.stream.socket, Frames()
        printed = {True: bytearray(), False: bytearray()}
        with closing(connection):
            connection.settimeout(_ANSWER_SECONDS)
            try:
                data = program.stream.early or connection.recv(1 << 16)
                while data:
                    for pipe, piece in frames.feed(data):
                        printed[pipe == STDOUT] += piece
                    data = connection.recv(1 << 16)
            except OSError as error:
                raise EngineError("sidecar", f"the lab's sidecar does not answer: {error}") from error
        if self._status(program.id):
            trouble = one_line(printed[False].decode(errors="replace").strip())
            raise EngineError(
                "sidecar", f"the lab's sidecar could not do its work: {trouble}", fix="lab doctor"
            )
        return bytes(printed[True])

    def _start(self, command: Sequence[str]) -> box.Exec:
        return box.exec_start(self._engine, self._sidecar.id, command, tty=False, workdir="/")

    def _status(self, program: str) -> int:
        """How it ended; the engine may know a moment after its output has."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while (state := box.exec_status(self._engine, program)).running and time.monotonic() < deadline:
            time.sleep(0.01)
        return state.status or 0

    def _inside(self, pid: int, *command: str) -> tuple[str, ...]:
        return "nsenter", f"--net=/proc/{pid}/ns/net", *command


def _sidecar(lab: Lab) -> Container:
    for container in lab.others:
        if container.labels.role == "sidecar" and container.state == "running":
            return container
    raise EngineError("sidecar-gone", f"the sidecar of lab {lab.run_id} does not run", fix="start it again")


def _cable(host: str, link: dict[str, Any]) -> Cable:
    return Cable(host, link["ifname"], link["ifindex"], link["link_index"], link.get("address", ""))
