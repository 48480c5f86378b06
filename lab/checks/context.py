"""One connection under judgement, and the rows that the kernels of its ends had for it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lab.checks import completeness
from lab.checks.death import Death, death_behind
from lab.checks.finding import Finding, find
from lab.checks.proofs import frame, named
from lab.checks.select import connections_to, history_of, went_on
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, Value, message
from lab.evidence.sockets import SocketRow, SocketSample
from lab.scenario.checks import ConnectionRef, Role
from lab.wire.tcp import Connection, Moment, Side

Row = tuple[SocketSample, SocketRow]


class CheckContext(Struct, frozen=True):
    """A connection that a check names. ``certain``: it surely is the one that was meant."""

    ref: ConnectionRef
    connection: Connection
    evidence: Evidence
    doubt: Message | None
    certain: bool

    def side(self, end: str) -> Side | None:
        """The side that a word names: a host's name, ``from`` or ``to``."""
        roles = self.ref.roles(end)
        return self._in_role(roles[0]) if len(roles) == 1 else None

    def name(self, side: Side) -> str:
        """What a side is called: its host; where both are one host, the role that tells them apart."""
        client, server = self.connection.sides
        if client.host != server.host:
            return named(side)
        return f"{named(side)} ({'from' if side is self._in_role('from') else 'to'})"

    def frame(self, moment: Moment | None, key: str, **parameters: Value) -> Proof:
        """A frame of the connection as evidence, and what it is."""
        return frame(self.evidence, self.connection, moment, key, **parameters)

    def death(self, side: Side) -> Death | None:
        """The end of a program that sent a side's FIN; None if a program closed, or there is no FIN."""
        return death_behind(side.fin.first if side.fin else None, side, self.connection, self.evidence)

    def death_by_reset(self, side: Side) -> Death | None:
        """The end of a program that sent a side's RST; None if its program went on, or there is no RST."""
        return death_behind(side.reset.sent if side.reset else None, side, self.connection, self.evidence)

    def rows(self, side: Side) -> Iterator[Row]:
        """The rows of a side's kernel for this connection in order of time, each with its first sample."""
        peer, until = self.connection.peer_of(side), self.evidence.until_reused(self.connection)
        history = history_of(self.evidence, side.host)
        for stand in history.of((side.address, side.port, peer.address, peer.port)):
            if history.samples[stand.first].at < until:
                yield history.samples[stand.first], stand.row

    def _in_role(self, role: Role) -> Side:
        """Of a connection that began before the capture, who opened it is told by the check alone."""
        client, server = self.connection.sides
        turned = (server.host, server.port) != (self.ref.to.host, self.ref.to.port)
        return client if (role == "from") != turned else server


def context_of(ref: ConnectionRef, evidence: Evidence) -> CheckContext | Finding:
    """The connection that a check names, or what is to be said where there is none."""
    found = connections_to(evidence, ref.to, ref.from_)
    lacking = completeness.of_captures(evidence, ref.to.host, ref.from_)
    if len(found) < ref.nth:
        return _missing(ref, len(found), evidence, lacking)
    connection = found[ref.nth - 1]
    if not lacking or completeness.all_before(connection, evidence):
        lacking, certain = completeness.of_connection(connection, evidence), True
    else:
        certain = ref.nth == 1
    return CheckContext(ref, connection, evidence, lacking, certain)


def _missing(ref: ConnectionRef, found: int, evidence: Evidence, lacking: Message | None) -> Finding:
    others = [c for c in evidence.connections if c.client.host == ref.from_ and c.client.syn]
    attempts = [
        frame(evidence, c, c.began, "syn-to", host=ref.from_, to=f"{named(c.server)}:{c.server.port}")
        for c in others
    ]
    host, to = ref.from_, str(ref.to)
    none = message("no-syn-captured" if lacking else "never-sent-syn", host=host, to=to)
    first = message("a-connection", host=host, to=to)
    return find(
        first if ref.nth == 1 else message("so-many", number=ref.nth, host=host, to=to),
        message("only-so-many", number=found) if found else none,
        attempts,
        holds=False,
        doubt=lacking,
        absent=not attempts and went_on(evidence, ref.from_),
        missing=True,
    )
