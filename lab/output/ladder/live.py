"""A conversation as rows while it goes on.

::

    live = Live([Wire(point), Wire(CapturePoint(alone="server"))])
    live.see(0, segments)
    live.hear(event)
    live.due(before)      # the rows before that time, in order: nothing is waited for any longer

What a row shows may be known only a little after it: a packet's arrival, the state that it leads to. So
rows are held back until the caller says that they have waited long enough. Memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from operator import itemgetter

from lab.evidence.capture import HeldSegment
from lab.evidence.sockets import SocketSample
from lab.evidence.transcript import Started, TranscriptEvent
from lab.output.ladder.folding import folded
from lab.output.ladder.held import Holds
from lab.output.ladder.packet_matching import Atlas, MatchedPacket, Pairing
from lab.output.ladder.queue import Change, Waiting, in_time, row_of, server_of
from lab.output.ladder.rows import Entered, Opened, Packet, Row
from lab.output.ladder.said import rows_of
from lab.output.ladder.story import datagram, entered, joined, listeners, message, opening, packet
from lab.wire.icmp import IcmpMessages
from lab.wire.packets import IcmpPacket, Segment, UdpPacket
from lab.wire.tcp import CapturePoint, Connection, Flows
from lab.wire.udp import Datagrams

_MOST_CONNECTIONS = 256
"""Connections of a capture that are kept in mind; of more, the oldest are forgotten."""

_MOST_HELD = 4096
"""Rows held back; of more, the oldest are shown at once."""

_ORDER: tuple[type, ...] = (Opened, Packet)
"""What comes first of rows of the same time."""


class Wire:
    """What one capture shows while it grows: of the switch, or of a host's loopback."""

    def __init__(self, point: CapturePoint) -> None:
        self._vantage = point
        self._flows = Flows(point, most=_MOST_CONNECTIONS)
        self._pairing = Pairing()
        self._connections: dict[int, Connection] = {}
        self._indices: dict[int, int] = {}
        self._opened: set[int] = set()
        self._told: dict[tuple[int, int], int] = {}
        self._datagrams, self._messages = Datagrams(point), IcmpMessages(point)
        self.newest = 0
        """When the last datagram or ICMP message was seen (ns)."""

    def hear(self, packet: UdpPacket) -> None:
        """A UDP datagram, wherever it was seen."""
        self.newest = max(self.newest, packet.time)
        self._datagrams.hear(packet)

    def hear_icmp(self, packet: IcmpPacket) -> None:
        """An ICMP message likewise."""
        self.newest = max(self.newest, packet.time)
        self._messages.hear(packet)

    def take(self, segments: Iterable[Segment], numbers: Iterator[int]) -> Iterator[Entered]:
        """Take new frames in; the states they led to. ``numbers`` are those of new connections."""
        found = list(segments)
        for segment in found:
            self._flows.add(segment)
        if found:
            self._survey(numbers)
            atlas = Atlas(self._connections, self._vantage.ports, everywhere=bool(self._vantage.alone))
            for segment in found:
                self._pairing.take(segment, atlas)
            yield from self._new_states()

    def packets(self, before: int, holds: Holds) -> Iterator[Opened | Packet]:
        """The segments that are complete, and all packets that began before that time (ns) as they are."""
        for crossing in self._pairing.ready(before):
            connection = self._connections.get(crossing.index)
            if connection is not None:
                yield from self._shown(crossing, connection, holds)
        for one in self._datagrams.forgotten(before):
            yield from datagram(one, doubt=True)
        for said in self._messages.forgotten(before):
            if not said.upkeep:
                yield from message(said, doubt=True)

    def _shown(
        self, crossing: MatchedPacket, connection: Connection, holds: Holds
    ) -> Iterator[Opened | Packet]:
        if crossing.index not in self._opened:
            self._opened.add(crossing.index)
            yield opening(crossing, connection)
        # Whether the capture is complete is proven at its end only.
        yield packet(crossing, connection, holds, doubt=True)

    def _survey(self, numbers: Iterator[int]) -> None:
        """Learn the connections anew; each keeps its index, and those that are gone are forgotten."""
        known = {connection.began.frame: connection for connection in self._flows.connections()}
        self._indices = {
            frame: self._indices[frame] if frame in self._indices else next(numbers) for frame in known
        }
        self._connections = {self._indices[frame]: connection for frame, connection in known.items()}
        self._opened &= self._connections.keys()
        self._told = {key: size for key, size in self._told.items() if key[0] in self._connections}
        self._pairing.forget(self._connections)

    def served(self, change: Change) -> tuple[int, Connection] | None:
        """The connection whose server's socket has changed, and its number; the last one with these ends."""
        wanted = change.host, change.ends
        known = ((index + 1, one) for index, one in self._connections.items() if server_of(one) == wanted)
        return max(known, key=itemgetter(0), default=None)

    def _new_states(self) -> Iterator[Entered]:
        for index, connection in self._connections.items():
            for end, side in enumerate(connection.sides):
                told = self._told.get((index, end), 0)
                if len(side.history) > told:
                    self._told[index, end] = len(side.history)
                    yield from entered(index + 1, side)[told:]


class Live:
    """Packets, states and what programs say, from everywhere, in one order of time."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._wires = wires
        self._numbers = count()
        self._held: list[Row] = []
        self._ran: dict[str, set[str]] = {}
        self._holds = Holds(str)
        self._listening: dict[str, AbstractSet[int]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._changes: list[Change] = []
        """Those of accept queues whose time has not come."""

    def see(self, wire: int, segments: Iterable[Segment]) -> None:
        """New frames of a wire, by its place."""
        self._held += self._wires[wire].take(segments, self._numbers)

    def hear(self, event: TranscriptEvent) -> None:
        """Something was typed, printed, started or ended."""
        if isinstance(event, Started):
            self._ran.setdefault(event.host, set()).add(event.program)
        self._held += rows_of(event, {host for host, programs in self._ran.items() if len(programs) > 1})

    def listen(self, at: int, host: str, ports: AbstractSet[int]) -> None:
        """A host listens on these ports."""
        self._held += listeners(at, host, self._listening.get(host, set()), ports)
        self._listening[host] = ports

    def look(self, sample: SocketSample, since: int) -> None:
        """A look at a host's sockets; the look before began at ``since``."""
        waiting = self._waiting.setdefault(sample.host, Waiting())
        self._changes += waiting.take(sample, since)

    def keep(self, segment: HeldSegment) -> None:
        """A step keeps a segment back: it is not waited for."""
        self._holds.hear([segment])

    def due(self, before: int) -> Iterator[Row]:
        """The rows before that time (ns), in order; what is still missing of them is not waited for."""
        for wire in self._wires:
            self._held += wire.packets(before, self._holds)
        self._take_changes(before)
        rows = sorted(self._held, key=_place)
        held = list(joined(in_time(rows, rows)))
        early = sum(row.time < before for row in held)
        early = max(early, len(held) - _MOST_HELD)
        self._held = held[early:]
        return folded(held[:early])

    def _take_changes(self, before: int) -> None:
        """The rows of accept queues: a change waits for its connection, but not longer than a row waits."""
        heard, self._changes = self._changes, []
        for change in heard:
            rows = [row for wire in self._wires for row in row_of(change, wire.served)]
            self._held += rows
            if not rows and change.until >= before:
                self._changes.append(change)


def _place(row: Row) -> tuple[int, int]:
    """By time; a connection's beginning before its packets, and those before what they lead to."""
    kind = type(row)
    return row.time, _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
