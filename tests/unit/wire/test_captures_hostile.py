"""Captures of both formats, cut and changed anywhere: nothing escapes, and what is sound is told.

A seed that ever found a fault stays in :data:`KEPT`.
"""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc

import pytest

from lab.output.analyze import Analysis, analyze, as_data
from lab.wire.packets import Reader, Segment
from lab.wire.packets import pcapng as pcapng_file
from lab.wire.packets.pcap import Frames
from tests.judged import damages
from tests.unit import sketch
from tests.unit.wire.test_flows import ORDERLY

PACKETS = [packet for _, _, _, packet, _ in sketch.Script().frames(ORDERLY)]
KEPT = range(40)
"""Seeds of the random damage."""


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block around a body."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options, order)


def enhanced(packet: bytes, ticks: int = 0, number: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, head + packet + bytes(-len(packet) % 4) + options, order)


def resolution(value: int, order: str = "<") -> bytes:
    """The option if_tsresol, between one that is unknown and the end of options."""
    return struct.pack(order + "HH4sHHB3xHH", 2, 4, b"eth0", 9, 1, value, 0, 0)


def pcapng(order: str = "<") -> bytes:
    """Both ends of a connection as one interface received them."""
    data = section(order) + interface(sketch.RAW, order) + block(0xBAD, b"unknown", order)
    for number, packet in enumerate(PACKETS):
        data += enhanced(packet, number * 1000, 0, order, options=struct.pack(order + "HHI", 2, 4, 1))
    return data


def read(data: bytes) -> tuple[list[Segment], tuple[str, ...]]:
    reader = Reader(io.BytesIO(data))
    return list(reader), damages(reader.unsound)


def told(data: bytes) -> Analysis:
    """The analysis, as far as JSON."""
    analysis = analyze(io.BytesIO(data))
    as_data(analysis)
    return analysis


# What pcapng may hold


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_gives_what_a_pcap_gives(order: str) -> None:
    segments, unsound = read(pcapng(order))
    plain, _ = read(sketch.pcap([(0, packet) for packet in PACKETS], sketch.RAW))
    assert unsound == ()
    assert [one._replace(time=0) for one in segments] == [one._replace(place=(0, False, 0)) for one in plain]
    assert [one.time for one in segments[:3]] == [0, 1_000_000, 2_000_000]


@pytest.mark.parametrize(
    ("value", "nanoseconds"), [(9, 5), (6, 5000), (3, 5_000_000), (0x80 | 10, 4_882_812)]
)
def test_the_resolution_of_time(value: int, nanoseconds: int) -> None:
    data = section() + interface(sketch.RAW, options=resolution(value)) + enhanced(PACKETS[0], 5)
    [segment], _ = read(data)
    assert segment.time == nanoseconds


@pytest.mark.parametrize(
    ("flags", "leaving"), [(0, None), (1, False), (2, True), (3, None), (0x8000_0002, True)]
)
def test_the_direction_of_a_packet(flags: int, leaving: bool | None) -> None:
    comment, end = struct.pack("<HH4s", 1, 4, b"lost"), bytes(4)
    for options in (struct.pack("<HHI", 2, 4, flags), comment + struct.pack("<HHI", 2, 4, flags) + end):
        [segment], unsound = read(section() + interface(sketch.RAW) + enhanced(PACKETS[0], options=options))
        assert (segment.leaving, unsound) == (leaving, ())


def test_what_the_link_layer_says_of_the_direction_goes_before() -> None:
    cooked = sketch.framed(PACKETS[0], sketch.COOKED2, 7, leaving=True)
    data = section() + interface(sketch.COOKED2) + enhanced(cooked, options=struct.pack("<HHI", 2, 4, 1))
    [segment], _ = read(data)
    assert segment.place == (7, True, 4)


