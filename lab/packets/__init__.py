"""Captures to TCP segments: a reader of its own, in bounded memory, that survives any damage.

::

    with path.open("rb") as stream:
        reader = Reader(stream)
        for segment in reader: ...
    reader.unsound          # what could not be read, in words

pcap (microseconds and nanoseconds) and pcapng, in both byte orders; Ethernet, Linux cooked (both versions),
raw IP and loopback; VLAN tags; IPv4 with options, IPv6 with extension headers, fragments of both; TCP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from socket import inet_ntoa
from typing import BinaryIO

from lab.packets.files import records
from lab.packets.fragments import Fragment, Fragments
from lab.packets.internet import segment_in
from lab.packets.link import IPV4, network
from lab.packets.pcap import Record
from lab.packets.problems import Damage, Problems
from lab.packets.segment import ACK, FIN, PSH, RST, SYN, URG, FourTuple, Segment, describe_flags
from lab.packets.transport import ORDINARY, any_segment, ordinary

__all__ = [
    "ACK", "FIN", "PSH", "RST", "SYN", "URG", "FourTuple", "Reader", "Segment", "describe_flags",
]  # fmt: skip

_PORTS = struct.Struct("!HH")
_MOST_FLOWS = 200_000
"""4-tuples that are remembered; a flood makes them anew."""

_make = Segment._make


class Reader:
    """The TCP segments of a capture, once, in the order of the file.

    ``frames`` is the number of the last record read. Memory grows with the 4-tuples met, up to a bound.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._problems = Problems()
        self._fragments = Fragments(self._problems)
        self._flows: dict[bytes, FourTuple] = {}
        self.frames = 0

    @property
    def unsound(self) -> tuple[str, ...]:
        """What could not be read so far, one sentence for each kind of damage."""
        return self._problems.texts()

    def __iter__(self) -> Iterator[Segment]:
        yield from self._segments(records(self._stream, self._problems))
        self._fragments.finish()

    def _segments(self, found: Iterable[Record]) -> Iterator[Segment]:
        for record in found:
            self.frames += 1
            try:
                segment = self._segment(record)
            except Damage as damage:
                self._problems.add(self.frames, str(damage))
            except (IndexError, struct.error):
                self._problems.add(self.frames, "it ends within its headers")
            else:
                if segment is not None:
                    yield segment

    def _segment(self, record: Record) -> Segment | None:
        time, link, data, start, end, wire, recorder = record
        if link < 0:
            return None
        kind, at, interface, leaving = network(link, data, start)
        found = None
        if kind == IPV4 and at + ORDINARY <= end:
            found = ordinary(data, at, start + wire)
        if found is None:
            packet = segment_in(kind, data, at, end, start + wire)
            if packet is None:
                return None
            if isinstance(packet, Fragment):
                whole = self._fragments.add(self.frames, packet, data, end, (interface or recorder, leaving))
                if whole is None:
                    return None
                head, size = whole
                found = any_segment(head, len(head), packet.addresses, 0, size)
            else:
                found = any_segment(data, end, *packet)
        key, seq, ack, flags, length, window, checksum, options = found
        flow = self._flows.get(key) or self._flow(key)
        return _make(
            (
                self.frames, time, interface or recorder, leaving, flow,
                seq, ack, flags, length, window, checksum, options,
            )
        )  # fmt: skip

    def _flow(self, key: bytes) -> FourTuple:
        half = (len(key) - _PORTS.size) // 2
        source, target = _PORTS.unpack(key[-_PORTS.size :])
        flow = FourTuple(_text(key[:half]), source, _text(key[half : 2 * half]), target)
        if len(self._flows) >= _MOST_FLOWS:
            self._flows.clear()
        self._flows[key] = flow
        return flow


def _text(address: bytes) -> str:
    return inet_ntoa(address) if len(address) == 4 else str(ip_address(address))
