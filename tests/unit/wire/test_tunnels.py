"""Packets within packets: what is read of them, what is only counted, and what no verdict may believe."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from lab.wire.packets import Reader, Segment
from tests.judged import damages
from tests.unit import sketch
from tests.unit.wire.tunnelled import INNER, datagram, ethernet, outer, segment, tunnels, unreadable

TUNNELS, UNREADABLE = list(tunnels()), list(unreadable())


def read(*frames: bytes, link: int = sketch.ETHERNET, deep: bool = True) -> tuple[list[Segment], Reader]:
    reader = Reader(
        io.BytesIO(sketch.pcap([(at, frame) for at, frame in enumerate(frames)], link)), deep=deep
    )
    return list(reader), reader


def test_a_segment_in_each_tunnel() -> None:
    found, reader = read(*(frame for _, frame in TUNNELS))
    assert set(reader.tunnels) == {name for name, _ in TUNNELS}
    assert (reader.others, reader.unsound) == ({}, ())
    assert {(one.flow.source_port, one.seq, one.length) for one in found} == {
        (4000 + number, 100 * number, number) for number in (1, 2, 3)
    }


def test_a_verdict_reads_what_a_host_takes_in_and_nothing_within() -> None:
    """A host with a raw socket could else say what another one had sent."""
    within = [frame for name, frame in TUNNELS if "VLAN" not in name]
    found, reader = read(*within, deep=False)
    assert (found, reader.tunnels.total()) == ([], 0)
    assert reader.others.total() == len(within)


@pytest.mark.parametrize(
    ("name", "frame"), UNREADABLE, ids=[f"{number}-{name}" for number, (name, _) in enumerate(UNREADABLE)]
)
def test_what_cannot_be_read_is_counted_by_its_name(name: str, frame: bytes) -> None:
    found, reader = read(frame)
    assert (found, reader.others) == ([], {name: 1})


def test_cut_anywhere_and_nested_without_end() -> None:
    """No frame raises, none is missed in the counts, and of nested ones only so many are followed."""
    for _, frame in TUNNELS:
        for size in range(len(frame)):
            found, reader = read(frame[:size])
            assert len(found) + reader.others.total() + len(reader.unsound) >= 1
    packet = sketch.ip(*INNER, segment(1))
    for _ in range(12):
        packet = outer(4, packet)
    found, reader = read(ethernet(packet))
    assert (found, reader.others, reader.tunnels) == ([], {"IP in IP": 1}, {"IP in IP": 8})


def test_a_packet_longer_than_its_frame_is_read_up_to_the_frames_end() -> None:
    packet = sketch.ip(*INNER, segment(50))
    short = ethernet(packet[:-20])
    [found], reader = read(short)
    assert found.length == 30
    assert damages(reader.unsound) == (
        "frame 1: its IP header claims more than the frame has: it was read up to the frame's end",
    )
    assert read(short, deep=False)[0] == [], "a host drops it"


def test_a_datagram_longer_than_its_frame_likewise() -> None:
    sizes: list[int] = []
    frame = ethernet(datagram(5353, b"x" * 50)[:-20])
    for deep in (True, False):
        stream = io.BytesIO(sketch.pcap([(0, frame)], sketch.ETHERNET))
        list(Reader(stream, lambda packet: sizes.append(packet.size), deep=deep))
    assert sizes == [30]


PPP, HDLC_PPP, HDLC = 9, 50, 104


@pytest.mark.parametrize(
    ("link", "head"),
    [(PPP, "0021"), (PPP, "ff030021"), (PPP, "21"), (HDLC_PPP, "ff030021"), (HDLC, "0f000800")],
)
def test_links_of_serial_lines(link: int, head: str) -> None:
    [found], _ = read(bytes.fromhex(head) + sketch.ip(*INNER, segment(5)), link=link)
    assert (found.seq, found.length) == (500, 5)


def test_what_is_no_ip_at_all_is_named() -> None:
    for frame, link in ((b"\x00" * 40, sketch.RAW), (b"\x63\x00\x00\x00" + bytes(40), sketch.LOOPBACK)):
        assert read(frame, link=link)[1].others == {"neither IPv4 nor IPv6": 1}


def ordinary() -> Iterator[tuple[str, bytes]]:
    """Frames that are read with one look once their like is known."""
    tags = bytes.fromhex("81000064")
    v4, v6 = sketch.ip(*INNER, segment(1)), sketch.ip("fd00::1", "fd00::2", segment(2))
    udp4 = sketch.ip(*INNER, sketch.udp((4000, 5353), b"x" * 20), protocol=17)
    udp6 = sketch.ip("fd00::1", "fd00::2", sketch.udp((4000, 5353), b"x" * 20), protocol=17)
    for name, packet in (("v4", v4), ("v6", v6), ("udp4", udp4), ("udp6", udp6)):
        yield name, ethernet(packet)
        yield f"{name}-tagged", ethernet(packet, tags=tags)
        yield f"{name}-tagged-twice", ethernet(packet, tags=tags + tags)


def seen(*frames: bytes, deep: bool) -> tuple[list[object], Reader, list[tuple[int, ...]]]:
    heard: list[tuple[int, ...]] = []
    stream = io.BytesIO(sketch.pcap([(0, frame) for frame in frames], sketch.ETHERNET))
    reader = Reader(
        stream,
        hear_size=lambda _, time, place, way, size: heard.append((time, place[2], *way, size)),
        deep=deep,
    )
    return [one[1:] for batch in reader.batches() for one in batch], reader, heard


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("name", "frame"), list(ordinary()), ids=[name for name, _ in ordinary()])
def test_a_known_kind_is_read_as_an_unknown_one(name: str, frame: bytes, deep: bool) -> None:
    """Whole, cut anywhere, or with any byte of its headers changed."""
    first, reader, heard = seen(frame, deep=deep)
    assert (len(first), len(heard)) == ((0, 1) if "udp" in name else (1, 0))
    changed = [
        frame[:at] + bytes([frame[at] ^ bit]) + frame[at + 1 :] for at in range(12, 46) for bit in (1, 128)
    ]
    for other in (frame, *(frame[:size] for size in range(len(frame))), *changed):
        alone, own, said = seen(other, deep=deep)
        after, both, told = seen(frame, other, deep=deep)
        assert (after, told) == (first + alone, heard + said)
        assert both.others == reader.others + own.others
        assert both.tunnels == reader.tunnels + own.tunnels
        assert len(both.unsound) == len(own.unsound)
