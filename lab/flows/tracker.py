"""One connection while its segments come in: which frame tells which end what, and the facts at the end."""

from __future__ import annotations

from typing import Literal

from lab.flows.end import End
from lab.flows.facts import (
    Connection,
    Fin,
    Handshake,
    Moment,
    Reset,
    Retransmissions,
    Side,
    Sighting,
)
from lab.flows.pairs import Pairs
from lab.flows.serial import MASK, distance
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, SYN, FourTuple, Segment
from lab.words import TcpState


class OneView:
    """A direction seen at one place: each frame was sent and has arrived.

    The place is where the direction was first seen: on an ``any`` capture other interfaces give copies.
    """

    __slots__ = ("interface", "leaving", "receiver", "sender", "tracker")

    def __init__(self, tracker: Tracker, sender: End, receiver: End) -> None:
        self.tracker = tracker
        self.sender = sender
        self.receiver = receiver
        self.interface = -1
        self.leaving: bool | None = None

    def see(self, segment: Segment) -> None:
        """Tell both ends, unless it is a copy seen elsewhere."""
        if self.interface < 0:
            self.interface, self.leaving = segment.interface, segment.leaving
        if segment.interface == self.interface and segment.leaving is self.leaving:
            self.sender.sent(segment)
            self.receiver.received(segment)


class TwoViews:
    """A direction seen where frames enter the switch, at the sender's port, and leave it, at the receiver's.

    Frames at other ports are on their way through a router or flooded by the switch: they tell nothing.
    """

    __slots__ = ("entries", "exits", "pairs", "receiver", "sender", "tracker")

    def __init__(
        self, tracker: Tracker, sender: End, receiver: End, entries: frozenset[int], exits: frozenset[int]
    ) -> None:
        self.tracker = tracker
        self.sender = sender
        self.receiver = receiver
        self.entries = entries
        self.exits = exits
        self.pairs = Pairs() if entries and exits else None

    def see(self, segment: Segment) -> None:
        """Tell the end at whose port the frame was seen."""
        leaving = segment.leaving
        if segment.interface not in (self.exits if leaving else self.entries):
            return
        if self.pairs is not None:
            self.pairs.see(segment)
        if leaving:
            self.receiver.received(segment)
        else:
            self.sender.sent(segment)


