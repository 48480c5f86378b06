"""UDP datagrams (RFC 768), fragmented ones too, each where it was seen."""

from __future__ import annotations

import struct
from struct import Struct
from typing import NamedTuple

from lab.wire.packets.fragments import WHOLE, Fragment, Fragments
from lab.wire.packets.internet import UDP, Framed, content_of, content_of_fragments, ident_of
from lab.wire.packets.problems import Damage, Problems
from lab.wire.packets.segment import FourTuple, Place, flow_of

_HEADER = 8

_length = Struct("!4xH").unpack_from


class UdpPacket(NamedTuple):
    """One sighting of a UDP datagram.

    ``frame``, ``time``, ``place`` and ``way`` are as those of a ``Segment``; of a datagram in fragments they
    are those of the fragment that made it whole. ``size`` is that of the payload (bytes), ``payload`` as much
    of it as was captured. ``ident`` is the IPv4 identification, 0 where there is none.
    """

    frame: int
    time: int
    place: Place
    way: bytes
    size: int
    payload: bytes
    ident: int

    @property
    def flow(self) -> FourTuple:
        """Where it comes from and goes to, as text."""
        return flow_of(self.way)


class UdpReader:
    """The UDP datagrams in the frames of a capture.

    What is damaged says nothing of TCP: it is told by itself, in ``unsound``.
    """

    def __init__(self) -> None:
        self._problems = Problems()
        self._fragments = Fragments(self._problems, WHOLE)

    @property
    def unsound(self) -> tuple[str, ...]:
        """What could not be read so far, one sentence for each kind of damage."""
        return self._problems.texts()

    def packet(self, framed: Framed) -> UdpPacket | None:
        """The datagram that a frame holds, or makes whole, if any."""
        try:
            return self._packet(framed)
        except Damage as damage:
            self._problems.add(framed.number, str(damage))
        except (IndexError, struct.error):
            self._problems.add(framed.number, "it ends within its headers")
        return None

    def _packet(self, framed: Framed) -> UdpPacket | None:
        number, time, place, kind, data, at, _ = framed
        found, ident = content_of(framed, UDP), ident_of(kind, data, at)
        if isinstance(found, Fragment):
            whole = self._fragments.add(number, found, data, len(data), place)
            if whole is None:
                return None
            found, data = content_of_fragments(found.addresses, whole, UDP), whole.head
        if found is None:
            return None
        addresses, begin, last = found
        if begin + _HEADER > min(len(data), last):
            raise Damage("it ends within the UDP header")
        size, payload = _length(data, begin)[0] - _HEADER, begin + _HEADER
        if size < 0 or payload + size > last:
            raise Damage("its UDP header gives a length that cannot be")
        way = addresses + data[begin : begin + 4]
        return UdpPacket(number, time, place, way, size, data[payload : payload + size], ident)

    def finish(self) -> None:
        """No more frames come: tell of what is not whole."""
        self._fragments.finish()
