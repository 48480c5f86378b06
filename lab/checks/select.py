"""Which connections, sockets and programs a check speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lab.core.endpoint import endpoint
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import SocketHistory
from lab.evidence.sockets import SocketRow, SocketSample
from lab.evidence.transcript import Opened, ProgramRun
from lab.scenario import Scenario
from lab.scenario.base import Endpoint
from lab.scenario.script import numbered_lines
from lab.scenario.steps import RUN
from lab.steps.actions.start import Start
from lab.wire.tcp import Connection


def is_meant(program: str, named: str | None) -> bool:
    """Whether a check speaks of a program: the one it names, or without a name all that were started.

    A command of a ``run`` step is no program of its host: it has to be named. A name of several connections
    of the script means each of them.
    """
    return named in {program, program.partition(".")[0]} if named else program != RUN


def model_of(scenario: Scenario, host: str, name: str) -> str:
    """The program of the scenario that a host started under a name of its own, or else under its own."""
    for _, line in numbered_lines(scenario):
        if isinstance(line.action, Start) and line.host == host and line.action.as_ == name:
            return line.action.start
    return name


def whose(host: str, program: str | None) -> str:
    """A host, or one of its programs."""
    return f"{host}.{program}" if program else host


def connections_to(evidence: Evidence, to: Endpoint, from_: str | None = None) -> list[Connection]:
    """The connections and attempts to an endpoint, in their order.

    Who opened one whose SYN was not captured is a guess: it is taken if either end is the endpoint.
    """
    return [connection for connection in evidence.connections if _leads_to(connection, to, from_)]


def _leads_to(connection: Connection, to: Endpoint, from_: str | None) -> bool:
    client, server = connection.sides
    directions = (
        [(client, server), (server, client)] if connection.handshake == "unknown" else [(client, server)]
    )
    return any(
        (there.host, there.port) == (to.host, to.port) and from_ in {None, here.host}
        for here, there in directions
    )


def history_of(evidence: Evidence, host: str) -> SocketHistory:
    """What became of the sockets of a host."""
    return evidence.sockets.get(host, _NOTHING)


_NOTHING = SocketHistory()


def rows_of(evidence: Evidence, host: str, state: TcpState) -> Iterator[tuple[SocketSample, SocketRow]]:
    """The sockets of a host that were in a state: each row with the first sample that shows it so."""
    history = history_of(evidence, host)
    for stand in history.in_state(state):
        yield history.samples[stand.first], stand.row


def host_of(evidence: Evidence, address: str, at: str) -> str:
    """The host that has an address, as host ``at`` sees it: a loopback address is its own."""
    if ip_address(address).is_loopback:
        return at
    return evidence.info.hosts_by_address.get(without_zone(address), "")


def without_zone(address: str) -> str:
    """An address in its shortest form, without the zone it may be told with (RFC 4007, section 11)."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:  # a text that a program printed
        return address


def runs_of(evidence: Evidence, host: str, program: str | None = None) -> list[ProgramRun]:
    """The runs of a host's programs, or of the one named."""
    return [run for run in evidence.runs.get(host, ()) if is_meant(run.started.program, program)]


def went_on(evidence: Evidence, host: str, program: str | None = None) -> bool:
    """Whether a program of a host (or the one named) may yet have done something when the script was over.

    It may if it was still running, and if none was ever started.
    """
    runs = runs_of(evidence, host, program)
    return not runs or any(run.exited is None for run in runs)


def was_started(evidence: Evidence, host: str, program: str | None = None) -> bool:
    """Whether a program of a host (or the one named) was ever started, or opened by the script."""
    opened = (event for event in evidence.transcript.events if isinstance(event, Opened))
    return bool(runs_of(evidence, host, program)) or any(
        one.host == host and is_meant(one.program, program) for one in opened
    )


def listening(evidence: Evidence, host: str) -> tuple[str, ...]:
    """Where programs of a host listened, as ``127.0.0.1:3000``, in the order they were first seen."""
    rows = rows_of(evidence, host, TcpState.LISTEN)
    return tuple(dict.fromkeys(endpoint(row.local, row.local_port) for _, row in rows))
