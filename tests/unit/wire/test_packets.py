"""The reader: every format and link layer it knows, and damage of every kind."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from typing import Any

import pytest

from lab.wire.packets import ACK, PSH, SYN, FourTuple, Reader, Segment
from lab.wire.packets.transport import Ordinary
from tests.judged import damages
from tests.unit import sketch

PACKET = sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((40000, 80), 7, 9, PSH | ACK, b"hello"))
PACKET6 = sketch.ip("fd00::1", "fd00::2", sketch.tcp((40000, 80), 7, 9, PSH | ACK, b"hello"))
TALK = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    1    client_a > server  P. 5
    1.1  server > client_a  F.
"""


def read(data: bytes) -> tuple[list[Segment], tuple[str, ...]]:
    reader = Reader(io.BytesIO(data))
    return list(reader), damages(reader.unsound)


def only(frame: bytes, link: int = sketch.ETHERNET) -> tuple[list[Segment], tuple[str, ...]]:
    return read(sketch.pcap([(sketch.EPOCH, frame)], link))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [True, False])
def test_both_byte_orders_and_units_of_time(order: str, nano: bool) -> None:
    data = sketch.pcap(
        [(sketch.EPOCH + 123_456_000, sketch.framed(PACKET, sketch.ETHERNET))], 1, order=order, nano=nano
    )
    [segment], unsound = read(data)
    assert (segment.time, unsound) == (sketch.EPOCH + 123_456_000, ())


@pytest.mark.parametrize(
    "link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.COOKED2, sketch.LOOPBACK]
)
@pytest.mark.parametrize("packet", [PACKET, PACKET6], ids=["ipv4", "ipv6"])
def test_every_link_layer(link: int, packet: bytes) -> None:
    [segment], unsound = only(sketch.framed(packet, link), link)
    assert (segment.seq, segment.ack, segment.flags, segment.length) == (7, 9, PSH | ACK, 5)
    assert segment.flow.source_port == 40000
    assert unsound == ()


def test_addresses_are_in_their_shortest_form() -> None:
    [segment], _ = only(sketch.framed(PACKET6, sketch.RAW), sketch.RAW)
    assert segment.flow == FourTuple("fd00::1", 40000, "fd00::2", 80)
    assert segment.flow.reverse == FourTuple("fd00::2", 80, "fd00::1", 40000)


def test_cooked_frames_tell_interface_and_direction() -> None:
    entered = sketch.framed(PACKET, interface=7)
    left = sketch.framed(PACKET, interface=8, leaving=True)
    segments, _ = read(sketch.pcap([(0, entered), (1, left)]))
    assert [(s.frame, s.interface, s.leaving) for s in segments] == [(1, 7, False), (2, 8, True)]


def test_vlan_tags_one_or_two() -> None:
    for tags in (b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x06"):
        [segment], _ = only(b"\x02" * 12 + tags + b"\x08\x00" + PACKET)
        assert segment.length == 5


def test_the_frame_number_counts_what_is_no_tcp() -> None:
    arp = b"\x02" * 12 + b"\x08\x06" + bytes(28)
    segments, unsound = read(sketch.pcap([(0, arp), (1, sketch.framed(PACKET, 1))], 1))
    assert ([s.frame for s in segments], unsound) == ([2], ())


def test_padding_is_no_payload() -> None:
    [segment], _ = only(sketch.framed(PACKET, 1) + bytes(30))
    assert segment.length == 5


def test_the_length_is_the_headers_though_less_was_captured() -> None:
    frame = sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((1, 2), 0, 0, ACK, bytes(1000))), 1)
    record = struct.pack("<IIII", 0, 0, 60, len(frame)) + frame[:60]
    [segment], unsound = read(sketch.pcap([], 1) + record)
    assert (segment.length, unsound) == (1000, ())


def test_a_packet_without_a_length_ends_with_its_frame() -> None:
    offloaded = PACKET[:2] + b"\0\0" + PACKET[4:]
    [segment], _ = only(offloaded, sketch.RAW)
    assert segment.length == 5


def test_ip_options_and_the_options_of_a_syn() -> None:
    mss = bytes.fromhex("020405b4")
    packet = sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((1, 2), 3, 0, SYN, options=mss), options=bytes(8))
    [segment], _ = only(packet, sketch.RAW)
    assert (segment.seq, segment.flags, segment.length) == (3, SYN, 0)


