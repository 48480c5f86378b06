"""What the filter of a host hears: the kernel's own filter, on sockets that need no rights."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from lab.agent.packet_filter import PacketFilter
from tests.unit import sketch

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ARRIVING, OTHERS, OUTGOING = 0, 3, 4
FOUR, SIX = ("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")


def segment(flags: int) -> bytes:
    return sketch.tcp((40000, 80), 1, 1, flags, b"")


class Packets:
    """A socket that says of itself what a packet socket would: how many frames it lost."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.lost = 0
        self.kind = OUTGOING

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int, int]]:
        return self._end.recv(size), ("lo", 0x800, self.kind)

    def getsockopt(self, *_: int) -> bytes:
        lost, self.lost = self.lost, 0
        return struct.pack("II", lost + 1, lost)


class Host:
    """A host that is a socket: what it sends, its filter may hear."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.speaks, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.hears = hears = Packets(end)
        self.speaks.send(b"before the filter")
        monkeypatch.setattr("lab.agent.namespaces.inside", lambda _: contextlib.nullcontext())
        with monkeypatch.context() as patched:
            patched.setattr("socket.socket", lambda *_: hears)
            self.filter = PacketFilter(1)

    def heard(self, packet: bytes) -> bool:
        """Send a packet; whether it wakes who waits for the filter."""
        self.speaks.send(packet)
        woken = bool(select.select([self.filter], [], [], 0)[0])
        assert bool(self.filter.drain().ends) is woken
        return woken


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    found = Host(monkeypatch)
    yield found
    found.speaks.close()
    found.hears.close()


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (SYN, True), (SYN | ACK, True), (FIN | ACK, True), (RST, True), (RST | ACK, True), (FIN | PSH | ACK, True),
        (ACK, False), (PSH | ACK, False), (URG | ACK, False), (0, False),
    ],
)  # fmt: skip
def test_what_opens_closes_and_resets_is_heard(
    host: Host, ends: tuple[str, str], flags: int, *, expected: bool
) -> None:
    assert host.heard(sketch.ip(*ends, segment(flags))) is expected


def test_a_header_with_options_is_passed_over(host: Host) -> None:
    assert host.heard(sketch.ip(*FOUR, segment(FIN), options=bytes(8)))
    assert not host.heard(sketch.ip(*FOUR, segment(ACK), options=bytes([255]) * 8))


def test_only_the_first_fragment_has_flags(host: Host) -> None:
    assert host.heard(sketch.ip(*FOUR, segment(SYN), fragment=0x2000))
    assert not host.heard(sketch.ip(*FOUR, segment(SYN), fragment=0x2001))


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x60" + bytes(20), bytes(60), b"\xff" * 60])
def test_nonsense_is_not_heard(host: Host, packet: bytes) -> None:
    assert not host.heard(packet)


def test_other_protocols_are_not_heard(host: Host) -> None:
    four, six = (bytearray(sketch.ip(*ends, segment(SYN))) for ends in (FOUR, SIX))
    four[9] = six[6] = socket.IPPROTO_UDP
    assert not host.heard(bytes(four))
    assert not host.heard(bytes(six))


@pytest.mark.parametrize("ends", [FOUR, SIX, ("::ffff:10.0.0.1", "::ffff:10.0.0.2")])
def test_the_ends_are_told_as_the_host_sees_them(host: Host, ends: tuple[str, str]) -> None:
    source, target = (address.removeprefix("::ffff:") for address in ends)
    host.speaks.send(sketch.ip(*ends, segment(SYN)))
    assert host.filter.drain() == ({(source, 40000, target, 80): 1}, False, False)
    host.hears.kind = ARRIVING
    host.speaks.send(sketch.ip(*ends, segment(SYN)))
    assert host.filter.drain() == ({(target, 80, source, 40000): 1}, False, False)


def test_what_is_for_another_host_is_not_heard(host: Host) -> None:
    host.hears.kind = OTHERS
    host.speaks.send(sketch.ip(*FOUR, segment(RST)))
    assert host.filter.drain() == ({}, False, False)


def test_an_rst_is_told(host: Host) -> None:
    host.speaks.send(sketch.ip(*FOUR, segment(SYN)))
    assert not host.filter.drain().reset
    host.speaks.send(sketch.ip(*FOUR, segment(SYN)))
    host.speaks.send(sketch.ip(*SIX, segment(RST | ACK)))
    assert host.filter.drain().reset


def test_what_was_lost_may_have_been_anything(host: Host) -> None:
    host.hears.lost = 3
    assert host.filter.drain() == ({}, True, True)
    assert host.filter.drain() == ({}, False, False)


def test_a_header_that_is_none(host: Host) -> None:
    packet = bytearray(sketch.ip(*FOUR, segment(SYN))[:16])
    packet[0], packet[13] = 0x40, SYN
    host.speaks.send(packet)
    assert host.filter.drain() == ({}, True, True)


def test_what_came_before_is_forgotten(host: Host) -> None:
    assert not host.filter.drain().ends
    for _ in range(5):
        host.speaks.send(sketch.ip(*FOUR, segment(SYN)))
    assert host.filter.drain().ends
    assert not host.filter.drain().ends, "all at once"
