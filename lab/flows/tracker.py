"""One connection while its segments come in: two ends, and the frames that tell them what happened."""

from __future__ import annotations

from dataclasses import replace

from lab.flows.conclusion import Named, connection_of, outcome_of
from lab.flows.copies import Copies
from lab.flows.facts import Connection, Forged, Outcome, moment_of
from lab.flows.serial import MASK
from lab.flows.states import ESTABLISHED, SYN_SENT
from lab.flows.vantage import Vantage
from lab.flows.views import OneView, TwoViews, View
from lab.packets.segment import ACK, SYN, Segment, flow_of, way_back


class Tracker:
    """A connection in the making. Memory is a fixed amount, however many its segments are.

    ``way`` is that of the client's segments. ``since`` is the frame from which on it waits for its
    turn to be forgotten. ``take`` takes in a segment of either direction; they come in order.
    """

    __slots__ = ("_isn", "_vantage", "_view", "began", "since", "take", "way")

    def __init__(self, first: Segment, vantage: Vantage, copies: Copies, since: int = 0) -> None:
        self.began = moment_of(first)
        self.since = since
        self._vantage = vantage
        self._isn = first.seq if first.flags & (SYN | ACK) == SYN else None
        self.way = way_from_client(first.way, first.flags)
        self._view = self._viewed(copies)
        self.take = self._view.take
        if not first.flags & SYN:
            self._view.client.states.enter(ESTABLISHED, first)
            self._view.server.states.enter(ESTABLISHED, first)
        elif first.flags & ACK:
            self._view.client.states.enter(SYN_SENT, first)

    def _viewed(self, copies: Copies) -> View:
        if self._vantage.ports:
            flow = flow_of(self.way)
            client, server = self._vantage.ports_of(flow.source), self._vantage.ports_of(flow.target)
            if client or server:
                return TwoViews(self.way, client, server, self._vantage.honest)
        return OneView(self.way, copies)

    @property
    def open(self) -> bool:
        """Whether both ends can still speak."""
        view = self._view
        return view.client.states.now is view.server.states.now is ESTABLISHED

    @property
    def outcome(self) -> Outcome | None:
        """How it began and ended; None if no frame was seen at a port of either end."""
        return outcome_of(self._view.client, self._view.server)

    def continues_with(self, syn: Segment) -> bool:
        """Whether a SYN belongs to this connection.

        It was sent again, it stands behind the SYN-ACK that answers it, or it is the other half of a
        simultaneous open.
        """
        client, server = self._view.client, self._view.server
        if syn.way != self.way:
            isn = server.outgoing.isn
            return client.states.now is SYN_SENT if isn is None else syn.seq == isn
        if self._isn is not None:
            return syn.seq == self._isn
        answered = server.outgoing.syn or client.incoming.syn
        return answered is not None and client.outgoing.next == client.outgoing.acked == (syn.seq + 1) & MASK

    def connection(self, capture: str) -> Connection | None:
        """The facts so far, or None if no frame was seen at a port of either end."""
        view = self._view
        flow, host_of = flow_of(self.way), self._vantage.host_of
        client = Named(host_of(flow.source), flow.source, flow.source_port)
        server = Named(host_of(flow.target), flow.target, flow.target_port)
        found = connection_of(capture, self.began, (view.client, view.server), (client, server), view.alone())
        if found is None or not view.forged:
            return found
        forged = tuple(
            Forged(
                self._vantage.ports[port], (client if of_client else server).address, one.first, one.frames
            )
            for (of_client, port), one in view.forged.items()
        )
        pretended = view.client.outgoing.syn is None and self.began in {one.first for one in forged}
        return replace(found, forged=forged, pretended=pretended)


def way_from_client(way: bytes, flags: int) -> bytes:
    """The way of the first SYN; where the first segment has none, the smaller port is the server's."""
    if flags & SYN:
        return way_back(way) if flags & ACK else way
    return way if way[-4:-2] >= way[-2:] else way_back(way)
