"""One connection while its segments come in: two ends, and the frames that tell them what happened."""

from __future__ import annotations

from lab.flows.conclusion import Named, connection_of
from lab.flows.end import End
from lab.flows.facts import Connection, Outcome, moment_of
from lab.flows.vantage import Vantage
from lab.flows.views import OneView, TwoViews, View
from lab.packets.segment import ACK, SYN, Bare, Segment, flow_of, way_back
from lab.words import TcpState


class Tracker:
    """A connection in the making. Memory is a fixed amount, however many its segments are.

    ``way`` is that of the client's segments. ``since`` is the frame from which on it waits for its
    turn to be forgotten.
    """

    __slots__ = ("_client", "_first", "_server", "_vantage", "_view", "began", "since", "way")

    def __init__(self, first: Segment, vantage: Vantage, since: int = 0) -> None:
        self.began = moment_of(first)
        self.since = since
        self._first = first
        self._vantage = vantage
        self.way = way_from_client(first.way, first.flags)
        self._client, self._server = End(), End()
        self._view = self._viewed()
        if not first.flags & SYN:
            self._client.states.enter(TcpState.ESTABLISHED, first)
            self._server.states.enter(TcpState.ESTABLISHED, first)
        elif first.flags & ACK:
            self._client.states.enter(TcpState.SYN_SENT, first)

    def _viewed(self) -> View:
        if self._vantage.ports:
            flow = flow_of(self.way)
            client, server = self._vantage.ports_of(flow.source), self._vantage.ports_of(flow.target)
            if client or server:
                return TwoViews(self.way, (self._client, self._server), client, server)
        return OneView(self.way, self._client, self._server)

    @property
    def open(self) -> bool:
        """Whether both ends can still speak."""
        return self._client.states.now == self._server.states.now == TcpState.ESTABLISHED

    @property
    def outcome(self) -> Outcome | None:
        """How it began and ended; None if no frame was seen at a port of either end."""
        found = self.connection("")
        return None if found is None else Outcome(found.handshake, found.close)

    def take(self, segment: Bare) -> None:
        """Take in a segment of either direction; they come in order."""
        self._view.take(segment)

    def continues_with(self, syn: Segment) -> bool:
        """Whether a SYN belongs to this connection: sent again, or the other half of a simultaneous open."""
        if syn.way == self.way:
            return self._first.flags & (SYN | ACK) == SYN and syn.seq == self._first.seq
        isn = self._server.outgoing.isn
        return self._client.states.now == TcpState.SYN_SENT if isn is None else syn.seq == isn

    def connection(self, capture: str) -> Connection | None:
        """The facts so far, or None if no frame was seen at a port of either end."""
        flow, host_of = flow_of(self.way), self._vantage.host_of
        client = Named(host_of(flow.source), flow.source, flow.source_port)
        server = Named(host_of(flow.target), flow.target, flow.target_port)
        ends = self._client, self._server
        return connection_of(capture, self.began, ends, (client, server), self._view.unpaired())


def way_from_client(way: bytes, flags: int) -> bytes:
    """The way of the first SYN; where the first segment has none, the smaller port is the server's."""
    if flags & SYN:
        return way_back(way) if flags & ACK else way
    return way if way[-4:-2] >= way[-2:] else way_back(way)
