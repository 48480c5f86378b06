"""The newer capture file: blocks, in sections that each have their interfaces (draft-ietf-opsawg-pcapng).

Every kind of packet block is read, in either byte order. Options are passed over, except for an interface's
resolution and offset of time and a packet's direction; so are blocks of other kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

from lab.wire.packets.pcap import CHUNK, LARGEST, SECOND, Frames, Run, Span
from lab.wire.packets.problems import Damage, Problems

SECTION = bytes.fromhex("0a0d0d0a")
_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_RESOLUTION, _OFFSET = 9, 14
_FLAGS = 2
_DIRECTIONS = {1: False, 2: True}
"""Bits 0 and 1 of a packet's flags (section 4.3.1) -> whether it left; 0 is unknown, 3 means nothing."""

_ORDERS = {bytes.fromhex("4d3c2b1a"): "<", bytes.fromhex("1a2b3c4d"): ">"}
_SMALLEST = 12
_LARGEST_BLOCK = 1 << 24
"""Bytes that no block exceeds (libpcap's limit, too): more is damage."""

_CUT: Final = "file-ends-in-frame"
_MOST_INTERFACES = 1 << 16
_PACKET_HEADER = 28
"""Bytes of an enhanced packet's block before the packet."""

_TRAILER = 4
"""Bytes at a block's end: its length once more."""


class _Interface(NamedTuple):
    """An interface; ``units`` of its time make a second, ``offset`` is in ns, ``snap`` 0 is no limit."""

    number: int
    link: int
    snap: int
    units: int
    offset: int

    @property
    def unit(self) -> int:
        """The nanoseconds of a unit of its time, 0 where they are no whole number."""
        return 0 if SECOND % self.units else SECOND // self.units


class _Layout:
    """How the numbers of a section lie in the file."""

    def __init__(self, order: str) -> None:
        self.head = Struct(order + "II").unpack_from
        self.word = Struct(order + "I").unpack_from
        self.interface = Struct(order + "H2xI").unpack_from
        self.option = Struct(order + "HH").unpack_from
        self.offset = Struct(order + "q").unpack_from
        self.block = Struct(order + "IIIIIII").unpack_from
        self.enhanced = Struct(order + "IIIII").unpack_from
        self.obsolete = Struct(order + "H2xIIII").unpack_from


def frames(stream: BinaryIO, begun: bytes, problems: Problems) -> Iterator[Frames]:
    """The frames of a stream whose first bytes were read; ``problems`` is told what cannot be read."""
    section, data, at = Section(problems), begun, 0
    while True:
        if len(data) - at < _SMALLEST:
            data, at = data[at:] + stream.read(CHUNK), 0
        head = section.head(data, at)
        if head is None:
            return
        kind, size = head
        if len(data) - at < size:
            data, at = data[at:] + stream.read(max(CHUNK, size)), 0
            if len(data) < size:
                problems.add(section.frames + 1, _CUT)
                return
        found = section.block(kind, data, at + 8, at + size - _TRAILER)
        if found is not None:
            yield found
        at += size
        if section.layout.word(data, at - _TRAILER)[0] != size:
            problems.add(section.frames, "two-block-lengths")
        alike, at = section.packets(data, at)
        yield from alike


def _possible(size: int) -> bool:
    return _SMALLEST <= size <= _LARGEST_BLOCK and size % 4 == 0


