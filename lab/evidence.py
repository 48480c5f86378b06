"""Everything that was observed in one run: the only thing that checks may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from lab.capture import CaptureFile, Interface
from lab.errors import EvidenceError
from lab.flows import MOST_CONNECTIONS, Connection, Flows, Vantage
from lab.packets import Reader
from lab.processes import ProcessSample
from lab.scenario import Scenario
from lab.sockets import Sampling, SocketSample
from lab.transcript import Transcript


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Where, when and with what a run was made."""

    run_id: str
    file: str
    began: int
    ended: int
    versions: Mapping[str, str]
    addresses: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Host -> network -> addresses."""
    interfaces: tuple[Interface, ...]
    captures: tuple[CaptureFile, ...]
    sampling: Sampling
    clock_offset: int
    """Nanoseconds that were added to the CLI's clock to get the capture's."""
    variables: Mapping[str, str]
    """The texts that ``${...}`` stood for: nonce and captured groups."""
    trouble: str = ""
    """What cut the observation short, in words; empty when nothing did."""

    def hosts_by_address(self) -> Mapping[str, str]:
        """Which host has an address; addresses in their shortest form."""
        return {
            str(ip_address(address)): host
            for host, networks in self.addresses.items()
            for addresses in networks.values()
            for address in addresses
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, ready to be judged.

    ``connections`` are those of all captures in the order of their first SYN (or first frame);
    ``unsound`` says what in the captures could not be read, in words: the file, a colon, the sentence.
    """

    scenario: Scenario
    info: RunInfo
    transcript: Transcript
    connections: tuple[Connection, ...]
    samples: tuple[SocketSample, ...]
    unsound: tuple[str, ...] = ()
    processes: tuple[ProcessSample, ...] = ()


def gather(
    folder: Path,
    scenario: Scenario,
    info: RunInfo,
    transcript: Transcript,
    samples: tuple[SocketSample, ...],
    *,
    processes: tuple[ProcessSample, ...] = (),
) -> Evidence:
    """The evidence of a record: its captures, which lie in ``folder``, are read here.

    Raises EvidenceError for a capture that cannot be opened; one that is damaged is told in ``unsound``.
    """
    connections: list[Connection] = []
    unsound: list[str] = []
    for capture in info.captures:
        found, damage = _read(folder / capture.path, capture, info)
        connections += found
        unsound += (f"{capture.path}: {sentence}" for sentence in damage)
    connections.sort(
        key=lambda connection: (connection.began.time, connection.capture, connection.began.frame)
    )
    return Evidence(scenario, info, transcript, tuple(connections), samples, tuple(unsound), processes)


def _read(path: Path, capture: CaptureFile, info: RunInfo) -> tuple[tuple[Connection, ...], tuple[str, ...]]:
    let_go = 0

    def count(_: Connection) -> None:
        nonlocal let_go
        let_go += 1

    flows = Flows(_vantage(capture, info), capture.path, most=MOST_CONNECTIONS, retire=count)
    try:
        with path.open("rb") as stream:
            reader = Reader(stream)
            for segment in reader:
                flows.add(segment)
    except OSError as error:
        what = f"the capture cannot be read: {error.strerror}"
        raise EvidenceError("capture-unreadable", what, where=str(path)) from error
    flood = (f"{let_go} connections more than {MOST_CONNECTIONS} are not kept",) if let_go else ()
    return flows.connections(), (*reader.unsound, *flood)


def _vantage(capture: CaptureFile, info: RunInfo) -> Vantage:
    if capture.host:
        return Vantage(alone=capture.host)
    ports = {interface.index: interface.host for interface in info.interfaces if interface.host}
    return Vantage(info.hosts_by_address(), ports)
