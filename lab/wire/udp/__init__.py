"""Sightings of UDP datagrams to datagrams: who sent each, and where it arrived.

::

    datagrams = Datagrams(point)
    reader = Reader(stream, datagrams.hear)
    for batch in reader.batches(): ...
    datagrams.found()
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lab.wire.packets import UdpPacket
from lab.wire.packets.segment import FourTuple
from lab.wire.sightings import Arrival, Sighted, Sightings
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.facts import Moment

__all__ = ["Arrival", "Datagram", "Datagrams"]

MOST_DATAGRAMS = 200_000
"""Datagrams of one capture that are kept."""

MOST_BYTES = 64 << 20
"""Of the payloads of one capture that are kept; of those that come after them only the digest is known."""


class Datagram(Struct, frozen=True):
    """A UDP datagram.

    ``source`` and ``target`` are the hosts that have its addresses, "" where none has. ``sent`` is when it
    left its host, ``arrivals`` are where it came out again: of a multicast there may be several. Where a
    capture has no ports of hosts, each sighting is both.

    ``size`` is that of the payload (bytes); ``payload`` is as much of that as was captured and kept;
    ``digest`` is that of the whole payload, empty if it was not captured whole.
    """

    capture: str
    flow: FourTuple
    source: str
    target: str
    size: int
    payload: bytes
    digest: bytes
    sent: Moment | None = None
    arrivals: tuple[Arrival, ...] = ()

    @property
    def at(self) -> Moment:
        """When it was seen first: at its sender's port if it was seen there."""
        return self.sent or self.arrivals[0].at

    @property
    def whole(self) -> bool:
        """Whether all of its payload is kept."""
        return len(self.payload) == self.size


class Datagrams(Sightings[UdpPacket]):
    """The datagrams of one capture, as they come. At most so many are kept as ``MOST_DATAGRAMS``."""

    def __init__(self, point: CapturePoint, capture: str = "") -> None:
        super().__init__(point, most=MOST_DATAGRAMS, room=MOST_BYTES)
        self._capture = capture

    def without_payload(self, packet: UdpPacket) -> UdpPacket:
        """The packet without what is kept elsewhere."""
        return packet._replace(payload=b"")

    def found(self) -> Iterator[Datagram]:
        """What is known so far, in the order of their first sightings."""
        return map(self._datagram, self.seen)

    def forgotten(self, before: int) -> Iterator[Datagram]:
        """Those that were seen first before that time (ns): nothing is kept of them."""
        return map(self._datagram, self.forget(before))

    def _datagram(self, one: Sighted[UdpPacket]) -> Datagram:
        host_of, flow = self._vantage.host_of, one.packet.flow
        return Datagram(
            self._capture,
            flow,
            host_of(flow.source),
            host_of(flow.target),
            one.packet.size,
            one.payload,
            one.digest,
            one.sent,
            tuple(one.arrivals),
        )
