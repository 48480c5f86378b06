"""What hosts speak: the protocols of IP of what they sent, except for what their kernels send unasked."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from lab.core.icmp import ERRORS, ICMP, ICMPV6, REPLIES, UPKEEP
from lab.wire.packets import RST, Bare
from lab.wire.packets.internet import TCP, Framed, next_header
from lab.wire.packets.problems import Damage
from lab.wire.packets.segment import FLAGS, FRAME, PLACE, TIME, WAY, flow_of
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.facts import Moment

_MOST_DIRECTIONS = 10_000
"""Pairs of addresses at a port of which it is kept whether the host itself sends."""

_IGMP = 2
_IPV6_HEADERS = frozenset({59})
"""No next header: such a packet holds nothing."""


class Spoken(Struct, frozen=True):
    """A host sent packets of a protocol: the first of them, where it went, and how many."""

    capture: str
    host: str
    protocol: int
    first: Moment
    target: str
    packets: int


class _Count(Struct):
    first: Moment
    target: str
    packets: int = 0


class Speakers:
    """What the hosts at the ports of one capture speak.

    Not counted is what a kernel sends by itself: an RST, an echo reply, an ICMP error, IGMP, and by what it
    finds neighbours, routers and groups.
    """

    def __init__(self, point: CapturePoint, capture: str = "") -> None:
        self._vantage = point
        self._capture = capture
        self._speaker: dict[tuple[int, bytes], str] = {}
        self._found: dict[tuple[str, int], _Count] = {}

    def take(self, segments: Sequence[Bare]) -> None:
        """Some segments, in the order of the capture."""
        for one in segments:
            interface, leaving, _ = one[PLACE]
            if leaving is False and not one[FLAGS] & RST:
                way = one[WAY]
                self._count(interface, way[:-4], TCP, one[FRAME], one[TIME])

    def hear(self, packet: Framed) -> None:
        """A packet that holds no TCP segment that could be read."""
        interface, leaving, _ = packet.place
        if leaving is not False:
            return
        with suppress(Damage, IndexError, struct.error):
            found = next_header(packet)
            if found is not None:
                addresses, protocol, at = found
                if not _by_kernel(protocol, packet.data[at : at + 1]):
                    protocol = ICMP if protocol == ICMPV6 else protocol
                    self._count(interface, addresses, protocol, packet.number, packet.time)

    def _count(self, interface: int, addresses: bytes, protocol: int, frame: int, time: int) -> None:
        key = interface, addresses
        speaker = self._speaker.get(key)
        if speaker is None:
            if len(self._speaker) >= _MOST_DIRECTIONS:
                self._speaker.clear()
            speaker = self._speaker[key] = self._who(interface, addresses)
        if speaker:
            one = self._found.get((speaker, protocol))
            if one is None:
                target = flow_of(addresses + bytes(4)).target
                target = self._vantage.host_of(target) or target
                one = self._found[speaker, protocol] = _Count(Moment(frame, time), target)
            one.packets += 1

    def _who(self, interface: int, addresses: bytes) -> str:
        """The host at a port if it sends by itself: a router also forwards what others sent."""
        host = self._vantage.ports.get(interface, "")
        if interface in self._vantage.honest:
            return host
        return host if self._vantage.host_of(flow_of(addresses + bytes(4)).source) == host else ""

    def found(self) -> Iterator[Spoken]:
        """What is known so far."""
        for (host, protocol), one in self._found.items():
            yield Spoken(self._capture, host, protocol, one.first, one.target, one.packets)


def _by_kernel(protocol: int, type_: bytes) -> bool:
    """Whether a kernel sends packets of a protocol, of ICMP those of a type, without being asked to.

    Later fragments of ICMP have no type: the first one tells.
    """
    if protocol == ICMP:
        return not type_ or type_[0] in ERRORS[ICMP] | REPLIES[ICMP]
    if protocol == ICMPV6:
        return not type_ or type_[0] in ERRORS[ICMPV6] | REPLIES[ICMPV6] | UPKEEP
    return protocol == _IGMP or protocol in _IPV6_HEADERS