def test_each_section_has_its_own_interfaces_and_byte_order() -> None:
    ethernet = sketch.framed(PACKETS[1], sketch.ETHERNET)
    data = section() + interface(sketch.RAW) + enhanced(PACKETS[0])
    data += (
        section(">")
        + interface(sketch.RAW, ">")
        + interface(sketch.ETHERNET, ">")
        + enhanced(ethernet, 1, 1, ">")
    )
    segments, unsound = read(data)
    assert [(one.frame, one.interface) for one in segments] == [(1, 0), (2, 2)]
    assert unsound == ()


def test_simple_and_obsolete_packets() -> None:
    packet = PACKETS[3]
    simple = block(3, struct.pack("<I", len(packet)) + packet)
    obsolete = block(2, struct.pack("<HHIIII", 0, 0, 0, 7, len(packet), len(packet)) + packet)
    segments, unsound = read(section() + interface(sketch.RAW) + obsolete + simple)
    assert [(one.length, one.time) for one in segments] == [(5, 7000), (5, 7000)]
    assert unsound == ()


def test_an_interface_that_was_never_declared() -> None:
    segments, [sentence] = read(
        section() + interface(sketch.RAW) + enhanced(PACKETS[0], 0, 9) + enhanced(PACKETS[1])
    )
    assert [one.frame for one in segments] == [2]
    assert sentence == "frame 1: its interface was never declared"


def test_a_block_of_absurd_length_ends_the_reading() -> None:
    data = pcapng() + struct.pack("<II", 6, 0x7FFFFFFC) + bytes(100)
    segments, [sentence] = read(data)
    assert len(segments) == len(PACKETS)
    assert "its length is absurd" in sentence


def test_a_compressed_capture_says_so() -> None:
    assert read(b"\x28\xb5\x2f\xfd" + bytes(50)) == ([], ("this is a compressed file: unpack it first",))


# Fragments


def pieces(packet: bytes, size: int, ident: int = 7) -> list[bytes]:
    """An IPv4 packet in fragments of so many bytes."""
    payload = packet[20:]
    found = []
    for at in range(0, len(payload), size):
        more = 0x2000 if at + size < len(payload) else 0
        part = bytearray(sketch.ip("10.0.0.1", "10.0.0.2", payload[at : at + size], fragment=more | at // 8))
        part[4:6] = struct.pack("!H", ident)
        found.append(bytes(part))
    return found


WHOLE = sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((1, 2), 5, 6, 24, bytes(100)))


@pytest.mark.parametrize("size", [8, 16, 24, 64])
@pytest.mark.parametrize("seed", range(4))
def test_fragments_in_any_order_are_put_together(size: int, seed: int) -> None:
    parts = pieces(WHOLE, size)
    random.Random(seed).shuffle(parts)
    segments, unsound = read(sketch.pcap([(0, part) for part in [*parts[:1], *parts]], sketch.RAW))
    assert [(one.frame, one.seq, one.length) for one in segments] == [(len(parts) + 1, 5, 100)]
    assert unsound == ()


def test_a_fragment_that_is_missing_is_told() -> None:
    parts = pieces(WHOLE, 24)
    segments, [sentence] = read(sketch.pcap([(0, part) for part in parts[1:]], sketch.RAW))
    assert segments == []
    assert sentence == "frame 1: it is a fragment of an IP packet of which others are missing"


OPTIONS = bytes([0, 1, 1, 12, *bytes(12)])
"""Sixteen bytes of IPv6 extension header (RFC 8200, section 4.6); the first says what follows."""

SEGMENT = sketch.tcp((1, 2), 5, 6, 24, bytes(100))


def pieces6(
    payload: bytes, following: int, size: int, *, ahead: bytes = b"", others: int = -1
) -> list[bytes]:
    """An IPv6 packet in fragments; ``ahead`` are hop-by-hop options before each fragment header.

    ``following`` is what the first fragment says of the payload, ``others`` what the others do.
    """
    found = []
    for at in range(0, len(payload), size):
        more = int(at + size < len(payload))
        says = others if at and others >= 0 else following
        head = struct.pack("!BBHI", says, 0, at | more, 99)
        packet = bytearray(sketch.ip("fd00::1", "fd00::2", ahead + head + payload[at : at + size]))
        packet[6] = 0 if ahead else 44
        found.append(bytes(packet))
    return found


@pytest.mark.parametrize("size", [8, 24, 48])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [0, 1, 3])
def test_fragments_whose_packet_has_further_headers(count: int, seed: int, size: int) -> None:
    chain = b"".join(bytes([60 if left else 6]) + OPTIONS[1:] for left in reversed(range(count)))
    ahead = bytes([44]) + bytes([0, 1, 4, 0, 0, 0, 0])
    parts = pieces6(chain + SEGMENT, 60 if count else 6, size, ahead=ahead)
    random.Random(seed).shuffle(parts)
    segments, unsound = read(sketch.pcap([(0, part) for part in parts], sketch.RAW))
    assert [(one.frame, one.seq, one.length) for one in segments] == [(len(parts), 5, 100)]
    assert segments[0].flow.source_port == 1
    assert unsound == ()


