"""Captures to TCP segments: a reader of its own, in bounded memory, that survives any damage.

::

    with opened(path) as stream:
        reader = Reader(stream)
        for segment in reader: ...      # or, faster, for batch in reader.batches(): ...
    reader.unsound          # what could not be read

pcap (microseconds and nanoseconds) and pcapng, in both byte orders; Ethernet, Linux cooked (both versions),
raw IP, loopback, PPP and HDLC; VLAN tags; IPv4 with options, IPv6 with extension headers, fragments of both;
TCP, and UDP and ICMP for those who ask for them; packets within packets.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from lab.wire.packets.datagram import UdpPacket, UdpReader
from lab.wire.packets.files import frames, opened
from lab.wire.packets.fragments import Fragment, Fragments, where
from lab.wire.packets.icmp import IcmpPacket, IcmpReader, Quoted
from lab.wire.packets.internet import (
    TCP,
    Framed,
    claimed_end,
    content_of,
    content_of_fragments,
    ident_of,
)
from lab.wire.packets.kinds import kind_of
from lab.wire.packets.link import IPV4, IPV6, network, tags
from lab.wire.packets.pcap import Frame, Run, Span
from lab.wire.packets.problems import Damage, Kind, Problems, Unread, Where
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
from lab.wire.packets.transport import Ears, Hear, Ordinary, any_segment
from lab.wire.packets.tunnels import Tunnels

__all__ = [
    "ACK", "FIN", "PSH", "RST", "SYN", "URG", "Bare", "FourTuple", "Framed", "IcmpPacket", "Place", "Quoted",
    "Reader", "Segment", "UdpPacket", "describe_flags", "flow_of", "opened", "way_back",
]  # fmt: skip

_BATCH = 256
"""Segments that are handed over at once, at least; there are fewer only at the end."""

_LONGER: Final = "longer-than-its-frame"

_MOST_KINDS = 1024
"""Kinds of runs whose ordinary frames are remembered: a file may have thousands of interfaces."""


class Reader:
    """The TCP segments of a capture, once, in the order of the file.

    ``frames`` is the number of the last record read. ``hear`` is told of each UDP datagram, or ``hear_size``
    of its size alone, which takes less time, ``hear_icmp`` of each ICMP message, ``hear_packet`` of each
    packet that holds no TCP. Of each segment's payload the first ``kept`` bytes are kept: none unless asked
    for, for that takes time. Memory does not grow with the capture.

    Where it reads ``deep`` it also takes what no receiver would: packets within packets, and of a packet
    that claims to be longer than its frame as much as that holds.
    """

    def __init__(
        self,
        stream: BinaryIO,
        hear: Callable[[UdpPacket], None] | None = None,
        hear_icmp: Callable[[IcmpPacket], None] | None = None,
        hear_packet: Callable[[Framed], None] | None = None,
        *,
        hear_size: Hear | None = None,
        deep: bool = False,
        kept: int = 0,
    ) -> None:
        self._deep = deep
        self._kept = kept
        self._tunnels = Tunnels()
        self._stream = stream
        self._hear_datagram = hear
        self._hear_size = hear_size
        self._ears = Ears(
            None if hear or hear_packet or not hear_size else self._hear_ordinary,
            self._tunnels.tag if deep else None,
        )
        self._hear_icmp = hear_icmp
        self._hear_packet = hear_packet
        self._udp = UdpReader()
        self._icmp = IcmpReader()
        self._problems = Problems()
        self._fragments = Fragments(self._problems)
        self._kinds: dict[tuple[int, Place], Ordinary] = {}
        self.frames = 0
        self.others: Counter[str] = Counter()
        """Frames that hold no TCP, by what they hold."""

    @property
    def tunnels(self) -> Counter[str]:
        """Packets that were read within others, by what held them."""
        return self._tunnels.counts

    @property
    def unsound(self) -> tuple[Unread, ...]:
        """What could not be read so far, each kind of damage once."""
        return self._problems.found()

    @property
    def refusal(self) -> Kind | None:
        """Why the stream is no capture at all; None if it is one."""
        return self._problems.refusal

    @property
    def unsound_datagrams(self) -> tuple[Unread, ...]:
        """What could not be read of UDP, likewise."""
        return self._udp.unsound

    @property
    def unsound_icmp(self) -> tuple[Unread, ...]:
        """What could not be read of ICMP, likewise."""
        return self._icmp.unsound

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
        self._icmp.finish()
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
            known = self._kinds[kind] = Ordinary(run.link, self._ears, self._kept)
        return known

    def _study(self, number: int, frame: Frame) -> Bare | None:
        """The segment in a frame of any kind, if there is one that can be read."""
        if frame[0].link < 0:
            return None
        try:
            return self._segment(number, frame)
        except Damage as damage:
            self._problems.add(number, damage.kind, _where(frame))
        except (IndexError, struct.error):
            self._problems.add(number, "ends-in-headers", _where(frame))
        return None

    def _hear(self, packet: Framed) -> None:
        """Tell of what a frame holds that is no TCP: a datagram, or an ICMP message."""
        with suppress(IndexError, struct.error):
            self.others[kind_of(packet.kind, packet.data, packet.at)] += 1
        if self._hear_packet is not None:
            self._hear_packet(packet)
        if self._hear_datagram is not None or self._hear_size is not None:
            datagram = self._udp.packet(packet)
            if datagram is not None:
                self._tell(datagram)
                return
        if self._hear_icmp is not None:
            message = self._icmp.packet(packet)
            if message is not None:
                self._hear_icmp(message)

    def _tell(self, datagram: UdpPacket) -> None:
        if self._hear_datagram is not None:
            self._hear_datagram(datagram)
        if self._hear_size is not None:
            frame, time, place, way, size, *_ = datagram
            self._hear_size(frame, time, place, way, size)

    def _hear_ordinary(self, frame: int, time: int, place: Place, way: bytes, size: int) -> None:
        """Tell of a datagram that nothing else is to be said of."""
        self.others["UDP"] += 1
        if self._hear_size is not None:
            self._hear_size(frame, time, place, way, size)

    def _deepest(self, framed: Framed, tagged: int) -> Framed:
        """The innermost packet of a frame that has so many VLAN tags."""
        if tagged:
            self._tunnels.tag(tagged)
        number, _, _, kind, data, at, wire, _ = found = self._tunnels.innermost(framed)
        if kind in {IPV4, IPV6} and claimed_end(kind, data, at) > wire:
            self._problems.add(number, _LONGER)
        return found

    def _segment(self, number: int, frame: Frame) -> Bare | None:
        run, (time, start, end, wire) = frame
        # A copy: what stands behind the frame must not be read as a part of it.
        data, end = run.data[start:end], end - start
        kind, at, interface, leaving, mark = network(run.link, data, 0)
        place = interface or run.interface, run.leaving if leaving is None else leaving, mark
        self._ordinary(run).learn(data, kind, at, place)
        framed = Framed(number, time, place, kind, data, at, wire, self._deep)
        if self._deep:
            framed = self._deepest(framed, tags(run.link, 0, at))
            _, _, place, kind, data, at, _, _ = framed
            end = len(data)
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
        way, seq, ack, flags, length, window, checksum, options, first = any_segment(
            data, end, *packet, kept=self._kept
        )
        return number, time, place, way, seq, ack, flags, length, window, checksum, ident, options, first


def _where(frame: Frame) -> Where | None:
    """Where a damaged frame was seen, if as much of it can be read."""
    run, (_, start, end, _) = frame
    with suppress(Damage, IndexError, struct.error):
        _, _, interface, leaving, mark = network(run.link, run.data[start:end], 0)
        return where((interface or run.interface, run.leaving if leaving is None else leaving, mark))
    return None
