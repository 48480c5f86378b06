"""Sightings of ICMP messages to messages: who sent each, where it arrived, and which echo answers which.

::

    messages = IcmpMessages(point)
    reader = Reader(stream, hear_icmp=messages.hear)
    for batch in reader.batches(): ...
    messages.found()
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from lab.core.icmp import ECHO_REPLY, ECHO_REQUEST, ICMPV6, NAMES, UPKEEP
from lab.wire.packets import IcmpPacket, Quoted
from lab.wire.packets.icmp import Meaning
from lab.wire.sightings import Arrival, Sighted, Sightings
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.facts import Moment

__all__ = ["Arrival", "IcmpMessage", "IcmpMessages", "answers"]

MOST_MESSAGES = 100_000
"""Messages of one capture that are kept."""


class IcmpMessage(Struct, frozen=True):
    """An ICMP or ICMPv6 message.

    ``source`` and ``target`` are the hosts that have its addresses, "" where none has. ``sent`` is when it
    left its host, ``arrivals`` are where it came out again. Where a capture has no ports of hosts, each
    sighting is both. ``ident`` and ``seq`` are those of an echo, 0 of other types. ``size`` is that of what
    follows the header, ``digest`` that of its bytes, empty if they were not captured whole. ``about`` is the
    packet that an error speaks of, ``meaning`` what it says of that, and ``mtu`` how many
    bytes the next link takes, 0 if it does not say. ``wrong`` says that its checksum is
    wrong: who receives it drops it.
    """

    capture: str
    addresses: tuple[str, str]
    source: str
    target: str
    protocol: int
    type: int
    code: int
    ident: int
    seq: int
    size: int
    digest: bytes
    meaning: Meaning | None
    mtu: int
    about: Quoted | None
    wrong: bool
    sent: Moment | None = None
    arrivals: tuple[Arrival, ...] = ()

    @property
    def at(self) -> Moment:
        """When it was seen first: at its sender's port if it was seen there."""
        return self.sent or self.arrivals[0].at

    @property
    def name(self) -> str:
        """Its type by name, or by number."""
        return NAMES[self.protocol].get(self.type, str(self.type))

    @property
    def who(self) -> str:
        """The host that has sent it, or its address where none has that."""
        return self.source or self.addresses[0]

    @property
    def upkeep(self) -> bool:
        """Whether kernels find their neighbours, routers and groups by it: no program asked for that."""
        return self.protocol == ICMPV6 and self.type in UPKEEP

    @property
    def numbered(self) -> bool:
        """Whether it is an echo: those have an identifier and a sequence number."""
        return self.name in {ECHO_REQUEST, ECHO_REPLY}


class IcmpMessages(Sightings[IcmpPacket]):
    """The ICMP messages of one capture, as they come. At most so many are kept as ``MOST_MESSAGES``."""

    def __init__(self, point: CapturePoint, capture: str = "") -> None:
        super().__init__(point, most=MOST_MESSAGES, room=0)
        self._capture = capture
        self._quoted: dict[int, Quoted | None] = {}

    def without_payload(self, packet: IcmpPacket) -> IcmpPacket:
        """The packet without what is kept elsewhere."""
        self._quoted[packet.frame] = packet.about
        return packet._replace(payload=b"")

    def found(self) -> Iterator[IcmpMessage]:
        """What is known so far, in the order of their first sightings."""
        return map(self._message, self.seen)

    def forgotten(self, before: int) -> Iterator[IcmpMessage]:
        """Those that were seen first before that time (ns): nothing is kept of them."""
        gone = [(one.packet.frame, self._message(one)) for one in self.forget(before)]
        for frame, message in gone:
            del self._quoted[frame]
            yield message

    def _message(self, one: Sighted[IcmpPacket]) -> IcmpMessage:
        host_of, packet = self._vantage.host_of, one.packet
        source, target = packet.addresses
        ident, seq = packet.echo or (0, 0)
        return IcmpMessage(
            self._capture,
            (source, target),
            host_of(source),
            host_of(target),
            packet.protocol,
            packet.type,
            packet.code,
            ident,
            seq,
            packet.size,
            one.digest,
            packet.meaning,
            packet.mtu,
            self._quoted[packet.frame],
            packet.wrong,
            one.sent,
            tuple(one.arrivals),
        )


def answers(messages: Iterable[IcmpMessage]) -> dict[tuple[str, int], IcmpMessage]:
    """The echo reply to each echo request that got one, by the request's capture and first frame.

    A reply answers the earliest request before it that has its identifier, its sequence number and its data,
    that arrived where the reply is from, and that has none yet. A message whose checksum is wrong answers
    nothing, and nothing answers it: who receives it drops it.
    """
    waiting: dict[tuple[object, ...], deque[IcmpMessage]] = {}
    found: dict[tuple[str, int], IcmpMessage] = {}
    for one in sorted(messages, key=lambda one: (one.at.time, one.at.frame)):
        if one.wrong or one.sent is None:
            continue
        here, there = one.addresses
        what = one.capture, one.protocol, one.ident, one.seq, one.size, one.digest
        if one.name == ECHO_REQUEST and one.arrivals:
            waiting.setdefault((here, there, *what), deque()).append(one)
        elif one.name == ECHO_REPLY:
            asked = waiting.get((there, here, *what))
            if asked:
                request = asked.popleft()
                found[request.capture, request.at.frame] = one
    return found
