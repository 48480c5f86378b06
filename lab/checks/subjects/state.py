"""``state``: a socket of a host was, or never was, in a TCP state.

The kernel's samples show it; the capture, replayed at the host's own port, shows what was too short to
sample. LISTEN leaves no frame, and a kernel may skip TIME_WAIT though the last ACK was sent: these two
rest on the samples alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.checks import completeness
from lab.checks.agreement import Agreement
from lab.checks.check import Check
from lab.checks.finding import conclude, find
from lab.checks.holders import holders
from lab.checks.proofs import frame, named
from lab.checks.select import history_of, host_of, rows_of
from lab.core.endpoint import endpoint
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.sockets import SocketRow
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import HostName, Model, Port
from lab.scenario.mistake import Mistake

_KERNEL_ONLY = frozenset({TcpState.LISTEN, TcpState.TIME_WAIT})
_UNSAMPLED = frozenset({TcpState.CLOSED})
"""States that no socket table ever shows."""

_OPEN = TcpState.ESTABLISHED

_BOTH_CLOSED = frozenset({TcpState.TIME_WAIT, TcpState.LAST_ACK})

_CONNECTED = frozenset(TcpState) - {TcpState.LISTEN, TcpState.SYN_SENT}


class StateRef(Model):
    """A TCP state of a host's socket, as its kernel says."""

    heading: ClassVar[str] = "Which state"

    host: Annotated[HostName, Field(description="The host")]
    state: Annotated[TcpState, Field(description="The state, as RFC 9293 calls it")]
    peer: Annotated[HostName | None, Field(description="The host at the other end; any unless given")] = None
    port: Annotated[Port | None, Field(description="The port at either end; any unless given")] = None
    owner: Annotated[
        Literal["none", "process"] | None,
        Field(description="none: no process holds the socket; process: one does; either unless given"),
    ] = None
    observed: Annotated[bool, Field(description="false: it never was in this state")] = True


class StateCheck(Check):
    """A socket of a host was (or was never) in a state."""

    subject: ClassVar[str] = "state"

    state: Annotated[StateRef, Field(description="Which one, and where")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """A state that no socket is in."""
        if self.state.state is TcpState.CLOSED:
            what = ": CLOSED is no state of a socket, but its absence"
            yield Mistake("contradiction", ("state", "state"), what, "name another state")

    @property
    def title(self) -> str:
        return f"state {self.state.state} on {self.state.host}"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Look for the state in the samples and in the replayed capture."""
        ref = self.state
        sampled = list(_sampled(ref, evidence))
        replayed, disputed = ([], None) if _kernel_only(ref) else _replayed(ref, evidence)
        seen, socket, state = bool(sampled or replayed), _socket(ref), _state(ref)
        finding = find(
            message("socket-is-in" if ref.observed else "socket-never-is-in", socket=socket, state=state),
            message("socket-was-in", socket=socket, state=state)
            if seen
            else [message("socket-never-was-in", socket=socket, state=state), *_instead(ref, evidence)],
            [*sampled[:1], *replayed],
            holds=seen == ref.observed,
            doubt=disputed or _lacking(ref, evidence),
            proven=bool(sampled) or (seen and not disputed),
            absent=not seen and not _others(ref, evidence),
        )
        return conclude(self, [finding])


def _kernel_only(ref: StateRef) -> bool:
    """Whether no frame can tell: who holds a socket is never on the wire, nor are some states."""
    return ref.state in _KERNEL_ONLY or ref.owner is not None


def _socket(ref: StateRef) -> Message:
    return message("socket-of", host=ref.host, peer=ref.peer, port=ref.port)


def _state(ref: StateRef) -> Message:
    return message("owned-state", state=ref.state, owner=ref.owner)


def _sampled(ref: StateRef, evidence: Evidence) -> Iterator[Proof]:
    for sample, row in rows_of(evidence, ref.host, ref.state):
        owner = "process" if row.inode else "none"
        if _meant(row, ref, evidence) and ref.owner in {None, owner}:
            where, state = endpoint(row.local, row.local_port), _state(ref)
            yield proof("socket", "kernel-shows-at", host=ref.host, time=sample.at, state=state, where=where)


def _meant(row: SocketRow, ref: StateRef, evidence: Evidence) -> bool:
    """Whether a socket has the port and the peer that the check speaks of."""
    ports = {None, row.local_port, row.remote_port}
    return ref.port in ports and ref.peer in {None, host_of(evidence, row.remote, ref.host)}


def _replayed(ref: StateRef, evidence: Evidence) -> tuple[list[Proof], Message | None]:
    """The frames that show the state, and what the kernel has against that where nothing else shows it."""
    agreement = Agreement(ref.host, evidence)
    shown: list[Proof] = []
    disputed: list[Message | None] = []
    for connection in evidence.connections:
        ports = {None, connection.client.port, connection.server.port}
        for side in connection.sides:
            at = side.entered(ref.state)
            peer = connection.peer_of(side)
            if at and side.host == ref.host and ref.peer in {None, peer.host} and ref.port in ports:
                host = named(side)
                shown.append(frame(evidence, connection, at, "goes-to", host=host, state=ref.state))
                disputed.append(agreement.dispute(connection, side, ref.state))
    return shown, disputed[0] if all(disputed) and disputed else None


def _lacking(ref: StateRef, evidence: Evidence) -> Message | None:
    kernel = None if ref.state in _UNSAMPLED else completeness.of_sampling(evidence, ref.host)
    if _kernel_only(ref):
        return kernel
    concerned = [c for c in evidence.connections if ref.host in {c.client.host, c.server.host}]
    return completeness.of_all(concerned, evidence, ref.host, ref.peer) or kernel


def _others(ref: StateRef, evidence: Evidence) -> list[SocketRow]:
    """The sockets that the check speaks of, if its state is left aside: of connections that were there."""
    rows = (stand.row for stand in history_of(evidence, ref.host).spans)
    return [row for row in rows if row.state in {ref.state, *_CONNECTED} and _meant(row, ref, evidence)]


def _states(ref: StateRef, rows: Iterable[SocketRow]) -> tuple[Message, ...]:
    """The states that rows show, by their names; where an owner is asked for, those without one apart."""
    found = sorted({(row.state, "" if row.inode or ref.owner is None else "none") for row in rows})
    return tuple(message("shown-state", state=state, owner=owner) for state, owner in found)


def _instead(ref: StateRef, evidence: Evidence) -> list[Message]:
    """What its socket was in instead; where there was none like it, the host's others."""
    states = _states(ref, _others(ref, evidence))
    if not states:
        all_of_them = _states(ref, (stand.row for stand in history_of(evidence, ref.host).spans))
        return [message("sockets-seen-in", states=all_of_them)] if all_of_them else []
    waits = ref.owner == "process" and message("shown-state", state=ref.state, owner="none") in states
    return [
        message("socket-seen-in", socket=_socket(ref), states=states),
        *([message("nobody-accepted")] if waits and ref.state is _OPEN else []),
        *_holders(ref, evidence),
    ]


def _holders(ref: StateRef, evidence: Evidence) -> Iterator[Message]:
    """Who has not closed the other end of a connection, where both ends have to be closed for a state."""
    for connection in evidence.connections if ref.state in _BOTH_CLOSED else ():
        for side, peer in (connection.sides, connection.sides[::-1]):
            meant = ref.port in {None, side.port, peer.port} and ref.peer in {None, peer.host}
            if meant and side.host == ref.host and side.state is TcpState.FIN_WAIT_2:
                yield from filter(None, [holders(evidence, peer.host, (peer.port, side.port))])
