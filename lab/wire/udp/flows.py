"""UDP datagrams to flows: two ends, and how much each sent when. What they say is not kept.

::

    flows = UdpFlows()
    reader = Reader(stream, hear_size=flows.hear)
    for batch in reader.batches(): ...
    flows.told()
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from lab.wire.packets import Place, way_back
from lab.wire.packets.segment import flow_of
from lab.wire.tcp.facts import Moment

MOST_FLOWS = 20_000
"""Flows of one capture that are kept: whoever floods the wire must not eat the memory."""


class UdpSide(Struct, frozen=True):
    """One end of a flow, and what it sent.

    ``smallest`` and ``largest`` are sizes of payloads; ``first`` and ``last`` times (ns). ``longest_gap`` is
    the longest time between two datagrams that followed each other.
    """

    address: str
    port: int
    datagrams: int = 0
    bytes: int = 0
    smallest: int = 0
    largest: int = 0
    first: int = 0
    last: int = 0
    longest_gap: int = 0

    @property
    def mean_gap(self) -> int:
        """The time between two of its datagrams, on average (ns); 0 if there are not two."""
        return max(0, self.last - self.first) // (self.datagrams - 1) if self.datagrams > 1 else 0


class UdpFlow(Struct, frozen=True):
    """Datagrams between two ports, either way. ``client`` is who sent the first; that was at ``began``."""

    began: Moment
    client: UdpSide
    server: UdpSide

    @property
    def sides(self) -> tuple[UdpSide, UdpSide]:
        """The client and the server."""
        return self.client, self.server

    @property
    def ended(self) -> int:
        """The time of the last datagram."""
        return max(side.last for side in self.sides)

    @property
    def datagrams(self) -> int:
        """How many they sent."""
        return sum(side.datagrams for side in self.sides)


class _Direction:
    __slots__ = (
        "began", "bytes", "datagrams", "first", "largest", "last", "longest_gap", "place", "smallest",
    )  # fmt: skip

    def __init__(self, frame: int, time: int, place: Place, size: int) -> None:
        self.began = Moment(frame, time)
        self.place = place
        self.first = self.last = time
        self.smallest = self.largest = size
        self.datagrams = self.bytes = self.longest_gap = 0

    def side(self, address: str, port: int) -> UdpSide:
        """What was counted."""
        return UdpSide(
            address, port, self.datagrams, self.bytes, self.smallest, self.largest, self.first, self.last,
            self.longest_gap,
        )  # fmt: skip


class UdpFlows:
    """The flows of one capture, as they grow. Of more than ``most`` the one that began first is forgotten."""

    def __init__(self, most: int = MOST_FLOWS) -> None:
        self._most = most
        self._directions: dict[bytes, _Direction] = {}
        """By their ways, in the order in which they began."""
        self._flows: deque[bytes] = deque()
        """The ways of the first datagrams of those that are kept."""
        self.forgotten = 0

    def hear(self, frame: int, time: int, place: Place, way: bytes, size: int) -> None:
        """Take in a sighting of a datagram; at another place than the first of its direction it is a copy."""
        direction = self._directions.get(way)
        if direction is None:
            direction = self._begin(frame, time, place, way, size)
        elif direction.place != place:
            return
        direction.datagrams += 1
        direction.bytes += size
        if size < direction.smallest:
            direction.smallest = size
        elif size > direction.largest:
            direction.largest = size
        if (gap := time - direction.last) > direction.longest_gap:
            direction.longest_gap = gap
        direction.last = time

    def _begin(self, frame: int, time: int, place: Place, way: bytes, size: int) -> _Direction:
        directions = self._directions
        opens = way_back(way) not in directions
        if opens:
            if len(self._flows) >= self._most:
                oldest = self._flows.popleft()
                del directions[oldest]
                directions.pop(way_back(oldest), None)
                self.forgotten += 1
            self._flows.append(way)
        direction = directions[way] = _Direction(frame, time, place, size)
        return direction

    def told(self) -> Iterator[UdpFlow]:
        """What is known so far, in the order of their first datagrams."""
        for way in self._flows:
            ends, there = flow_of(way), self._directions[way]
            client, server = (ends.source, ends.source_port), (ends.target, ends.target_port)
            back = None if (other := way_back(way)) == way else self._directions.get(other)
            yield UdpFlow(there.began, there.side(*client), back.side(*server) if back else UdpSide(*server))
