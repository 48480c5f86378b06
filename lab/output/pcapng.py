"""One pcapng for a whole run, for Wireshark: every capture of a record in one order of time.

Each host has an interface for either direction (``client_a eth0 sent``, ``client_a eth0 received``) and one
for its loopback. Addresses have the hosts' names. The steps of the script and what became of datagrams are
comments on packets. Frames stay byte for byte as captured, cooked headers and all: those lack the
destination's hardware address, so an Ethernet header put in their place would hold one that nobody saw.

Memory does not grow with the captures, except for datagrams, of which the evidence is kept anyway.
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

from lab.evidence.capture import Interface, link_local
from lab.evidence.evidence import Evidence
from lab.evidence.record.layout import BY_HAND
from lab.evidence.transcript import StepEnded
from lab.output import blocks
from lab.output.remarks import Remarks
from lab.output.sentences.captures import damage
from lab.output.sentences.steps import tell
from lab.wire.packets.files import opened, records
from lab.wire.packets.link import network
from lab.wire.packets.marker import is_marker
from lab.wire.packets.problems import Damage, Problems

_MOST_COMMENTS = 64
"""Comments on one packet: a script that went on for long after the last would make a block of any size."""

_DISORDER = 256
"""Frames that may stand before an earlier one in a capture: several processors write to it."""

_SENT, _RECEIVED = "sent", "received"
_DIRECTIONS = {_SENT: blocks.OUTBOUND, _RECEIVED: blocks.INBOUND}

_MARKER = (
    "a marker of the lab, which no program sent: the first proves that the capture had begun before anything "
    "happened, the last that it holds everything up to the end"
)

_BY_HAND = "from here on: sent after the script, while the lab stayed up"

_REMEMBERED = 1 << 16
"""Frames that were sent and may still arrive, by which an arrival is known as one that is written already."""


class View(Struct, frozen=True):
    """Which frames are written: each once, where it left its sender, unless it is only seen to arrive.

    ``both`` writes them at both ends; ``host`` writes what one host sent and received.
    """

    both: bool = False
    host: str = ""


ONCE = View()


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
    capture: str
    number: int

    @property
    def packet(self) -> bytes:
        """The network packet: what is the same where it leaves and where it arrives."""
        try:
            _, start, *_ = network(self.link, self.data, 0)
        except (Damage, IndexError, struct.error):
            return self.data
        return self.data[start:]

    @property
    def is_marker(self) -> bool:
        """Whether it is one of the lab's own; a host's frames are never taken for one."""
        own = not self.place.host or self.place.device == "lo"
        return own and is_marker(self.link, self.data)


def export(folder: Path, evidence: Evidence, stream: BinaryIO, view: View = ONCE) -> Exported:
    """Write the captures of a record, which lies in ``folder``, to one stream, as far as the view shows them.

    Raises:
        EvidenceError: a capture cannot be opened; one that is damaged is told in the answer.
        OSError: the stream cannot be written.
    """
    problems = {capture.path: Problems() for capture in evidence.info.captures}
    if (folder / BY_HAND).exists():
        problems[BY_HAND] = Problems()
    places = _Places(evidence)
    captures = [_in_order(_frames(folder / path, places, told)) for path, told in problems.items()]
    steps = [event for event in evidence.transcript.events if isinstance(event, StepEnded)]
    stream.write(blocks.section(f"{evidence.scenario.title}\nrun {evidence.info.run_id}"))
    stream.write(blocks.names(_names(evidence)))
    count, numbers, remarks, after = 0, _Numbers(places, view), Remarks(evidence), False
    for frame, comments in _annotated(_seen(merge(*captures, key=attrgetter("time")), view), steps):
        told = [*filter(None, [_remark(frame, remarks, by_hand=not after)]), *comments]
        after = after or frame.capture == BY_HAND
        stream.write(numbers.declared(frame) + _packet(frame, numbers.of(frame), told))
        count += 1
    return Exported(
        count, tuple(f"{path}: {damage(one)}" for path, found in problems.items() for one in found.found())
    )


def _remark(frame: _Frame, remarks: Remarks, *, by_hand: bool) -> str:
    """What is told of a frame by itself; empty for most."""
    if frame.capture == BY_HAND:
        return _BY_HAND if by_hand else ""
    return _MARKER if frame.is_marker else remarks.of(frame.capture, frame.number)


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
        for number, (time, link, data, start, end, wire, _) in enumerate(records(stream, problems), start=1):
            frame, place = data[start:end], places.of(path.name, link, data[start:end])
            yield _Frame(time, place, link, frame, max(wire, len(frame)), path.name, number)


def _in_order(frames: Iterable[_Frame]) -> Iterator[_Frame]:
    """The frames in order of time, those of one time in the order of the file."""
    heap: list[tuple[int, int, _Frame]] = []
    for number, frame in enumerate(frames):
        heappush(heap, (frame.time, number, frame))
        if len(heap) > _DISORDER:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]


def _seen(frames: Iterable[_Frame], view: View) -> Iterator[_Frame]:
    """The frames that a view shows."""
    sent: dict[int, None] = {}
    for frame in frames:
        if frame.capture == BY_HAND and frame.is_marker:
            continue  # it proves nothing there
        if view.host:
            if frame.place.host == view.host:
                yield frame
            continue
        if not view.both and frame.place.way:
            known = hash((frame.wire, frame.packet))
            if frame.place.way == _RECEIVED and known in sent:
                continue
            sent[known] = None
            if len(sent) > _REMEMBERED:
                del sent[next(iter(sent))]
        yield frame


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
        text += f"\n{step.outcome.value}: expected {tell(step.expected)}; observed {tell(step.observed)}"
    return text


# The blocks


class _Numbers:
    """The numbers of the interfaces, in the order in which they were declared."""

    def __init__(self, places: _Places, view: View) -> None:
        ways = (_SENT, _RECEIVED) if view.both or view.host else (_SENT,)
        ports = [port for port in places.ports if view.host in {"", port.host}]
        self._ports = [port._replace(way=way) for port in ports for way in ways]
        self._numbers: dict[tuple[_Place, int], int] = {}

    def of(self, frame: _Frame) -> int:
        """The number of the interface that a frame belongs to."""
        return self._numbers[frame.place, frame.link]

    def declared(self, frame: _Frame) -> bytes:
        """The blocks that must come before the frame; the first of the switch brings those of all hosts."""
        if (frame.place, frame.link) in self._numbers:
            return b""
        wanted = [*(self._ports if frame.place.way else []), frame.place]
        return b"".join(self._declare(place, frame.link) for place in wanted)

    def _declare(self, place: _Place, link: int) -> bytes:
        if (place, link) in self._numbers:
            return b""
        self._numbers[place, link] = len(self._numbers)
        return blocks.interface(place.name, link)


def _packet(frame: _Frame, interface: int, comments: Sequence[str]) -> bytes:
    shown = list(comments[:_MOST_COMMENTS])
    if len(comments) > len(shown):
        shown.append(f"and {len(comments) - len(shown)} more steps")
    direction = _DIRECTIONS.get(frame.place.way, 0)
    return blocks.packet(interface, frame.time, frame.data, frame.wire, direction=direction, comments=shown)


def _names(evidence: Evidence) -> dict[str, str]:
    """The host of each address, also of those that hosts give themselves."""
    own = {
        str(address): host
        for host, networks in evidence.info.addresses.items()
        for addresses in networks.values()
        for address in addresses
    }
    return {**own, **link_local(evidence.info.interfaces)}
