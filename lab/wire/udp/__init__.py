"""Sightings of UDP datagrams to datagrams: who sent each, and where it arrived.

::

    datagrams = Datagrams(vantage)
    reader = Reader(stream, datagrams.hear)
    for batch in reader.batches(): ...
    datagrams.found()
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from hashlib import blake2b

from msgspec import Struct

from lab.wire.packets import UdpPacket
from lab.wire.packets.segment import FourTuple
from lab.wire.tcp.facts import Forged, Moment
from lab.wire.tcp.vantage import Vantage

MOST_DATAGRAMS = 200_000
"""Datagrams of one capture that are kept."""

MOST_BYTES = 64 << 20
"""Of the payloads of one capture that are kept; of those that come after them only the digest is known."""


class Arrival(Struct, frozen=True):
    """A datagram reached a host."""

    host: str
    at: Moment


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


class _Sighted(Struct):
    """A datagram in the making."""

    packet: UdpPacket
    payload: bytes
    digest: bytes
    sent: Moment | None
    arrivals: list[Arrival]


class _Forging(Struct):
    first: Moment
    frames: int = 0


_Key = tuple[bytes, int, int, bytes]
"""What all sightings of a datagram have in common."""


class Datagrams:
    """The datagrams of one capture, as they come. At most so many are kept as ``MOST_DATAGRAMS``."""

    def __init__(self, vantage: Vantage, capture: str = "") -> None:
        self._vantage = vantage
        self._capture = capture
        self._found: list[_Sighted] = []
        self._under_way: dict[_Key, deque[_Sighted]] = {}
        """Those that were sent, by what their sightings have in common: the next to arrive first."""
        self._forged: dict[tuple[str, str], _Forging] = {}
        """Frames that a host has sent in the name of an address that is not its own."""
        self._room = MOST_BYTES
        self.let_go = 0
        """Sightings of datagrams that were not kept, for want of room."""

    def hear(self, packet: UdpPacket) -> None:
        """Take in one sighting; they come in the order of the capture."""
        vantage, flow = self._vantage, packet.flow
        interface, leaving, _ = packet.place
        at = Moment(packet.frame, packet.time)
        if not vantage.ports:
            self._keep(packet, at, [Arrival(vantage.host_of(flow.target), at)])
            return
        host = vantage.ports.get(interface, "")
        if not host or leaving is None:
            return
        if leaving:
            self._arrive(packet, Arrival(host, at))
        elif vantage.host_of(flow.source) in {"", host}:
            self._keep(packet, at, [])
        elif interface in vantage.honest:
            one = self._forged.setdefault((host, flow.source), _Forging(at))
            one.frames += 1

    def _keep(self, packet: UdpPacket, sent: Moment | None, arrivals: list[Arrival]) -> _Sighted | None:
        if len(self._found) >= MOST_DATAGRAMS:
            self.let_go += 1
            return None
        whole = len(packet.payload) == packet.size
        digest = _digest(packet.payload) if whole else b""
        payload = packet.payload if len(packet.payload) <= self._room else b""
        self._room -= len(payload)
        one = _Sighted(packet._replace(payload=b""), payload, digest, sent, arrivals)
        self._found.append(one)
        if sent is not None and self._vantage.ports:
            self._under_way.setdefault(_key(packet), deque()).append(one)
        return one

    def _arrive(self, packet: UdpPacket, arrival: Arrival) -> None:
        """A datagram has left the switch: at its target, or on its way there."""
        target = self._vantage.host_of(packet.flow.target)
        if target not in {"", arrival.host}:
            return  # a router
        waiting = self._under_way.get(_key(packet))
        if waiting is None:
            self._keep(packet, None, [arrival])
            return
        if target:
            one = waiting.popleft()
            if not waiting:
                del self._under_way[_key(packet)]
        else:
            reached = (one for one in waiting if arrival.host not in {was.host for was in one.arrivals})
            one = next(reached, waiting[-1])
        one.arrivals.append(arrival)

    def found(self) -> Iterator[Datagram]:
        """What is known so far, in the order of their first sightings."""
        for one in self._found:
            flow = one.packet.flow
            host_of = self._vantage.host_of
            yield Datagram(
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

    def forged(self) -> Iterator[Forged]:
        """What hosts have sent in the name of others."""
        for (host, address), one in self._forged.items():
            yield Forged(host, address, one.first, one.frames)


def _digest(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16).digest()


def _key(packet: UdpPacket) -> _Key:
    return packet.way, packet.ident, packet.size, packet.payload
