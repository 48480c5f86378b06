"""What is told of a capture: its connections, each as far as it is asked for, and the others counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from msgspec import Struct, field

from lab.core.endpoint import endpoint
from lab.core.icmp import NAMES
from lab.wire.packets import IcmpPacket, Place
from lab.wire.tcp import Connection, Flows, Outcome, Side
from lab.wire.udp.flows import UdpFlow, UdpFlows

_MOST_DIRECTIONS = 10_000
"""Pairs of addresses of which it is kept where they were seen first."""

_SECOND = 1_000_000_000
_FAILED = frozenset({"refused", "no_reply", "half_open"})


class Tally(Struct):
    """Connections that are only counted, by how they began and ended."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count some."""
        self.outcomes.update(outcomes)

    @property
    def count(self) -> int:
        """How many they are."""
        return self.outcomes.total()

    @property
    def handshakes(self) -> Counter[str]:
        """How they began."""
        return _sums((outcome.handshake, number) for outcome, number in self.outcomes.items())

    @property
    def closes(self) -> Counter[str]:
        """How they ended."""
        return _sums((outcome.close, number) for outcome, number in self.outcomes.items())


class IcmpTally:
    """ICMP messages by their types, each direction counted where it was first seen."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[bytes, Place] = {}

    def hear(self, packet: IcmpPacket) -> None:
        """Count one, unless it is a copy."""
        if len(self._first) >= _MOST_DIRECTIONS:
            self._first.clear()
        if self._first.setdefault(packet.ends, packet.place) == packet.place:
            name = NAMES[packet.protocol].get(packet.type, f"type {packet.type}")
            self.counts[f"{name} with a wrong checksum" if packet.wrong else name] += 1


def _sums(numbers: Iterable[tuple[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for key, number in numbers:
        sums[key] += number
    return sums


class Choice(Struct, frozen=True):
    """What is shown of a capture: all, or the connection of a ``number``, or those of a network or a port.

    Of several networks or ports one must be met, by either end.
    """

    number: int = 0
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ports: tuple[int, ...] = ()

    def takes(self, ends: Sequence[tuple[str, int]]) -> bool:
        """Whether what has these ends is shown."""
        if self.ports and not any(port in self.ports for _, port in ends):
            return False
        if not self.networks:
            return True
        addresses = [ip_address(address) for address, _ in ends]
        return any(address in network for network in self.networks for address in addresses)


class Told(Struct, frozen=True):
    """A connection of a capture.

    ``number`` counts them in the order of their first frames, from 1. ``before`` is the frame with which
    another connection between the same ports began before, 0 if none did.
    """

    number: int
    connection: Connection
    before: int

    @property
    def anomalies(self) -> tuple[str, ...]:
        """What is odd about it, a sentence each."""
        return anomalies(self.connection, self.before)

    @property
    def trouble(self) -> int:
        """How much went wrong: the worst connection has most.

        Each of these counts one: a segment that was sent again, or was overtaken; a duplicate ACK; a zero
        window; a full window; a connection that did not come about, or was reset.
        """
        connection = self.connection
        found = int(connection.handshake in _FAILED or connection.close == "reset")
        for side in connection.sides:
            found += sum(side.retransmissions) + side.reordered
        if measures := connection.measures:
            for of in (measures.client, measures.server):
                found += of.duplicate_acks + of.zero_windows + of.full_windows
        return found

    @property
    def duration(self) -> int:
        """The time from its first segment to its last (ns)."""
        measures = self.connection.measures
        return max(0, measures.ended - self.connection.began.time) if measures else 0

    def inferred(self, side: Side) -> int:
        """A side's bytes that no segment of the capture has: later ones, or acknowledgements, prove them."""
        measures = self.connection.measures
        if not measures:
            return 0
        missing = (measures.client if side is self.connection.client else measures.server).missing
        return min(missing, side.bytes)

    def throughput(self, side: Side) -> int | None:
        """The bytes a second of a side: by the time from the first segment to the last with its data.

        None if that is no time.
        """
        heard = self.connection.peer_of(side).heard
        took = heard.time - self.connection.began.time if heard else 0
        return side.bytes * _SECOND // took if took > 0 else None


class Analysis(Struct, frozen=True):
    """What a capture holds. ``began`` and ``ended`` are the times (ns) of its first and last TCP segment.

    ``others`` counts the connections that ``flows`` has no room for, ``not_tcp`` the frames that hold no TCP,
    by what they hold, ``tunnels`` the packets that were read within others, ``icmp`` the ICMP messages by
    their types. ``unsound`` says what could not be read, ``backwards`` how many segments have a time before
    that of the one in front of them.
    """

    frames: int
    segments: int
    began: int
    ended: int
    backwards: int
    flows: Flows
    others: Tally
    udp: UdpFlows
    not_tcp: Mapping[str, int]
    tunnels: Mapping[str, int]
    icmp: Mapping[str, int]
    unsound: tuple[str, ...]
    refusal: str = ""
    """Why the file is no capture at all; empty if it is one."""

    def connections(self, choice: Choice | None = None) -> Iterator[Told]:
        """Its connections, made anew each time: all of them at once take twice the memory of what is read."""
        used: dict[tuple[tuple[str, int], ...], int] = {}
        for number, connection in enumerate(self.flows.told(), start=1):
            client, server = connection.client, connection.server
            own, others = (client.address, client.port), (server.address, server.port)
            ends = (own, others) if own < others else (others, own)
            if choice is None or (choice.number in {0, number} and choice.takes(ends)):
                yield Told(number, connection, used.get(ends, 0))
            used[ends] = connection.began.frame

    def datagrams(self, choice: Choice | None = None) -> Iterator[UdpFlow]:
        """Its UDP flows, likewise; none if a connection is chosen by its number."""
        for flow in self.udp.told():
            ends = [(side.address, side.port) for side in flow.sides]
            if choice is None or (not choice.number and choice.takes(ends)):
                yield flow


def anomalies(connection: Connection, before: int = 0) -> tuple[str, ...]:
    """What is odd about a connection, a sentence each; ``before`` as :class:`Told` has it."""
    reused = (f"the ports were used before, from frame {before} on",) if before else ()
    return *reused, *_of_both(connection), *(one for side in connection.sides for one in _of_side(side))


def _of_both(connection: Connection) -> Iterator[str]:
    client, server = connection.sides
    if client.syn is None and server.syn is None:
        yield "it began before the capture"
    elif connection.handshake == "unknown":
        yield "the capture lacks a part of its handshake"
    silent = [side for side in connection.sides if side.silent]
    if silent and (connection.handshake == "unknown" or silent == [client]):
        yield f"only one direction was captured: nothing from {end_of(silent[0])}"


def _of_side(side: Side) -> Iterator[str]:
    whose = end_of(side)
    if side.gaps:
        yield f"{side.gaps} gaps: segments from or to {whose} are not in the capture"
    if side.reordered:
        yield f"{side.reordered} segments from {whose} were overtaken by later ones"
    if side.isn is not None and side.isn + 1 + side.bytes > 0xFFFFFFFF:
        yield f"the sequence numbers of {whose} wrap around"
    if side.reset and side.reset.cause == "after_close":
        yield f"RST from {whose} after both had closed"


def end_of(side: Side) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``."""
    return endpoint(side.address, side.port)
