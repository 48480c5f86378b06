"""UDP datagrams (RFC 768), fragmented ones too, each where it was seen."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from lab.wire.packets.internet import UDP, Framed, ident_of, ttl_of
from lab.wire.packets.problems import Damage
from lab.wire.packets.protocol import ProtocolReader
from lab.wire.packets.segment import FourTuple, Place, flow_of

_HEADER = 8

_length = Struct("!4xH").unpack_from


class UdpPacket(NamedTuple):
    """One sighting of a UDP datagram.

    ``frame``, ``time``, ``place`` and ``way`` are as those of a ``Segment``; of a datagram in fragments they
    are those of the fragment that made it whole. ``size`` is that of the payload (bytes), ``payload`` as much
    of it as was captured. ``ident`` is the IPv4 identification, 0 where there is none, ``ttl`` the time to
    live, or the hop limit.
    """

    frame: int
    time: int
    place: Place
    way: bytes
    size: int
    payload: bytes
    ident: int
    ttl: int

    @property
    def flow(self) -> FourTuple:
        """Where it comes from and goes to, as text."""
        return flow_of(self.way)

    @property
    def addresses(self) -> tuple[str, str]:
        """The same without the ports."""
        flow = self.flow
        return flow.source, flow.target

    @property
    def key(self) -> tuple[bytes, int, int, bytes]:
        """What all sightings of the datagram have in common."""
        return self.way, self.ident, self.size, self.payload


class UdpReader(ProtocolReader[UdpPacket]):
    """The UDP datagrams in the frames of a capture."""

    def _packet(self, framed: Framed) -> UdpPacket | None:
        content = self._content(framed, UDP)
        if content is None:
            return None
        ends, data, begin, last = content
        if begin + _HEADER > min(len(data), last):
            raise Damage("ends-in-udp-header")
        size, payload = _length(data, begin)[0] - _HEADER, begin + _HEADER
        if size < 0 or (payload + size > last and not framed.clip):
            raise Damage("bad-udp-length")
        size = min(size, last - payload)
        number, time, place, kind, packet, at = framed[:6]
        way, ident, ttl = ends + data[begin : begin + 4], ident_of(kind, packet, at), ttl_of(kind, packet, at)
        return UdpPacket(number, time, place, way, size, data[payload : payload + size], ident, ttl)