def test_ipv6_extension_headers() -> None:
    segment = sketch.tcp((1, 2), 3, 4, ACK, b"abc")
    for kind, header in (
        (0, b"\x06\0" + bytes(6)),
        (60, b"\x06\x01" + bytes(14)),
        (44, b"\x06\0" + bytes(6)),
        (51, b"\x06\x01" + bytes(10)),
    ):
        packet = bytearray(sketch.ip("fd00::1", "fd00::2", header + segment))
        packet[6] = kind
        [found], unsound = only(bytes(packet), sketch.RAW)
        assert (found.length, unsound) == (3, ()), kind


def test_a_fragment_of_something_else_is_no_damage() -> None:
    packet = bytearray(sketch.ip("fd00::1", "fd00::2", b"\x11\0\0\x01" + bytes(12)))
    packet[6] = 44
    assert only(bytes(packet), sketch.RAW) == ([], ())


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (PACKET[:12], "ends within the IPv4 header"),
        (PACKET6[:30], "ends within the IPv6 header"),
        (PACKET[:34], "cannot be"),
        (b"\x41" + PACKET[1:], "IPv4 header is damaged"),
        (PACKET[:2] + b"\xff\xff" + PACKET[4:], "cannot be"),
        (PACKET[:32] + b"\xf0" + PACKET[33:], "TCP header is damaged"),
        (PACKET[:32] + b"\x10" + PACKET[33:], "TCP header is damaged"),
        (sketch.ip("10.0.0.1", "10.0.0.2", b"abc", fragment=0x2000), "fragment"),
        (sketch.ip("10.0.0.1", "10.0.0.2", b"abc"), "ends within the TCP header"),
    ],
)  # fmt: skip
def test_a_damaged_frame_is_told_and_the_next_one_is_read(packet: bytes, why: str) -> None:
    frames = [(0, sketch.framed(packet, sketch.ETHERNET)), (1, sketch.framed(PACKET, sketch.ETHERNET))]
    segments, [sentence] = read(sketch.pcap(frames, sketch.ETHERNET))
    assert [s.frame for s in segments] == [2]
    assert sentence.startswith("frame 1: ")
    assert why in sentence


def test_damage_of_one_kind_is_told_once() -> None:
    _, unsound = read(sketch.pcap([(0, sketch.framed(PACKET[:12], 1))] * 1000, 1))
    assert unsound == ("frame 1 and 999 others: it ends within the IPv4 header",)


def test_a_capture_that_ends_within_its_header() -> None:
    assert read(b"\xd4\xc3\xb2\xa1") == ([], ("the capture ends within its header",))


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3\xb2", b"not a capture" * 10])
def test_what_is_no_capture(data: bytes) -> None:
    assert read(data) == ([], ("this is no capture, neither pcap nor pcapng",))


def test_an_unknown_link_layer() -> None:
    segments, [sentence] = only(PACKET, 147)
    assert segments == []
    assert "link layer" in sentence


def test_a_truncated_last_record_is_told() -> None:
    data = sketch.pcap([(0, sketch.framed(PACKET, 1))] * 2, 1)
    for cut in (1, 10, len(PACKET), len(PACKET) + 25):
        segments, unsound = read(data[:-cut])
        assert [s.frame for s in segments] == [1]
        assert unsound == ("frame 2: the capture ends within this frame",)


def test_an_absurd_length_ends_the_reading() -> None:
    data = (
        sketch.pcap([(0, sketch.framed(PACKET, 1))], 1) + struct.pack("<IIII", 0, 0, 2**31, 60) + bytes(100)
    )
    segments, [sentence] = read(data)
    assert len(segments) == 1
    assert sentence.startswith("frame 2: its length is absurd")


def test_cut_anywhere_nothing_escapes_and_what_is_sound_is_read() -> None:
    data = sketch.switch(TALK)
    whole, _ = read(data)
    for cut in range(len(data)):
        segments, unsound = read(data[:cut])
        assert segments == whole[: len(segments)]
        assert unsound or len(segments) * 80 <= len(data)


@pytest.mark.parametrize("link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.LOOPBACK])
def test_any_byte_may_be_any_other(link: int) -> None:
    chance = random.Random(link)
    data = sketch.single(TALK, link)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] = chance.randrange(256)
        segments, _ = read(bytes(damaged))
        assert len(segments) <= 5


