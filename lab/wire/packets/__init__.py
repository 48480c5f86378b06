"""Captures to TCP segments: a reader of its own, in bounded memory, that survives any damage.

::

    with opened(path) as stream:
        reader = Reader(stream)
        for segment in reader: ...      # or, faster, for batch in reader.batches(): ...
    reader.unsound          # what could not be read, in words

pcap (microseconds and nanoseconds) and pcapng, in both byte orders; Ethernet, Linux cooked (both versions),
raw IP and loopback; VLAN tags; IPv4 with options, IPv6 with extension headers, fragments of both; TCP, and
UDP for those who ask for it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO

from lab.wire.packets.datagram import UdpPacket, UdpReader
from lab.wire.packets.files import frames, opened
from lab.wire.packets.fragments import Fragment, Fragments
from lab.wire.packets.icmp import IcmpError, icmp_error
from lab.wire.packets.internet import TCP, Framed, content_of, content_of_fragments, ident_of
from lab.wire.packets.kinds import kind_of
from lab.wire.packets.link import network
from lab.wire.packets.pcap import Frame, Run, Span
from lab.wire.packets.problems import Damage, Problems
from lab.wire.packets.segment import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    Bare,
    FourTuple,
    Place,
    Segment,
    describe_flags,
    flow_of,
    named,
    way_back,
)
from lab.wire.packets.transport import Ordinary, any_segment

__all__ = [
    "ACK", "FIN", "PSH", "RST", "SYN", "URG", "Bare", "FourTuple", "IcmpError", "Place", "Reader", "Segment",
    "UdpPacket", "describe_flags", "flow_of", "opened", "way_back",
]  # fmt: skip

_BATCH = 256
"""Segments that are handed over at once, at least; there are fewer only at the end."""

_MOST_ERRORS = 10_000
"""ICMP error messages that are kept."""

_MOST_KINDS = 1024
"""Kinds of runs whose ordinary frames are remembered: a file may have thousands of interfaces."""


class Reader:
    """The TCP segments of a capture, once, in the order of the file.

    ``frames`` is the number of the last record read, ``errors`` are the ICMP messages about
    packets that were not passed on. ``hear`` is told of each UDP datagram. Memory does not grow with the
    capture.
    """

    def __init__(self, stream: BinaryIO, hear: Callable[[UdpPacket], None] | None = None) -> None:
        self._stream = stream
        self._hear_datagram = hear
        self._udp = UdpReader()
        self._problems = Problems()
        self._fragments = Fragments(self._problems)
        self._kinds: dict[tuple[int, Place], Ordinary] = {}
        self.frames = 0
        self.errors: list[IcmpError] = []
        self.others: Counter[str] = Counter()
        """Frames that hold no TCP, by what they hold."""

    @property
    def unsound(self) -> tuple[str, ...]:
        """What could not be read so far, one sentence for each kind of damage."""
        return self._problems.texts()

    @property
    def unsound_datagrams(self) -> tuple[str, ...]:
        """What could not be read of UDP, likewise."""
        return self._udp.unsound

    def __iter__(self) -> Iterator[Segment]:
        for batch in self.batches():
            yield from map(named, batch)

    def batches(self) -> Iterator[list[Bare]]:
        """The same segments, many at once and without names: for those who read millions."""
        batch: list[Bare] = []
        for run, spans in frames(self._stream, self._problems):
            batch += self.taken(run, spans)
            if len(batch) >= _BATCH:
                yield batch
                batch = []
        self._fragments.finish()
        self._udp.finish()
        if batch:
            yield batch

    def taken(self, run: Run, spans: list[Span]) -> list[Bare]:
        """The segments in the next frames."""
        before = self.frames
        self.frames += len(spans)
        return self._ordinary(run).segments(run, spans, before, self._study)

    def _ordinary(self, run: Run) -> Ordinary:
        """What is known of the ordinary frames of a run's kind."""
        kind = run.link, (run.interface, run.leaving, 0)
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            known = self._kinds[kind] = Ordinary(run.link)
        return known

    def _study(self, number: int, frame: Frame) -> Bare | None:
        """The segment in a frame of any kind, if there is one that can be read."""
        if frame[0].link < 0:
            return None
        try:
            return self._segment(number, frame)
        except Damage as damage:
            self._problems.add(number, str(damage))
        except (IndexError, struct.error):
            self._problems.add(number, "it ends within its headers")
        return None

    def _hear(self, packet: Framed) -> None:
        """Tell of what a frame holds that is no TCP: a datagram, or an ICMP error."""
        with suppress(IndexError, struct.error):
            self.others[kind_of(packet.kind, packet.data, packet.at)] += 1
        if self._hear_datagram is not None:
            datagram = self._udp.packet(packet)
            if datagram is not None:
                self._hear_datagram(datagram)
                return
        if not packet.place[1]:  # where it leaves a switch it has entered it
            self._keep_error(packet)

    def _keep_error(self, packet: Framed) -> None:
        """Keep the ICMP error of a frame, if it holds one; one that is cut off says nothing."""
        with suppress(IndexError, struct.error):
            error = icmp_error(packet)
            if error is not None and len(self.errors) < _MOST_ERRORS:
                self.errors.append(error)

    def _segment(self, number: int, frame: Frame) -> Bare | None:
        run, (time, start, end, wire) = frame
        # A copy: what stands behind the frame must not be read as a part of it.
        data, end = run.data[start:end], end - start
        kind, at, interface, leaving, mark = network(run.link, data, 0)
        place = interface or run.interface, run.leaving if leaving is None else leaving, mark
        self._ordinary(run).learn(data, kind, at, place)
        framed = Framed(number, time, place, kind, data, at, wire)
        packet, ident = content_of(framed, TCP), ident_of(kind, data, at)
        if packet is None or (isinstance(packet, Fragment) and packet.following != TCP):
            self._hear(framed)
        if isinstance(packet, Fragment):
            whole = self._fragments.add(number, packet, data, end, place)
            if whole is None:
                return None
            packet, data, end = (
                content_of_fragments(packet.addresses, whole, TCP),
                whole.head,
                len(whole.head),
            )
        if packet is None:
            return None
        found = any_segment(data, end, *packet)
        return number, time, place, *found, ident
