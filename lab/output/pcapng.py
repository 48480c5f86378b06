"""One pcapng for a whole run, for Wireshark: every capture of a record in one order of time.

Each host has an interface for either direction (``client_a eth0 sent``, ``client_a eth0 received``) and one
for its loopback, the steps of the script are comments on packets, times are in nanoseconds. Frames stay byte
for byte as captured, cooked headers and all: those lack the destination's hardware address, so an Ethernet
header put in their place would hold one that nobody saw.

The format is that of draft-ietf-opsawg-pcapng, section 4. Memory does not grow with the captures.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from lab import __version__
from lab.core.escape import escape
from lab.evidence.capture import Interface
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import StepEnded
from lab.wire.packets.files import opened, records
from lab.wire.packets.link import network
from lab.wire.packets.problems import Damage, Problems

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT = 1
_APPLICATION = 4
_NAME, _RESOLUTION = 2, 9
_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_NANOSECONDS = b"\x09"
"""if_tsresol: times count 10 to the power of -9 seconds."""

_LONGEST_COMMENT = 4096
"""Bytes of a comment; an option has room for 65535."""

_MOST_COMMENTS = 64
"""Comments on one packet: a script that went on for long after the last would make a block of any size."""

_DISORDER = 256
"""Frames that may stand before an earlier one in a capture: several processors write to it."""

_SENT, _RECEIVED = "sent", "received"


class Exported(Struct, frozen=True):
    """How many frames were written, and what of the captures could not be read, a sentence each."""

    frames: int
    unsound: tuple[str, ...]


class _Place(NamedTuple):
    """An interface of the file: a device of a host (of the switch where that is empty), and a direction."""

    host: str
    device: str
    way: str = ""

    @property
    def name(self) -> str:
        """``client_a eth0 sent``."""
        return " ".join(filter(None, (self.host or "switch", self.device, self.way)))


class _Frame(NamedTuple):
    """A frame as it was captured, and the interface that it is written to."""

    time: int
    place: _Place
    link: int
    data: bytes
    wire: int


def export(folder: Path, evidence: Evidence, stream: BinaryIO) -> Exported:
    """Write the captures of a record, which lies in ``folder``, to one stream.

    Raises:
        EvidenceError: a capture cannot be opened; one that is damaged is told in the answer.
        OSError: the stream cannot be written.
    """
    problems = {capture.path: Problems() for capture in evidence.info.captures}
    places = _Places(evidence)
    captures = [_in_order(_frames(folder / path, places, told)) for path, told in problems.items()]
    steps = [event for event in evidence.transcript.events if isinstance(event, StepEnded)]
    stream.write(_section(evidence))
    count, numbers = 0, _Numbers(places)
    for frame, comments in _annotated(merge(*captures, key=attrgetter("time")), steps):
        stream.write(numbers.declared(frame) + _packet(frame, numbers.of(frame), comments))
        count += 1
    return Exported(
        count, tuple(f"{path}: {what}" for path, told in problems.items() for what in told.texts())
    )


_UNKNOWN = _Place("", "unknown")


# The captures


class _Places:
    """Which interface a frame of a capture was seen at, and which the hosts have."""

    def __init__(self, evidence: Evidence) -> None:
        self._alone = {capture.path: capture.host for capture in evidence.info.captures if capture.host}
        self._devices = {one.index: _device(one, evidence) for one in evidence.info.interfaces}
        self.ports = [device for device in self._devices.values() if device.host]

    def of(self, capture: str, link: int, data: bytes) -> _Place:
        """The interface that a frame belongs to."""
        if capture in self._alone:
            return _Place(self._alone[capture], "lo")
        try:
            _, _, index, leaving, _ = network(link, data, 0)
        except (Damage, IndexError, struct.error):
            return _UNKNOWN
        device = self._devices.get(index, _UNKNOWN)
        if leaving is None:
            return device
        # What leaves the switch at a port is received by the host behind it.
        return device._replace(way=_RECEIVED if leaving is bool(device.host) else _SENT)


def _device(interface: Interface, evidence: Evidence) -> _Place:
    """A host's interfaces are numbered in the order of the scenario's networks."""
    if not interface.host:
        return _Place("", interface.name)
    own = evidence.info.addresses[interface.host]
    legs = [network for network in evidence.scenario.networks if network in own]
    return _Place(
        interface.host, f"eth{legs.index(interface.network)}" if interface.network in legs else "eth"
    )


def _frames(path: Path, places: _Places, problems: Problems) -> Iterator[_Frame]:
    with opened(path) as stream:
        for time, link, data, start, end, wire, _ in records(stream, problems):
            frame = data[start:end]
            yield _Frame(time, places.of(path.name, link, frame), link, frame, max(wire, len(frame)))


def _in_order(frames: Iterable[_Frame]) -> Iterator[_Frame]:
    """The frames in order of time, those of one time in the order of the file."""
    heap: list[tuple[int, int, _Frame]] = []
    for number, frame in enumerate(frames):
        heappush(heap, (frame.time, number, frame))
        if len(heap) > _DISORDER:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]


# The steps


def _annotated(
    frames: Iterable[_Frame], steps: Sequence[StepEnded]
) -> Iterator[tuple[_Frame, Sequence[str]]]:
    """Each frame with the steps that began since the one before; the last also with those that came later."""
    coming = deque(sorted(steps, key=attrgetter("began")))
    held: tuple[_Frame, list[str]] | None = None
    for frame in frames:
        if held is not None:
            yield held
        held = frame, []
        while coming and coming[0].began <= frame.time:
            held[1].append(_told(coming.popleft()))
    if held is not None:
        yield held[0], held[1] + [_told(step) for step in coming]


def _told(step: StepEnded) -> str:
    """``step 4, client_a: expect the text 'Hi'``, and what came instead if it did not pass."""
    text = f"step {step.step}, {step.host}: {step.what}"
    if step.expected or step.observed:
        text += f"\n{step.outcome.value}: expected {step.expected}; observed {step.observed}"
    return text


# The blocks


class _Numbers:
    """The numbers of the interfaces, in the order in which they were declared."""

    def __init__(self, places: _Places) -> None:
        self._ports = places.ports
        self._numbers: dict[tuple[_Place, int], int] = {}

    def of(self, frame: _Frame) -> int:
        """The number of the interface that a frame belongs to."""
        return self._numbers[frame.place, frame.link]

    def declared(self, frame: _Frame) -> bytes:
        """The blocks that must come before the frame; the first of the switch brings those of all hosts."""
        if (frame.place, frame.link) in self._numbers:
            return b""
        ports = [port._replace(way=way) for port in self._ports for way in (_SENT, _RECEIVED)]
        wanted = [*(ports if frame.place.way else []), frame.place]
        return b"".join(self._declare(place, frame.link) for place in wanted)

    def _declare(self, place: _Place, link: int) -> bytes:
        if (place, link) in self._numbers:
            return b""
        self._numbers[place, link] = len(self._numbers)
        options = _text(_NAME, place.name) + _option(_RESOLUTION, _NANOSECONDS)
        return _block(_INTERFACE, struct.pack("<HHI", link, 0, 0), options)


def _section(evidence: Evidence) -> bytes:
    """The head of the file: its byte order, version 1.0, a length that is not told, and what run this is."""
    fixed = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    title = f"{evidence.scenario.title}\nrun {evidence.info.run_id}"
    return _block(_SECTION, fixed, _text(_COMMENT, title) + _text(_APPLICATION, f"tcp-lab {__version__}"))


def _packet(frame: _Frame, interface: int, comments: Sequence[str]) -> bytes:
    high, low = frame.time >> 32, frame.time & 0xFFFFFFFF
    fixed = struct.pack("<IIIII", interface, high, low, len(frame.data), frame.wire)
    shown = list(comments[:_MOST_COMMENTS])
    if len(comments) > len(shown):
        shown.append(f"and {len(comments) - len(shown)} more steps")
    options = b"".join(_text(_COMMENT, comment) for comment in shown)
    if frame.place.way:
        options += _option(_FLAGS, struct.pack("<I", _OUTBOUND if frame.place.way == _SENT else _INBOUND))
    return _block(_PACKET, fixed + _padded(frame.data), options)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    """A block: its kind and length, the body, the options and their end, and the length again."""
    if options:
        options += struct.pack("<HH", 0, 0)
    length = 12 + len(body) + len(options)
    return struct.pack("<II", kind, length) + body + options + struct.pack("<I", length)


def _text(code: int, text: str) -> bytes:
    """An option that holds text of any origin, made harmless; nothing for none."""
    data = escape(text).encode()[:_LONGEST_COMMENT].decode(errors="ignore").encode()
    return _option(code, data) if data else b""


def _option(code: int, data: bytes) -> bytes:
    return struct.pack("<HH", code, len(data)) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