def test_what_follows_is_what_the_first_fragment_says() -> None:
    parts = pieces6(bytes([6]) + OPTIONS[1:] + SEGMENT, 60, 48, others=6)
    for order in (parts, parts[::-1]):
        [segment], unsound = read(sketch.pcap([(0, part) for part in order], sketch.RAW))
        assert (segment.length, unsound) == (100, ())


@pytest.mark.parametrize(
    ("payload", "following", "why"),
    [
        (bytes([17]) + OPTIONS[1:] + SEGMENT, 60, ""),
        (bytes([60, 255]) + bytes(600), 60, "it ends within an IPv6 extension header"),
        (struct.pack("!BBHI", 6, 0, 8, 7) + SEGMENT, 44, "it is a fragment within another"),
        (bytes([6]) + OPTIONS[1:] + SEGMENT[:12], 60, "it ends within the TCP header"),
    ],
)
def test_fragments_that_hold_no_segment(payload: bytes, following: int, why: str) -> None:
    segments, unsound = read(sketch.pcap([(0, part) for part in pieces6(payload, following, 48)], sketch.RAW))
    assert segments == []
    assert [sentence.partition(": ")[2] for sentence in unsound] == [why] * bool(why)


def test_a_flood_of_fragments_takes_no_memory() -> None:
    def flood(count: int) -> int:
        parts = [pieces(WHOLE, 8, number % 65536)[number % 5] for number in range(count)]
        data = sketch.pcap([(0, part) for part in parts], sketch.RAW)
        tracemalloc.start()
        read(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - 2 * len(data)

    assert flood(6000) < flood(2000) + 500_000


# Damage


SOUND = {"pcap": sketch.switch(ORDERLY), "pcapng": pcapng(), "pcapng, most significant first": pcapng(">")}


@pytest.mark.parametrize("data", SOUND.values(), ids=SOUND)
def test_cut_anywhere_what_is_before_the_cut_is_read(data: bytes) -> None:
    whole, _ = read(data)
    for cut in range(len(data)):
        segments, unsound = read(data[:cut])
        assert segments == whole[: len(segments)]
        assert unsound or len(segments) * 60 < cut
        told(data[:cut])


@pytest.mark.parametrize("data", SOUND.values(), ids=SOUND)
def test_any_bytes_may_be_any_other(data: bytes) -> None:
    chance = random.Random(1)
    for _ in range(1000):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 10, 100))):
            damaged[chance.randrange(len(data))] = chance.choice((0, 255, chance.randrange(256)))
        assert told(bytes(damaged)).segments <= 40


@pytest.mark.parametrize("head", [data[:28] for data in SOUND.values()], ids=SOUND)
def test_garbage_after_a_sound_beginning(head: bytes) -> None:
    chance = random.Random(1)
    for _ in range(40):
        data = head + chance.randbytes(chance.randrange(5000))
        began = time.process_time()
        assert told(data).frames <= len(data) // 12
        assert time.process_time() - began < 5


