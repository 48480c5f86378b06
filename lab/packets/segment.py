"""A TCP segment as a capture shows it, and the 4-tuple it belongs to."""

from __future__ import annotations

from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
"""The control bits (RFC 9293, section 3.1)."""

_LETTERS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))


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


class Segment(NamedTuple):
    """One sighting of a TCP segment: a tuple, because a capture holds millions of them.

    ``frame`` counts all records of the capture from 1, as Wireshark does; ``time`` is in nanoseconds since
    the epoch. ``interface`` is the capture's number for the interface (0 where it has none) and ``leaving``
    tells the direction there: False entered, True left, None unknown. ``length`` is the payload's as
    the IP header gives it, however little of it was captured. ``options`` are the raw TCP options of
    a segment with SYN and empty otherwise.
    """

    frame: int
    time: int
    interface: int
    leaving: bool | None
    flow: FourTuple
    seq: int
    ack: int
    flags: int
    length: int
    window: int
    checksum: int
    options: bytes
