"""Sightings of packets to packets: who sent each, and where it arrived. UDP and ICMP share it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterator
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from lab.wire.packets.segment import Place
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.facts import Forged, Moment


class Sightable(Protocol):
    """One sighting of a packet; ``frame``, ``time`` and ``place`` are as those of a ``Segment``."""

    @property
    def frame(self) -> int:
        """Its number in the capture."""

    @property
    def time(self) -> int:
        """When it was seen (ns)."""

    @property
    def place(self) -> Place:
        """Where it was seen."""

    @property
    def size(self) -> int:
        """Bytes of its payload."""

    @property
    def payload(self) -> bytes:
        """What was captured of it."""

    @property
    def ttl(self) -> int:
        """How many routers it may cross yet."""

    @property
    def addresses(self) -> tuple[str, str]:
        """Where it comes from and goes to, as text."""

    @property
    def key(self) -> Hashable:
        """What all sightings of the packet have in common."""


P = TypeVar("P", bound=Sightable)


class Arrival(Struct, frozen=True):
    """A packet reached a host, with so much left of its time to live (IPv6: of its hop limit)."""

    host: str
    at: Moment
    ttl: int = 0


class Sighted(Struct, Generic[P]):
    """A packet in the making: as it was seen first, what is kept of its payload, where it came out."""

    packet: P
    payload: bytes
    digest: bytes
    """Of the whole payload, empty if that was not captured whole."""
    sent: Moment | None
    arrivals: list[Arrival]


class _Forging(Struct):
    first: Moment
    frames: int = 0


class Sightings(Generic[P]):
    """The packets of one capture, as they come: ``most`` are kept, and ``room`` bytes of payloads."""

    def __init__(self, point: CapturePoint, *, most: int, room: int) -> None:
        self._vantage = point
        self._most = most
        self._room = room
        self._under_way: dict[Hashable, deque[Sighted[P]]] = {}
        """Those that were sent, by what their sightings have in common: the next to arrive first."""
        self._forged: dict[tuple[str, str], _Forging] = {}
        """Frames that a host has sent in the name of an address that is not its own."""
        self._lies: Counter[Hashable] = Counter()
        """What such frames hold: where they arrive, they are no packet of the host that they name."""
        self.seen: list[Sighted[P]] = []
        """In the order of their first sightings."""
        self._share = most // 2 // max(1, len(set(point.ports.values())))
        self._shares: Counter[str] = Counter()
        """Half of the room is anybody's; of the other half each host has a part, and has used so much."""
        self.let_go: Counter[str] = Counter()
        """Packets of each host ("": nobody's) that were not kept, for want of room."""

    def hear(self, packet: P) -> None:
        """Take in one sighting; they come in the order of the capture."""
        point = self._vantage
        source, target = packet.addresses
        interface, leaving, _ = packet.place
        at = Moment(packet.frame, packet.time)
        if not point.ports:
            self._keep(packet, at, [Arrival(point.host_of(target), at, packet.ttl)], point.host_of(source))
            return
        host = point.ports.get(interface, "")
        if not host or leaving is None:
            return
        if leaving:
            self._arrive(packet, Arrival(host, at, packet.ttl))
        elif point.host_of(source) in {"", host}:
            self._keep(packet, at, [], host)
        elif interface in point.honest:
            self._note_forged(packet, host, source)

    def _note_forged(self, packet: P, host: str, source: str) -> None:
        one = self._forged.setdefault((host, source), _Forging(Moment(packet.frame, packet.time)))
        one.frames += 1
        if len(self._lies) < self._most:
            self._lies[packet.key] += 1

    def _keep(self, packet: P, sent: Moment | None, arrivals: list[Arrival], host: str) -> None:
        """Keep a packet that was seen first at the port of this host."""
        if len(self.seen) - self._shares.total() >= self._most - self._most // 2:
            if self._shares[host] >= self._share:
                self.let_go[host] += 1
                return
            self._shares[host] += 1
        payload = packet.payload
        digest = blake2b(payload, digest_size=16).digest() if len(payload) == packet.size else b""
        kept = payload if len(payload) <= self._room else b""
        self._room -= len(kept)
        one = Sighted(self.without_payload(packet), kept, digest, sent, arrivals)
        self.seen.append(one)
        if sent is not None and self._vantage.ports:
            self._under_way.setdefault(packet.key, deque()).append(one)

    def without_payload(self, packet: P) -> P:
        """The packet without what is kept elsewhere."""
        return packet

    def _arrive(self, packet: P, arrival: Arrival) -> None:
        """A packet has left the switch: at its target, or on its way there."""
        target = self._vantage.host_of(packet.addresses[1])
        if target not in {"", arrival.host}:
            return  # a router
        waiting = self._under_way.get(packet.key)
        if waiting is None:
            if self._lies[packet.key] > 0:
                self._lies[packet.key] -= 1
                return
            sender = self._vantage.host_of(packet.addresses[0])
            if not self.let_go[sender]:  # else it is one of those
                self._keep(packet, None, [arrival], arrival.host)
            return
        if target:
            one = waiting.popleft()
            if not waiting:
                del self._under_way[packet.key]
        else:
            reached = (one for one in waiting if arrival.host not in {was.host for was in one.arrivals})
            one = next(reached, waiting[-1])
        one.arrivals.append(arrival)

    def forget(self, before: int) -> list[Sighted[P]]:
        """Keep no packet in mind that was seen first before that time (ns): those that are forgotten.

        One that arrives after that is a packet of its own.
        """
        number = 0
        while number < len(self.seen) and self.seen[number].packet.time < before:
            number += 1
        gone, self.seen = self.seen[:number], self.seen[number:]
        for one in gone:
            self._room += len(one.payload)
            waiting = self._under_way.get(one.packet.key)
            if waiting and waiting[0] is one:  # the oldest of its key is the first that is forgotten
                waiting.popleft()
                if not waiting:
                    del self._under_way[one.packet.key]
        return gone

    def forged(self) -> Iterator[Forged]:
        """What hosts have sent in the name of others."""
        for (host, address), one in self._forged.items():
            yield Forged(host, address, one.first, one.frames)
