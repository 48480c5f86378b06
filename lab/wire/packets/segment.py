"""A TCP segment as a capture shows it, and the 4-tuple it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from ipaddress import ip_address
from socket import inet_ntoa
from struct import Struct
from typing import Final, NamedTuple

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
"""The control bits (RFC 9293, section 3.1)."""

KIND: Final = FIN | SYN | RST | ACK
"""Those that the states of a connection depend on."""

_LETTERS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
_PORTS = Struct("!HH")
_IPV4_WAY, _IPV6_WAY = ((one.unpack, one.pack) for one in (Struct("4s4s2s2s"), Struct("16s16s2s2s")))
_IPV4_WAY_SIZE = 12
_MOST_TEXTS = 1 << 16
"""4-tuples and addresses whose texts are kept; a flood makes them anew."""


def describe_flags(flags: int) -> str:
    """The control bits by name, as in ``SYN, ACK``; ``none`` without any."""
    return ", ".join(name for bit, name in _LETTERS if flags & bit) or "none"


class FourTuple(NamedTuple):
    """Where a segment comes from and goes to. Addresses are text in their shortest form."""

    source: str
    source_port: int
    target: str
    target_port: int

    @property
    def reverse(self) -> FourTuple:
        """The other direction of the same connection."""
        return FourTuple(self.target, self.target_port, self.source, self.source_port)


@lru_cache(_MOST_TEXTS)
def flow_of(way: bytes) -> FourTuple:
    """The 4-tuple in a segment's ``way``."""
    half = (len(way) - _PORTS.size) // 2
    source, target = _PORTS.unpack(way[-_PORTS.size :])
    return FourTuple(_text(way[:half]), source, _text(way[half : 2 * half]), target)


def way_back(way: bytes) -> bytes:
    """The other direction of a segment's ``way``."""
    unpack, pack = _IPV4_WAY if len(way) == _IPV4_WAY_SIZE else _IPV6_WAY
    source, target, source_port, target_port = unpack(way)
    return pack(target, source, target_port, source_port)


@lru_cache(_MOST_TEXTS)
def _text(address: bytes) -> str:
    return inet_ntoa(address) if len(address) == 4 else str(ip_address(address))


Place = tuple[int, bool | None, int]
"""Where a frame was seen: the capture's number for the interface (0 where it has none); the direction there,
False entered, True left, None unknown; VLAN tags and the cooked packet type, as one number."""


class Segment(NamedTuple):
    """One sighting of a TCP segment: a tuple, because a capture holds millions of them.

    ``frame`` counts all records of the capture from 1, as Wireshark does; ``time`` is in nanoseconds since
    the epoch. ``way`` are the addresses and the ports, source before target, as they stand in the packet.
    ``length`` is the payload's as the IP header gives it, however little of it was captured. ``window`` is as
    it stands there, not scaled. ``ident`` is the IPv4 identification, 0 where there is none. ``options`` are
    the bytes behind a SYN's header, as far as they were captured; those of other segments are not kept.
    ``payload`` are the first bytes of it that were captured, where the reader was asked to keep them.
    """

    frame: int
    time: int
    place: Place
    way: bytes
    seq: int
    ack: int
    flags: int
    length: int
    window: int
    checksum: int
    ident: int
    options: bytes = b""
    payload: bytes = b""

    @property
    def flow(self) -> FourTuple:
        """Where it comes from and goes to, as text."""
        return flow_of(self.way)

    @property
    def interface(self) -> int:
        """The capture's number for the interface."""
        return self.place[0]

    @property
    def leaving(self) -> bool | None:
        """The direction at the interface: False entered, True left, None unknown."""
        return self.place[1]


Bare = tuple[int, int, Place, bytes, int, int, int, int, int, int, int, bytes, bytes]
"""A segment without its names, which only cost time where there are millions."""

named: Callable[[Bare], Segment] = partial(tuple.__new__, Segment)
"""A segment with its names: what ``Segment._make`` does, at a quarter of its cost."""

FRAME: Final = 0
TIME: Final = 1
PLACE: Final = 2
WAY: Final = 3
SEQ: Final = 4
ACKED: Final = 5
FLAGS: Final = 6
LENGTH: Final = 7
WINDOW: Final = 8
IDENT: Final = 10
"""Where its parts are."""
