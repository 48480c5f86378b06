"""From two ends to the facts about their connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from lab.wire.tcp.end import End
from lab.wire.tcp.facts import (
    CloseKind,
    Connection,
    Fin,
    Handshake,
    Lost,
    Measures,
    Moment,
    Outcome,
    Reset,
    Retransmissions,
    Side,
    Sighting,
)
from lab.wire.tcp.pairs import Alone
from lab.wire.tcp.serial import MASK, distance
from lab.wire.tcp.stream import Stream


class Named(NamedTuple):
    """An end by its host, if that is known, its address and its port."""

    host: str
    address: str
    port: int


def connection_of(
    capture: str,
    began: Moment,
    ends: tuple[tuple[End, Named], tuple[End, Named]],
    alone: Iterable[tuple[Alone, bool]],
    measures: Measures | None,
) -> Connection | None:
    """The facts about a client and a server; None if no frame was seen at a port of either."""
    (client, client_name), (server, server_name) = ends
    outcome, found = outcome_of(client, server), sorted(alone)
    if outcome is None:
        return None
    return Connection(
        capture=capture,
        client=_side(client, server, client_name),
        server=_side(server, client, server_name),
        began=began,
        handshake=outcome.handshake,
        close=outcome.close,
        first_closer=_first_closer(client, server),
        unpaired=tuple(one.frame for one, _ in found),
        lost=tuple(
            Lost(Moment(one.frame, one.time), overtaken=overtaken, seq=one.seq)
            for one, overtaken in found
            if not one.leaving
        ),
        measures=measures,
    )


def outcome_of(client: End, server: End) -> Outcome | None:
    """How a connection began and ended; None if no frame was seen at a port of either."""
    if not (client.seen or server.seen):
        return None
    return Outcome(_handshake(client, server), _close(client, server))


def _side(end: End, peer: End, named: Named) -> Side:
    outgoing, incoming, seen = end.outgoing, end.incoming, end.seen
    counted = outgoing if seen else peer.incoming
    framed = _framed(end, peer, counted)
    return Side(
        host=named.host,
        address=named.address,
        port=named.port,
        seen=seen,
        bytes=counted.payload if framed is None else framed,
        exact=framed is not None,
        at_least=counted.bytes - counted.uncertain if framed is None else framed,
        syn=_sighting(outgoing.syn, peer.incoming.syn),
        ack=_sighting(outgoing.ack, peer.incoming.ack),
        fin=_fin(end, peer),
        reset=_reset(end, peer),
        heard=Moment(*incoming.heard) if incoming.heard else None,
        late=end.late,
        late_acked=end.late_acked,
        retransmissions=Retransmissions(outgoing.resent_syn, outgoing.resent_data, outgoing.resent_fin),
        resent=outgoing.resent,
        refilled=outgoing.refilled,
        history=tuple(end.history),
        gaps=outgoing.gaps + (0 if incoming is peer.outgoing else incoming.proven_gaps),
        reordered=outgoing.reordered,
        isn=outgoing.isn,
    )


def _sighting(sent: Moment | None, received: Moment | None) -> Sighting | None:
    return Sighting(sent, received) if sent or received else None


# How it began


def _handshake(client: End, server: End) -> Handshake:
    if not (client.outgoing.syn or server.incoming.syn):
        return "unknown"
    if not (server.outgoing.syn or client.incoming.syn):
        if client.outgoing.ack or client.incoming.ack or server.outgoing.ack or server.incoming.ack:
            return "unknown"
        return "refused" if _refused(client, server) else "no_reply"
    if server.opens:  # neither knew of the other's SYN (RFC 9293, figure 7)
        return "simultaneous"
    syn_ack = server.outgoing if server.seen else client.incoming
    return "complete" if syn_ack.syn_acked else "half_open"


def _refused(client: End, server: End) -> bool:
    """The server's RST answers the SYN; one of the client's own is no answer."""
    answered = server.reset_sent is not None and server.reset_sent.cause == "no_listener"
    return answered or client.refused


# How it ended


def _close(client: End, server: End) -> CloseKind:
    for end, peer in ((client, server), (server, client)):
        reset = end.reset_sent
        if (reset is not None and reset.cause != "after_close") or (reset is None and peer.reset_received):
            return "reset"
    for end, peer in ((client, server), (server, client)):
        if _fin_acked(end, peer) is None or not (end.outgoing.fin or peer.incoming.fin):
            return "still_open"
    first = _first_closer(client, server)
    if not first:
        return "simultaneous"
    passive = server if first == "client" else client
    return "half_close" if passive.late_acked else "orderly"


def _first_closer(client: End, server: End) -> Literal["", "client", "server"]:
    own, others = client.outgoing.fin or server.incoming.fin, server.outgoing.fin or client.incoming.fin
    if own is None or others is None:
        return "client" if own else "server" if others else ""
    if distance(own.position, others.ack) > 0:
        return "client"
    return "server" if distance(others.position, own.ack) > 0 else ""


def _fin_acked(end: End, peer: End) -> Moment | None:
    return end.outgoing.fin_acked if end.seen else peer.incoming.fin_acked


def _fin(end: End, peer: End) -> Fin | None:
    sent, received = end.outgoing.fin, peer.incoming.fin
    if not (sent or received):
        return None
    return Fin(
        sent=sent.moment if sent else None,
        received=received.moment if received else None,
        acked=_fin_acked(end, peer),
    )


def _reset(end: End, peer: End) -> Reset | None:
    sent, received = end.reset_sent, peer.reset_received
    if sent is None:
        return Reset(None, received) if received else None
    return Reset(sent.moment, received, sent.cause, sent.after_own_fin, sent.after_peer_fin)


# Bytes


def _framed(end: End, peer: End, counted: Stream) -> int | None:
    """The bytes between SYN and FIN, wherever either was seen; None if one was not.

    Of more than the sequence numbers can tell it is the number next to what was ``counted``.
    """
    sent, received = end.outgoing, peer.incoming
    isn = sent.isn if sent.isn is not None else received.isn
    fin = sent.fin or received.fin
    if isn is None or fin is None:
        return None
    framed = counted.bytes + distance((isn + 1 + counted.bytes) & MASK, fin.position)
    return framed if framed >= 0 else framed & MASK