@pytest.mark.parametrize(
    "link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.COOKED2, sketch.LOOPBACK]
)
def test_the_short_way_through_the_headers_gives_what_the_long_one_gives(
    link: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(link)
    syn = sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((1, 2), 3, 0, SYN, options=bytes.fromhex("020405b4")))
    frames = []
    for number in range(6000):
        data = bytearray(sketch.framed(chance.choice([PACKET, syn]), link, interface=number % 3))
        for _ in range(chance.randrange(3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        frames.append((number, bytes(data[: chance.choice([len(data), len(data), chance.randrange(80)])])))
    capture = sketch.pcap(frames, link)
    both_ways = read(capture)
    monkeypatch.setattr(Ordinary, "learn", lambda *_: None)
    assert read(capture) == both_ways
    assert len(both_ways[0]) > 2000


@pytest.mark.parametrize("link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED2])
def test_payloads_are_kept_where_they_are_asked_for(link: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, frames, sent = random.Random(link), list[tuple[int, bytes]](), list[bytes]()
    for number in range(400):
        six, text = chance.random() < 0.3, chance.randbytes(chance.choice([0, 1, 5, 40]))
        ends = ("fd00::1", "fd00::2") if six else ("10.0.0.1", "10.0.0.2")
        options = b"" if chance.random() < 0.7 else bytes([1] * 12)
        segment = sketch.tcp((1, 2), number, 0, 16, text, options=options)
        frame = sketch.framed(sketch.ip(*ends, segment), link)
        cut = chance.choice([0, 0, 2])  # of what was captured
        kept = len(frame) - min(cut, len(text))
        frames.append(
            (number, frame[:kept] if cut else frame + b"pad" * (not six and link == sketch.ETHERNET))
        )
        sent.append(text[: len(text) - cut] if cut else text)
    capture = sketch.pcap(frames, link, wire=2000)
    segments = list(Reader(io.BytesIO(capture), kept=32))
    assert [one.payload for one in segments] == [text[:32] for text in sent]
    assert [one._replace(payload=b"") for one in segments] == list(Reader(io.BytesIO(capture)))
    monkeypatch.setattr(Ordinary, "learn", lambda *_: None)
    assert list(Reader(io.BytesIO(capture), kept=32)) == segments


def test_random_bytes_behind_a_header() -> None:
    chance = random.Random(1)
    for link in (0, 1, 12, 101, 113, 228, 276):
        for _ in range(50):
            frames = [(0, chance.randbytes(chance.randrange(120))) for _ in range(20)]
            segments, unsound = read(sketch.pcap(frames, link))
            assert len(segments) <= 20
            assert len(unsound) <= 20


def test_memory_does_not_grow_with_the_capture() -> None:
    frame = sketch.framed(PACKET, 1)
    record = struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    head = sketch.pcap([], 1)

    def peak(records: int) -> int:
        stream = _Endless(head, record, records)
        tracemalloc.start()
        assert sum(1 for _ in Reader(io.BufferedReader(stream))) == records
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(5_000)  # what the interpreter keeps of freed tuples for the next ones counts the first time
    assert peak(100_000) < 1.2 * peak(30_000)


class _Endless(io.RawIOBase):
    """A capture of many equal records that is never in memory as a whole."""

    def __init__(self, head: bytes, record: bytes, count: int) -> None:
        self._parts = iter([head, *[record * 1000] * (count // 1000)])
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and (part := next(self._parts, None)) is not None:
            self._rest = part
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (
            sketch.framed(
                sketch.ip("10.0.0.1", "10.0.0.2", sketch.udp((1, 53), b"?"), protocol=17), sketch.ETHERNET
            ),
            "UDP",
        ),
        (
            sketch.framed(
                sketch.ip("fd00::1", "fd00::2", sketch.udp((1, 4789), b"?"), protocol=17), sketch.ETHERNET
            ),
            "VXLAN in UDP",
        ),
        (
            sketch.framed(
                sketch.ip("10.0.0.1", "10.0.0.2", b"\0\1\x12\xb5" * 9, protocol=17, fragment=5),
                sketch.ETHERNET,
            ),
            "UDP",
        ),
        (sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", bytes(8), protocol=1), sketch.ETHERNET), "ICMP"),
        (sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", bytes(8), protocol=47), sketch.ETHERNET), "GRE"),
        (
            sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", bytes(8), protocol=253), sketch.ETHERNET),
            "IP protocol 253",
        ),
        (bytes(12) + b"\x08\x06" + bytes(28), "ARP"),
        (bytes(12) + b"\x88\x47" + bytes(28), "MPLS"),
        (bytes(12) + b"\x00\x26" + bytes(38), "LLC"),
        (bytes(12) + b"\x12\x34" + bytes(28), "EtherType 0x1234"),
    ],
)
def test_what_is_no_tcp_is_counted_by_what_it_is(frame: bytes, kind: str) -> None:
    reader = Reader(io.BytesIO(sketch.pcap([(sketch.EPOCH, frame)] * 3, sketch.ETHERNET)))
    assert list(reader) == []
    assert reader.others == {kind: 3}
    assert reader.unsound == ()
