"""Who listens where: a port that is not listened on as it should be, and an address that is nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    AddressInUse,
    Cause,
    HeldByAnother,
    LoopbackOnly,
    NoSuchAddress,
    NotListening,
    NotPassedOn,
    NotRaw,
    OtherPort,
    OtherUdpPort,
    ServesTcp,
    ServesUdp,
    SwappedPort,
)
from lab.checks.printed import printed_by
from lab.checks.programs import Ended, ProgramState
from lab.checks.proofs import meaning_of
from lab.checks.select import host_of
from lab.checks.subjects.connection import ConnectionCheck
from lab.checks.subjects.listener import ListenerCheck
from lab.core.words import TcpState
from lab.evidence.sockets import SocketRow
from lab.scenario.script import numbered_lines, ports_awaited
from lab.scenario.steps import RUN
from lab.steps.actions.start import Start

_NOT_PERMITTED = "Operation not permitted"
"""What strerror(EPERM) is there."""

_TRACEBACK = 1000
"""Characters before it in which a traceback names the call."""

_IN_USE = "Address already in use"
"""What strerror(EADDRINUSE) is in the C locale."""


def ports(failure: Failure) -> Iterator[Cause]:
    """Why nobody listens on the ports that the step waited for, or that refused somebody."""
    for one in failure.mine:
        for port in ports_awaited(failure.evidence.scenario, failure.line):
            yield from _not_there(failure, one, port)
        yield from _not_bound(failure, one)
    for client, host, port in _refused(failure):
        yield from _refused_at(failure, client, host, port)


def _not_there(failure: Failure, one: ProgramState, port: int) -> Iterator[Cause]:
    """Why a program is not found to listen on a port."""
    listeners, name = failure.scene.listeners(one.host), failure.scene.named(one)
    mine = tuple(sorted({row.local_port for row in listeners if row.inode in one.inodes}))
    if port in mine or isinstance(one.state, Ended):
        return
    if holder := next((row for row in listeners if row.local_port == port), None):
        other = failure.scene.holder_of(one.host, holder.inode)
        if other is not None:
            yield HeldByAnother(name, port, failure.scene.named(other))
    elif swapped(port) in mine:
        yield SwappedPort(name, port, swapped(port))
    elif mine:
        yield OtherPort(name, port, mine)
    else:
        yield from _without_listener(failure, one, port)


def _without_listener(failure: Failure, one: ProgramState, port: int) -> Iterator[Cause]:
    seen, name = failure.scene.hosts.get(one.host), failure.scene.named(one)
    udp = [row.local_port for row in (seen.udp if seen else ()) if row.inode in one.inodes]
    bound = [row.local_port for row in (seen.bound if seen else ()) if row.inode in one.inodes]
    if port in udp:
        yield ServesUdp(name, port)
    elif bound:
        yield NotListening(name, port if port in bound else bound[0])
    elif any(doing.unlisted for doing in one.own):
        yield NotListening(name, 0)


def _not_bound(failure: Failure, one: ProgramState) -> Iterator[Cause]:
    """Why a program is not found to be bound to a UDP port that the step waited for."""
    seen, name = failure.scene.hosts.get(one.host), failure.scene.named(one)
    if seen is None or isinstance(one.state, Ended):
        return
    udp = tuple(sorted({row.local_port for row in seen.udp if row.inode in one.inodes and row.local_port}))
    tcp = {row.local_port for row in (*seen.tcp, *seen.bound) if row.inode in one.inodes}
    action = failure.line.action if failure.line else None
    model = failure.evidence.scenario.programs[action.start] if isinstance(action, Start) else None
    wanted = model.ports("udp") if model else ()
    for port in (port for port in wanted if port not in udp):
        if port in tcp:
            yield ServesTcp(name, port)
        elif udp:
            yield OtherUdpPort(name, port, udp)


def _refused(failure: Failure) -> Iterator[tuple[str, str, int]]:
    """The attempts that were refused before the step failed: from which host, to which, at which port."""
    tried = [
        (connection.client.host, connection.server.host, connection.server.port)
        for connection in failure.evidence.connections
        if connection.handshake == "refused" and connection.began.time <= failure.step.at
    ]
    yield from dict.fromkeys(tried)


def _refused_at(failure: Failure, client: str, host: str, port: int) -> Iterator[Cause]:
    listeners = failure.scene.listeners(host)
    if local := next((row for row in listeners if row.local_port == port), None):
        holder = failure.scene.holder_of(host, local.inode)
        if holder and client != host and ip_address(local.local).is_loopback:
            yield LoopbackOnly(failure.scene.named(holder), local.local, port)
        return
    meant = swapped(port)
    if _is_meant(failure, host, meant) and any(row.local_port == meant for row in listeners):
        yield SwappedPort(client, meant, port, connects=True)
        return
    if not _is_meant(failure, host, port):
        return
    for one in failure.scene.programs:
        if one.host == host and not isinstance(one.state, Ended):
            yield from _not_there(failure, one, port)


def _is_meant(failure: Failure, host: str, port: int) -> bool:
    """Whether a host is said to listen on a port: by a program, by the script, or by a check."""
    scenario = failure.evidence.scenario
    names = {
        line.action.start
        for _, line in numbered_lines(scenario)
        if isinstance(line.action, Start) and line.host == host
    }
    said = {port for name in names for port in scenario.programs[name].ports("tcp")}
    for check in scenario.checks:
        if isinstance(check, ListenerCheck) and check.listener.host == host:
            said.add(check.listener.port)
        elif isinstance(check, ConnectionCheck) and check.connection.to.host == host:
            said.add(check.connection.to.port)
    return port in said


def in_use(failure: Failure) -> Iterator[AddressInUse | HeldByAnother]:
    """Who was in the way of a program that said so."""
    for one in failure.scene.programs:
        if one.name == RUN or _IN_USE not in printed_by(failure.evidence, one.run):
            continue
        listeners = failure.scene.listeners(one.host)
        model = failure.model_of(one)
        for port in model.ports("tcp") if model else ():
            held = [row for row in listeners if row.local_port == port and row.inode not in one.inodes]
            holder = next(filter(None, (failure.scene.holder_of(one.host, row.inode) for row in held)), None)
            if holder:
                yield HeldByAnother(failure.scene.named(one), port, failure.scene.named(holder))
            elif not held and _in_time_wait(failure, one.host, port):
                yield AddressInUse(failure.scene.named(one), port)


def not_raw(failure: Failure) -> Iterator[NotRaw]:
    """Programs that were refused a socket, on hosts without raw sockets: all others everybody may open."""
    for one in failure.scene.programs:
        host = failure.evidence.scenario.hosts[one.host]
        if one.name != RUN and not host.raw and _was_refused(printed_by(failure.evidence, one.run)):
            yield NotRaw(failure.scene.named(one), one.host)


def _was_refused(printed: str) -> bool:
    """Whether a program has printed that it may not open a socket: the traceback of Python, or perror(3)."""
    before, refused, _ = printed.partition(_NOT_PERMITTED)
    return bool(refused) and "socket" in before[-_TRACEBACK:].lower()


def _in_time_wait(failure: Failure, host: str, port: int) -> bool:
    """Whether a connection of a port was in TIME_WAIT when the step failed."""
    seen = failure.scene.hosts.get(host)
    return any(
        row.state is TcpState.TIME_WAIT and row.local_port == port for row in (seen.tcp if seen else ())
    )


def nowhere(failure: Failure) -> Iterator[NoSuchAddress]:
    """Addresses that no host has, and the last that a host of the step has tried."""
    for host in dict.fromkeys((failure.step.host.partition(".")[0], failure.addressed[0])):
        if not (tried := sorted(_tried(failure, host), key=lambda one: one[0])):
            continue
        at, row = tried[-1]
        later = any(
            connection.client.host == host and at < connection.began.time <= failure.step.at
            for connection in failure.evidence.connections
        )
        if not later and not host_of(failure.evidence, row.remote, host):
            yield NoSuchAddress(host, row.remote, row.remote_port)


def not_passed_on(failure: Failure) -> Iterator[NotPassedOn]:
    """What was said by ICMP, before the step failed, of connections that were never made."""
    evidence = failure.evidence
    hosts = evidence.info.hosts_by_address
    for connection in evidence.connections:
        if connection.handshake in {"no_reply", "half_open"}:
            for error in evidence.icmp_about(connection):
                if error.about and error.at.time <= failure.step.at:
                    ends = error.about.flow.source, error.about.flow.target
                    sender, target = (hosts.get(address, address) for address in ends)
                    yield NotPassedOn(sender, target, error.who, meaning_of(error))


def _tried(failure: Failure, host: str) -> Iterator[tuple[int, SocketRow]]:
    """The attempts of a host to connect that its kernel showed, and when, also without a frame."""
    until = failure.scene.looked_at(host)
    if history := failure.evidence.sockets.get(host):
        for stand in history.in_state(TcpState.SYN_SENT):
            if (at := history.samples[stand.first].at) <= until:
                yield at, stand.row
    if seen := failure.scene.hosts.get(host):
        yield from ((until, row) for row in seen.tcp if row.state is TcpState.SYN_SENT)


def swapped(port: int) -> int:
    """A port with its two bytes the other way round: what htons() is for."""
    return (port & 0xFF) << 8 | port >> 8