def mixed(chance: random.Random) -> bytes:
    """A pcapng of interfaces with clocks of several kinds, packets with options and without, other blocks."""
    flags, comment = struct.pack("<HHI", 2, 4, 2), struct.pack("<HH4sHH", 1, 4, b"note", 0, 0)
    data = section()
    for number in range(4):
        clock = resolution(chance.choice((6, 9, 3, 0x80 | 10)))
        offset = struct.pack("<HHq", 14, 8, chance.choice((0, -3, 1 << 20))) if chance.random() < 0.5 else b""
        data += interface(sketch.RAW if number < 3 else sketch.ETHERNET, options=offset + clock)
    for _ in range(60):
        number = min(4, chance.choice((0, 0, 0, 1, 2, 3, 4)))
        packet = chance.choice(PACKETS)
        packet = sketch.framed(packet, sketch.ETHERNET) if number == 3 else packet
        options = chance.choice((b"", b"", b"", flags, comment + flags, bytes(4)))
        data += enhanced(
            packet, chance.choice((5, 1 << 40, chance.randrange(1 << 50))), number, options=options
        )
        if chance.random() < 0.1:
            data += block(chance.choice((3, 5, 0xBAD)), struct.pack("<I", len(packet)) + packet)
    return data


@pytest.mark.parametrize("seed", KEPT)
def test_many_packets_at_once_are_read_as_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    files = [mixed(chance) for _ in range(4)]
    for sound in list(files):
        damaged = bytearray(sound)
        for _ in range(chance.choice((1, 1, 3))):
            damaged[chance.randrange(len(sound))] = chance.choice((0, 1, 4, 255))
        files.append(bytes(damaged))
    at_once = [read(data) for data in files]
    monkeypatch.setattr("lab.wire.packets.pcapng.Section.packets", lambda _section, _data, at: ([], at))
    assert at_once == [read(data) for data in files]
    assert all(len(segments) > 30 for segments, _ in at_once[:4])


def test_packets_in_usual_blocks_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are nearly all that a large capture has: the way step by step costs twice as much."""
    kinds = []
    one_by_one = pcapng_file.Section.block

    def seen(own: pcapng_file.Section, kind: int, data: bytes, at: int, end: int) -> Frames | None:
        kinds.append(kind)
        return one_by_one(own, kind, data, at, end)

    monkeypatch.setattr("lab.wire.packets.pcapng.Section.block", seen)
    assert len(read(pcapng())[0]) == len(PACKETS)
    assert kinds == [0x0A0D0D0A, 1, 0xBAD]


def test_a_flood_of_connections_is_counted_in_bounded_memory() -> None:
    def flood(count: int) -> tuple[Analysis, int]:
        frames = []
        for number in range(count):
            source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            frames.append((number, sketch.ip(source, "10.9.9.9", sketch.tcp((999, 80), number, 0, 2))))
        stream = io.BytesIO(sketch.pcap(frames, sketch.RAW))
        del frames
        tracemalloc.start()
        analysis = analyze(stream, most=100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return analysis, peak

    few, small = flood(2_000)
    many, large = flood(6_000)
    assert (len(tuple(many.connections())), many.others.count) == (100, 5_900)
    assert many.others.handshakes == {"no_reply": 5_900}
    assert large - small < 4_000 * 700, "each takes its 4-tuple, until those are forgotten, and nothing more"
    assert few.others.count == 1_900


def test_an_open_connection_outlives_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.wire.tcp._SPARE", 0)
    monkeypatch.setattr("lab.wire.packets._BATCH", 1)
    monkeypatch.setattr("lab.wire.packets.pcap.CHUNK", 1000)
    talk = ORDERLY.splitlines()
    before, after = "\n".join(talk[:8]), "\n".join(talk[8:])
    flood = "".join(f"1.5 client_b:{port} > server S\n" for port in range(1000, 1200))
    analysis = analyze(io.BytesIO(sketch.single(before + "\n" + flood + after)), most=50)
    assert "orderly" in {one.connection.close for one in analysis.connections()}
