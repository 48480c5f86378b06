"""A cable that runs through the agent: what is passed on, what is kept back, and in which order."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest

from lab.agent.link_proxy import LinkProxy
from lab.agent.protocol import SegmentHeld, SegmentReleased

HOST, PEER, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


SIX_HOST, SIX_PEER = "fd00::1", "fd00::2"


def six(flags: int, *, to: str = SIX_PEER, from_: str = SIX_HOST, ack: int = 1) -> bytes:
    """The same with IPv6."""
    tcp = struct.pack(">HHIIBBHHH", 7000, 7001, 1, ack, 5 << 4, flags, 0, 0, 0)
    ends = socket.inet_pton(socket.AF_INET6, from_) + socket.inet_pton(socket.AF_INET6, to)
    return bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + ends + tcp


def frame(
    flags: int, *, to: str = PEER, from_: str = HOST, seq: int = 1, ack: int = 1, data: bytes = b""
) -> bytes:
    """A frame of Ethernet, IPv4 and TCP; padded, as short ones are."""
    tcp = struct.pack(">HHIIBBHHH", 7000, 7000, seq, ack, 5 << 4, flags, 0, 0, 0) + data
    ends = socket.inet_aton(from_) + socket.inet_aton(to)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends
    return (bytes(12) + b"\x08\x00" + ip + tcp).ljust(60, b"\0")


class Cable:
    """A proxy between a host and a switch that are only sockets."""

    def __init__(self) -> None:
        self.host, port = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.switch, trunk = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sockets = self.host, port, self.switch, trunk
        for end in self.sockets:
            end.setblocking(False)
        self.told: list[SegmentHeld | SegmentReleased] = []
        self.proxy = LinkProxy("a", port, trunk, self.told.append)

    def send(self, *frames: bytes) -> list[bytes]:
        """The host sends; what reaches the switch."""
        for one in frames:
            self.host.send(one)
        self.proxy.outward()
        return received(self.switch)

    def answer(self, *frames: bytes) -> list[bytes]:
        """The switch sends; what reaches the host."""
        for one in frames:
            self.switch.send(one)
        self.proxy.inward()
        return received(self.host)


def received(end: socket.socket) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(end.recv(9000))
        except BlockingIOError:
            return frames


@pytest.fixture
def cable() -> Iterator[Cable]:
    found = Cable()
    yield found
    for end in found.sockets:
        end.close()


def test_both_ways_are_open(cable: Cable) -> None:
    nonsense = [b"", b"x" * 14, bytes(12) + b"\x08\x00\x4f" + bytes(8) + b"\x00" * 9, b"\xff" * 1514]
    assert cable.send(*nonsense[1:], frame(SYN)) == [*nonsense[1:], frame(SYN)]
    assert cable.answer(frame(SYN | ACK)) == [frame(SYN | ACK)]


KINDS = {
    "syn": frame(SYN), "syn_ack": frame(SYN | ACK), "ack": frame(ACK), "rst": frame(RST),
    "fin": frame(FIN | ACK), "data": frame(ACK | PSH, data=b"hi"),
}  # fmt: skip


@pytest.mark.parametrize("word", KINDS)
def test_a_kind_is_kept_back_and_no_other(cable: Cable, word: str) -> None:
    cable.proxy.hold(word, [], "4")
    assert cable.send(KINDS[word]) == []
    assert cable.proxy.keeps(word)
    assert cable.proxy.release(word) == 1
    assert not cable.proxy.keeps(word)
    assert received(cable.switch) == [KINDS[word]]
    cable.proxy.hold(word, [], "4")
    others = [one for kind, one in KINDS.items() if kind != word]
    assert cable.send(*others) == others
    assert cable.proxy.release(word) == 0


def test_the_order_within_a_connection_remains(cable: Cable) -> None:
    cable.proxy.hold("fin", [], "4")
    elsewhere = frame(ACK, to=OTHER)
    behind = [frame(FIN | ACK, seq=9), frame(ACK, seq=10), frame(ACK, seq=10, ack=2)]
    assert cable.send(behind[0], elsewhere, *behind[1:]) == [elsewhere]
    assert cable.proxy.release("") == 3
    assert received(cable.switch) == behind


def test_only_what_goes_to_a_peer_is_meant(cable: Cable) -> None:
    cable.proxy.hold("syn", [OTHER], "4")
    assert cable.send(frame(SYN)) == [frame(SYN)]
    assert cable.send(frame(SYN, to=OTHER)) == []


def test_the_last_ack_is_the_one_of_the_peers_fin(cable: Cable) -> None:
    cable.proxy.hold("last_ack", [PEER], "4")
    assert cable.send(frame(ACK, ack=100)) == [frame(ACK, ack=100)]
    cable.answer(frame(FIN | ACK, from_=PEER, to=HOST, seq=99))
    assert cable.send(frame(ACK, ack=100)) == []


def test_ipv6_is_kept_back_too(cable: Cable) -> None:
    cable.proxy.hold("last_ack", [SIX_PEER], "4")
    cable.answer(six(FIN | ACK, from_=SIX_PEER, to=SIX_HOST))
    assert cable.send(six(ACK, ack=2)) == [six(ACK, ack=2)], "to another port: another connection"
    cable.proxy.hold("fin", [SIX_PEER], "5")
    assert cable.send(six(FIN | ACK), frame(FIN | ACK)) == [frame(FIN | ACK)]
    assert cable.proxy.release("fin") == 1


def test_who_kept_what_back_and_until_when_is_told(cable: Cable) -> None:
    cable.proxy.hold("fin", [], "4")
    cable.send(frame(ACK), frame(FIN | ACK, seq=9, ack=3, data=b"hi"), frame(ACK, seq=12), six(FIN))
    cable.proxy.release("")
    held = [event for event in cable.told if isinstance(event, SegmentHeld)]
    first, behind, other = held
    assert first == SegmentHeld(
        at=first.at, host="a", number=first.number, step="4",
        source=HOST, source_port=7000, target=PEER, target_port=7000,
        seq=9, ack=3, flags=FIN | ACK, length=2,
    )  # fmt: skip
    assert [event.step for event in held] == ["4", "4", "4"]
    assert behind.seq == 12
    assert (other.source, other.target_port) == (SIX_HOST, 7001)
    released = cable.told[3:]
    assert all(isinstance(event, SegmentReleased) for event in released)
    assert [event.number for event in released] == [event.number for event in held]
    assert all(one.at <= next_one.at for one, next_one in pairwise(cable.told))


def test_what_is_not_kept_back_is_not_told(cable: Cable) -> None:
    cable.proxy.hold("fin", [OTHER], "4")
    cable.send(*KINDS.values())
    cable.proxy.release("")
    assert cable.told == []


def test_a_host_that_is_gone_loses_what_was_kept_for_it(cable: Cable) -> None:
    cable.proxy.hold("fin", [], "4")
    cable.send(frame(FIN))
    cable.switch.close()
    assert cable.proxy.release("") == 1


def test_what_a_host_answers_goes_on_in_a_turn_of_its_own(cable: Cable) -> None:
    """Its RST ends the TIME_WAIT of its peer: before that goes on the peer is looked at."""
    cable.host.send(frame(RST))
    assert cable.answer(frame(ACK, from_=PEER, to=HOST)) == [frame(ACK, from_=PEER, to=HOST)]
    assert received(cable.switch) == []
    assert cable.send() == [frame(RST)]
