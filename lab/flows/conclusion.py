"""From two ends to the facts about their connection."""

from __future__ import annotations

from typing import Literal, NamedTuple

from lab.flows.end import End
from lab.flows.facts import Connection, Fin, Handshake, Moment, Reset, Retransmissions, Side, Sighting
from lab.flows.serial import MASK, distance
from lab.words import TcpState


class Named(NamedTuple):
    """An end by its host, if that is known, its address and its port."""

    host: str
    address: str
    port: int


def connection_of(
    capture: str,
    began: Moment,
    ends: tuple[End, End],
    names: tuple[Named, Named],
    unpaired: set[int],
) -> Connection | None:
    """The facts about a client and a server; None if no frame was seen at a port of either."""
    client, server = ends
    if not (client.seen or server.seen):
        return None
    own, others = _side(client, server, names[0]), _side(server, client, names[1])
    return Connection(
        capture=capture,
        client=own,
        server=others,
        began=began,
        handshake=_handshake(own, others),
        first_closer=_first_closer(client, server),
        unpaired=tuple(sorted(unpaired)),
    )


def _side(end: End, peer: End, named: Named) -> Side:
    outgoing, seen = end.outgoing, end.seen
    return Side(
        host=named.host,
        address=named.address,
        port=named.port,
        seen=seen,
        bytes=outgoing.bytes if seen else _bytes_received(peer),
        exact=_framed(end, peer, seen=seen),
        syn=_sighting(end.syn_sent, peer.syn_received),
        ack=_sighting(end.ack_sent, peer.ack_received),
        fin=_fin(end, peer, seen=seen),
        reset=_reset(end, peer),
        heard=end.heard,
        late=end.late,
        late_acked=end.late_acked,
        retransmissions=Retransmissions(outgoing.resent_syn, outgoing.resent_data, outgoing.resent_fin),
        resent=outgoing.resent,
        history=tuple(end.states.history),
        gaps=outgoing.gaps + end.incoming.gaps,
        reordered=outgoing.reordered,
        isn=outgoing.isn,
    )


def _sighting(sent: Moment | None, received: Moment | None) -> Sighting | None:
    return Sighting(sent, received) if sent or received else None


def _handshake(client: Side, server: Side) -> Handshake:
    if client.syn is None:
        return "unknown"
    if server.syn is None:
        if client.ack is not None:
            return "unknown"
        return "refused" if _refused(client, server) else "no_reply"
    if _crossed(server):
        return "simultaneous"
    acked = server.entered(TcpState.ESTABLISHED) if server.seen else client.ack
    return "complete" if acked else "half_open"


def _crossed(server: Side) -> bool:
    """Both sent SYN before either knew of the other's (RFC 9293, figure 7)."""
    return any(change.state == TcpState.SYN_SENT for change in server.history)


def _refused(client: Side, server: Side) -> bool:
    states = [change.state for change in client.history]
    answered = server.reset is not None and server.reset.cause == "no_listener"
    return answered or states == [TcpState.SYN_SENT, TcpState.CLOSED]


def _first_closer(client: End, server: End) -> Literal["", "client", "server"]:
    own, others = client.fin_sent or server.incoming.fin, server.fin_sent or client.incoming.fin
    if own is None or others is None:
        return "client" if own else "server" if others else ""
    if distance(own.position, others.ack) > 0:
        return "client"
    return "server" if distance(others.position, own.ack) > 0 else ""


def _framed(end: End, peer: End, *, seen: bool) -> bool:
    """Whether SYN and FIN were both seen where the bytes of an end are counted."""
    if seen:
        return end.syn_sent is not None and end.fin_sent is not None
    return peer.syn_received is not None and peer.incoming.fin is not None


def _bytes_received(peer: End) -> int:
    """What arrived of an end whose own port was not seen."""
    incoming = peer.incoming
    if incoming.expected is None or incoming.isn is None:
        return 0
    fin = incoming.fin is not None and distance(incoming.fin.position, incoming.expected) > 0
    return (incoming.expected - incoming.isn - 1 - fin) & MASK


def _fin(end: End, peer: End, *, seen: bool) -> Fin | None:
    sent, received = end.fin_sent, peer.incoming.fin
    if not (sent or received):
        return None
    return Fin(
        sent=sent.moment if sent else None,
        received=received.moment if received else None,
        acked=end.fin_acked if seen else peer.peer_fin_acked,
    )


def _reset(end: End, peer: End) -> Reset | None:
    sent, received = end.reset_sent, peer.reset_received
    if sent is None:
        return Reset(None, received) if received else None
    return Reset(sent.moment, received, sent.cause, sent.after_own_fin, sent.after_peer_fin)
