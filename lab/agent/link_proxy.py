"""A host's cable that runs through the agent, which can keep segments back.

Instead of being a port of the switch, the host's cable ends in a packet socket (packet(7)), and a second
cable leads from another one to the switch: what comes in at one goes out at the other. Each frame is still
recorded where the host sent it and where its peer's port gave it on: a capture tells how long it was held.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from .diag import text_of
from .protocol import SegmentHeld, SegmentReleased
from .segment import ACK, FIN, RST, SYN, Flow, Segment, segment_in

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_LARGEST_FRAME = 1 << 16
_AT_ONCE = 64
"""Frames taken from one side before the other has its turn."""

_PATIENCE = 100
"""Milliseconds that a cable may be too full to take a frame, before that is lost."""

_MOST_HELD = 4096
"""Frames and connections that are remembered; beyond them a frame is passed on."""

_CONTROL = FIN | SYN | RST
_IP = frozenset({b"\x08\x00", b"\x86\xdd"})
"""The ethertypes of IPv4 and IPv6."""


class _Hold(NamedTuple):
    """What is kept back: segments to these addresses (none: to any), because a step said so."""

    peers: frozenset[bytes]
    step: str


class _Kept(NamedTuple):
    """A frame that is kept back, and its number."""

    frame: bytes
    number: int


_NUMBERS = count(1)
"""Of the frames that were kept back, whatever cable they came by."""


class LinkProxy:
    """The cable of one host. ``port`` is where it ends, ``trunk`` leads to the switch.

    ``tell`` hears of each segment that is kept back, and when it goes on.
    """

    def __init__(
        self,
        host: str,
        port: socket.socket,
        trunk: socket.socket,
        tell: Callable[[SegmentHeld | SegmentReleased], None],
    ) -> None:
        self.port, self.trunk = port, trunk
        self._host = host
        self._tell = tell
        self._holds: dict[str, _Hold] = {}
        self._held: dict[Flow, tuple[str, list[_Kept]]] = {}
        self._fins: dict[Flow, int] = {}
        """For each way back, the number that acknowledges the FIN that reached the host."""

    def inward(self) -> None:
        """Pass on to the host what has come in from the switch.

        What the host answers waits: a state that lasts until its peer gets that can be seen before it ends.
        """
        for frame in _received(self.trunk):
            self._note_fin(frame)
            _send(self.port, frame)

    def outward(self) -> None:
        """Pass on what has come in from the host, except what is to be held."""
        for frame in _received(self.port):
            if not self._takes(frame):
                _send(self.trunk, frame)

    def hold(self, word: str, peers: Sequence[str], step: str) -> None:
        """From now on, as a step says, keep back each segment of a kind to one of these addresses.

        No address is any. What the host sends behind it in the same connection waits too, so that the order
        remains.
        """
        self._holds[word] = _Hold(frozenset(_packed(address) for address in peers), step)

    def keeps(self, word: str) -> bool:
        """Whether a segment of a kind is kept back."""
        return any(reason == word for reason, _ in self._held.values())

    def release(self, word: str) -> int:
        """Hold this kind no longer ("": none at all), pass on what was held, in order; how many frames."""
        flows = [flow for flow, (reason, _) in self._held.items() if word in {"", reason}]
        self._holds = {kind: hold for kind, hold in self._holds.items() if word not in {"", kind}}
        held = [one for flow in flows for one in self._held.pop(flow)[1]]
        for one in held:
            _send(self.trunk, one.frame)
            self._tell(SegmentReleased(at=time.time_ns(), number=one.number))
        return len(held)

    def _takes(self, frame: bytes) -> bool:
        segment = _segment(frame) if self._holds or self._held else None
        if segment is None:
            return False
        word = next((word for word in self._holds if self._is_meant(word, segment)), "")
        waiting = self._held.get(segment.flow)
        if (not word and waiting is None) or sum(len(held) for _, held in self._held.values()) >= _MOST_HELD:
            return False
        reason, held = self._held.setdefault(segment.flow, (word, []))
        held.append(_Kept(frame, next(_NUMBERS)))
        self._tell_of(segment, held[-1].number, reason)
        return True

    def _tell_of(self, segment: Segment, number: int, reason: str) -> None:
        source, target, _ = segment.flow
        source_port, target_port = segment.ports
        self._tell(
            SegmentHeld(
                at=time.time_ns(), host=self._host, number=number, step=self._holds[reason].step,
                source=text_of(source), source_port=source_port,
                target=text_of(target), target_port=target_port,
                seq=segment.seq, ack=segment.ack, flags=segment.flags, length=segment.length,
            )
        )  # fmt: skip

    def _is_meant(self, word: str, segment: Segment) -> bool:
        peers = self._holds[word].peers
        return (not peers or segment.flow[1] in peers) and self._is(word, segment)

    def _is(self, word: str, segment: Segment) -> bool:
        flags = segment.flags
        bare = not flags & _CONTROL and not segment.length
        kinds = {
            "syn": flags & (SYN | ACK) == SYN,
            "syn_ack": flags & (SYN | ACK) == SYN | ACK,
            "fin": bool(flags & FIN),
            "rst": bool(flags & RST),
            "data": segment.length > 0,
            "ack": bare,
            "last_ack": bare and self._fins.get(segment.flow) == segment.ack,
        }
        return kinds[word]

    def _note_fin(self, frame: bytes) -> None:
        segment = _segment(frame)
        if segment is not None and segment.flags & FIN and len(self._fins) < _MOST_HELD:
            source, target, ports = segment.flow
            back = target, source, ports[2:] + ports[:2]
            self._fins[back] = (segment.seq + segment.length + 1) & 0xFFFFFFFF


def cable_end(interface: str) -> socket.socket:
    """All frames that come in at an interface, and a way to send more. OSError."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    packets.bind((interface, _ETH_P_ALL))
    packets.setblocking(False)
    return packets


def _received(packets: socket.socket) -> Iterator[bytes]:
    for _ in range(_AT_ONCE):
        try:
            yield packets.recv(_LARGEST_FRAME)
        except OSError:
            return


def _send(packets: socket.socket, frame: bytes) -> None:
    try:
        if _writable(packets):
            packets.send(frame)
    except OSError:
        return  # the other end of the cable is gone


def _writable(packets: socket.socket) -> bool:
    """Whether a cable takes a frame, soon at the latest. poll(2), for there may be very many descriptors."""
    waiting = select.poll()
    waiting.register(packets, select.POLLOUT)
    return bool(waiting.poll(_PATIENCE))


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _segment(frame: bytes) -> Segment | None:
    """The TCP segment in an Ethernet frame, if there is one."""
    return segment_in(frame[14:]) if frame[12:14] in _IP else None