class Section:
    """Where in the file the reading is: the byte order and the interfaces that hold there."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._interfaces: list[_Interface] = []
        self._before = 0
        self._time = 0
        self.layout = _Layout("<")
        self.frames = 0
        """Packets met so far."""

    def head(self, data: bytes, at: int) -> tuple[int, int] | None:
        """The type and the size of the block at ``at``, or None if nothing can be read from there on."""
        if len(data) - at < _SMALLEST:
            if len(data) > at:
                self._problems.add(self.frames + 1, _CUT)
            return None
        if data[at : at + 4] == SECTION and not self._begin(data[at + 8 : at + 12]):
            return None
        kind, size = self.layout.head(data, at)
        if not _possible(size):
            self._problems.add(self.frames + 1, "absurd-length")
            return None
        return kind, size

    def _begin(self, magic: bytes) -> bool:
        """Another section begins; its interfaces are its own. False if it is none."""
        if magic not in _ORDERS:
            self._problems.add(self.frames + 1, "bad-section")
            return False
        self._before += len(self._interfaces)
        self._interfaces = []
        self.layout = _Layout(_ORDERS[magic])
        return True

    def packets(self, data: bytes, at: int) -> tuple[list[Frames], int]:
        """The packets from ``at`` on in sound blocks of the usual kind, and where the next block begins.

        Nearly every packet passes here, as in :func:`lab.wire.packets.pcap.walk`. The others
        are read by :meth:`block`, which gives the same for these.
        """
        block, word, size, last = self.layout.block, self.layout.word, len(data), len(data) - _PACKET_HEADER
        found, spans = list[Frames](), list[Span]()
        shown, way, since, whole, unit = -1, None, -1, 0, 0
        while at <= last:
            kind, length, number, high, low, captured, wire = block(data, at)
            start, past = at + _PACKET_HEADER, at + length
            end, trailer = start + captured, past - _TRAILER
            if kind != _ENHANCED or past > size or end > trailer or captured > LARGEST:
                break
            if length & 3 or length > _LARGEST_BLOCK or word(data, trailer)[0] != length:
                break
            leaving = None if trailer - end < 4 else self._direction(data, end + -captured % 4, trailer)
            if number != shown or leaving is not way:
                interface = self._interfaces[number] if number < len(self._interfaces) else None
                if interface is None or not interface.unit:
                    break
                shown, way, since, unit, spans = number, leaving, -1, interface.unit, []
                found.append((Run(data, interface.link, interface.number, leaving), spans))
            if high != since:  # numbers beyond 30 bits are slow: most packets share their upper half
                since, whole = high, (high << 32) * unit + self._interfaces[number].offset
            spans.append((whole + low * unit, start, end, wire))
            at = past
        if spans:
            self.frames += sum(len(spans) for _, spans in found)
            self._time = spans[-1][0]
        return found, at

    def block(self, kind: int, data: bytes, at: int, end: int) -> Frames | None:
        """The packet in a block's body, if there is one that can be read."""
        if kind == _INTERFACE:
            self._declare(data, at, end)
            return None
        if kind not in (_ENHANCED, _SIMPLE, _OBSOLETE):
            return None
        self.frames += 1
        try:
            return self._packet(kind, data, at, end)
        except Damage as damage:
            # The frame keeps its number: it is there, but empty.
            self._problems.add(self.frames, damage.kind)
            return Run(data, -1), [(self._time, at, at, 0)]

    def _declare(self, data: bytes, at: int, end: int) -> None:
        if len(self._interfaces) >= _MOST_INTERFACES or end - at < 8:
            self._problems.add(self.frames + 1, "bad-interface")
            return
        link, snap = self.layout.interface(data, at)
        units, offset = self._clock(data, at + 8, end)
        number = self._before + len(self._interfaces)
        self._interfaces.append(_Interface(number, link, snap, units, offset))

    def _clock(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """Units in a second and the offset, from an interface's options."""
        units, offset = 1_000_000, 0
        for code, value, size in self._options(data, at, end):
            if code == _RESOLUTION and size == 1:
                units = 2 ** (data[value] & 127) if data[value] & 128 else 10 ** data[value]
            elif code == _OFFSET and size == 8:
                offset = self.layout.offset(data, value)[0] * SECOND
        return units, offset

    def _options(self, data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The code of each option, where its value begins, and how long that is."""
        while at + 4 <= end:
            code, size = self.layout.option(data, at)
            at += 4
            if not code or at + size > end:
                break
            yield code, at, size
            at += size + -size % 4

    def _direction(self, data: bytes, at: int, end: int) -> bool | None:
        """Whether a packet left, if its options tell."""
        flags = next(
            (here for code, here, size in self._options(data, at, end) if (code, size) == (_FLAGS, 4)), None
        )
        return None if flags is None else _DIRECTIONS.get(self.layout.word(data, flags)[0] & 3)

    def _packet(self, kind: int, data: bytes, at: int, end: int) -> Frames:
        if kind == _SIMPLE:
            return self._simple(data, at, end)
        if end - at < 20:
            raise Damage("ends-in-block")
        read = self.layout.enhanced if kind == _ENHANCED else self.layout.obsolete
        number, high, low, captured, wire = read(data, at)
        interface = self._interface(number)
        self._time = (high << 32 | low) * SECOND // interface.units + interface.offset
        span = self._span((at + 20, end), captured, wire)
        options = at + 20 + captured + -captured % 4
        leaving = self._direction(data, options, end) if options + 8 <= end else None
        return Run(data, interface.link, interface.number, leaving), [span]

    def _simple(self, data: bytes, at: int, end: int) -> Frames:
        """A packet without a time: it has that of the one before."""
        if end - at < 4:
            raise Damage("ends-in-block")
        interface, wire = self._interface(0), self.layout.word(data, at)[0]
        captured = min(wire, interface.snap or wire)
        return Run(data, interface.link, interface.number), [self._span((at + 4, end), captured, wire)]

    def _interface(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise Damage("unknown-interface")
        return self._interfaces[number]

    def _span(self, body: tuple[int, int], captured: int, wire: int) -> Span:
        at, end = body
        if captured > min(end - at, LARGEST):
            raise Damage("block-too-short")
        return self._time, at, at + captured, wire