class Tracker:
    """A connection in the making: two ends, and the frames that tell them what happened."""

    __slots__ = ("_client", "_server", "_vantage", "began", "flow", "isn", "ways")

    def __init__(self, first: Segment, vantage: Vantage) -> None:
        self.began = Moment(first.frame, first.time)
        self._vantage = vantage
        self._client, self._server = End(), End()
        self.flow = _from_client(first)
        self.isn = first.seq if first.flags & (SYN | ACK) == SYN else None
        """The sequence number of the SYN it began with; None if that came before the capture."""
        there = self._way(self.flow, self._client, self._server)
        back = self._way(self.flow.reverse, self._server, self._client)
        self.ways = there, back
        if not first.flags & SYN:
            self._client.assume(TcpState.ESTABLISHED, first)
            self._server.assume(TcpState.ESTABLISHED, first)
        elif first.flags & ACK:
            self._client.assume(TcpState.SYN_SENT, first)

    def _way(self, flow: FourTuple, sender: End, receiver: End) -> OneView | TwoViews:
        entries, exits = self._vantage.ports_of(flow.source), self._vantage.ports_of(flow.target)
        if entries or exits:
            return TwoViews(self, sender, receiver, entries, exits)
        return OneView(self, sender, receiver)

    @property
    def open(self) -> bool:
        """Whether both ends can still speak."""
        return self._client.state == self._server.state == TcpState.ESTABLISHED

    def forget(self) -> None:
        """Let go of its two ways, which know it in turn: nothing then keeps it in memory."""
        del self.ways

    def continues_with(self, syn: Segment) -> bool:
        """Whether a SYN belongs to this connection: sent again, or the other half of a simultaneous open."""
        if syn.flow == self.flow:
            return syn.seq == self.isn
        if self._server.isn is not None:
            return syn.seq == self._server.isn
        return self._client.state == TcpState.SYN_SENT

    def connection(self, capture: str) -> Connection | None:
        """The facts so far, or None if no frame was seen at a port of either end."""
        if not (self._client.seen or self._server.seen):
            return None
        flow = self.flow
        client = self._side(self._client, self._server, flow.source, flow.source_port)
        server = self._side(self._server, self._client, flow.target, flow.target_port)
        unpaired = {
            frame
            for way in self.ways
            if isinstance(way, TwoViews) and way.pairs is not None
            for frame in way.pairs.unpaired()
        }
        return Connection(
            capture=capture,
            client=client,
            server=server,
            began=self.began,
            handshake=self._handshake(client, server),
            first_closer=self._first_closer(),
            unpaired=tuple(sorted(unpaired)),
        )

    def _side(self, end: End, peer: End, address: str, port: int) -> Side:
        syn, ack = Sighting(end.syn_sent, peer.syn_received), Sighting(end.ack_sent, peer.ack_received)
        return Side(
            host=self._vantage.host_of(address),
            address=address,
            port=port,
            seen=end.seen,
            bytes=end.bytes if end.seen else _bytes_received(peer),
            exact=_framed(end, peer),
            syn=syn if syn.first else None,
            ack=ack if ack.first else None,
            fin=_fin(end, peer),
            reset=_reset(end, peer),
            late=end.late,
            late_acked=end.late_acked,
            retransmissions=Retransmissions(end.resent_syn, end.resent_data, end.resent_fin),
            resent=end.resent,
            history=tuple(end.history),
            gaps=end.gaps,
            reordered=end.reordered,
            isn=end.isn,
        )

    def _handshake(self, client: Side, server: Side) -> Handshake:
        if client.syn is None:
            return "unknown"
        if server.syn is None:
            if client.ack is not None:
                return "unknown"
            return "refused" if _refused(client, server) else "no_reply"
        if self._crossed():
            return "simultaneous"
        acked = server.entered(TcpState.ESTABLISHED) if server.seen else client.ack
        return "complete" if acked else "half_open"

    def _crossed(self) -> bool:
        """Both sent SYN before either knew of the other's (RFC 9293, figure 7)."""
        return any(change.state == TcpState.SYN_SENT for change in self._server.history)

    def _first_closer(self) -> Literal["", "client", "server"]:
        client = self._client.fin_sent or self._server.fin_received
        server = self._server.fin_sent or self._client.fin_received
        if client is None or server is None:
            return "client" if client else "server" if server else ""
        if distance(client.position, server.ack) > 0:
            return "client"
        return "server" if distance(server.position, client.ack) > 0 else ""


def _from_client(first: Segment) -> FourTuple:
    """The 4-tuple in the direction of the first SYN; without one, the smaller port is the server's."""
    flow = first.flow
    if first.flags & SYN:
        return flow.reverse if first.flags & ACK else flow
    return flow if flow.source_port >= flow.target_port else flow.reverse


def _refused(client: Side, server: Side) -> bool:
    states = [change.state for change in client.history]
    answered = server.reset is not None and server.reset.cause == "no_listener"
    return answered or states == [TcpState.SYN_SENT, TcpState.CLOSED]


def _framed(end: End, peer: End) -> bool:
    """Whether SYN and FIN were both seen where the bytes of an end are counted."""
    if end.seen:
        return end.syn_sent is not None and end.fin_sent is not None
    return peer.syn_received is not None and peer.fin_received is not None


def _bytes_received(peer: End) -> int:
    """What arrived of an end whose own port was not seen."""
    if peer.expected is None or peer.peer_isn is None:
        return 0
    fin = peer.fin_received is not None and distance(peer.fin_received.position, peer.expected) > 0
    return (peer.expected - peer.peer_isn - 1 - fin) & MASK


def _fin(end: End, peer: End) -> Fin | None:
    if not (end.fin_sent or peer.fin_received):
        return None
    return Fin(
        sent=end.fin_sent.moment if end.fin_sent else None,
        received=peer.fin_received.moment if peer.fin_received else None,
        acked=end.fin_acked if end.seen else peer.peer_fin_acked,
    )


def _reset(end: End, peer: End) -> Reset | None:
    if not (end.reset_sent or peer.reset_received):
        return None
    own, others = end.reset_fins
    heard = end.reset_heard and Moment(end.reset_heard.frame, end.reset_heard.time)
    return Reset(end.reset_sent, peer.reset_received, end.reset_cause, own, others, heard)
