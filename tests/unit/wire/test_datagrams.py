"""UDP: datagrams from frames, fragments too, and what became of each between two ports of the switch."""

from __future__ import annotations

import io
import struct

import pytest

from lab.wire.packets import Reader, UdpPacket
from lab.wire.tcp import CapturePoint
from lab.wire.udp import Datagram, Datagrams
from tests.judged import damages
from tests.unit import sketch

VANTAGE = CapturePoint(
    hosts={address: host for host, address in sketch.HOSTS.items()},
    ports={port: host for host, port in sketch.PORTS.items()},
    honest=frozenset(sketch.PORTS.values()),
)


def read(capture: bytes) -> tuple[list[UdpPacket], Reader]:
    found: list[UdpPacket] = []
    reader = Reader(io.BytesIO(capture), found.append)
    assert list(reader) == []
    return found, reader


def taken(capture: bytes, point: CapturePoint = VANTAGE) -> Datagrams:
    datagrams = Datagrams(point)
    list(Reader(io.BytesIO(capture), datagrams.hear))
    return datagrams


def found(text: str) -> list[Datagram]:
    return list(taken(sketch.switch(text)).found())


def single(packet: bytes, link: int = sketch.ETHERNET) -> bytes:
    return sketch.pcap([(sketch.EPOCH, sketch.framed(packet, link))], link)


def fragments(payload: bytes, size: int, *, ends: str = "10.0.0.{}") -> list[bytes]:
    """A datagram in IPv4 fragments of so many bytes."""
    whole = sketch.udp((40000, 9000), payload)
    pieces = range(0, len(whole), size)
    return [
        sketch.ip(
            ends.format(1),
            ends.format(2),
            whole[at : at + size],
            protocol=17,
            ident=5,
            fragment=at // 8 | (0x2000 if at + size < len(whole) else 0),
        )
        for at in pieces
    ]


@pytest.mark.parametrize("link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.COOKED2])
@pytest.mark.parametrize(("ends", "payload"), [("10.0.0.{}", b"ping"), ("fd00::{}", b"")])
def test_a_datagram(link: int, ends: str, payload: bytes) -> None:
    packet = sketch.ip(ends.format(1), ends.format(2), sketch.udp((40000, 53), payload), protocol=17)
    ((frame, *_, size, kept, _, ttl),), reader = read(single(packet, link))
    assert (frame, size, kept, ttl) == (1, len(payload), payload, 64)
    assert reader.unsound_datagrams == reader.unsound == ()


def test_fragments_are_one_datagram() -> None:
    payload = bytes(range(256)) * 12
    frames = [sketch.framed(one, sketch.ETHERNET) for one in fragments(payload, 1480)]
    for order in (frames, frames[::-1]):
        capture = sketch.pcap([(sketch.EPOCH, frame) for frame in order], sketch.ETHERNET)
        (packet,), _ = read(capture)
        assert (packet.frame, packet.size, packet.payload) == (3, len(payload), payload)
        assert (packet.flow.source_port, packet.flow.target_port) == (40000, 9000)


def test_a_fragment_that_is_missing_is_told_and_says_nothing_of_tcp() -> None:
    frames = [sketch.framed(one, sketch.ETHERNET) for one in fragments(b"x" * 4000, 1480)][:2]
    packets, reader = read(sketch.pcap([(sketch.EPOCH, frame) for frame in frames], sketch.ETHERNET))
    assert packets == []
    assert "others are missing" in damages(reader.unsound_datagrams)[0]
    assert reader.unsound == ()


def test_what_was_not_captured_of_a_fragment_is_not_invented() -> None:
    frames = [sketch.framed(one, sketch.ETHERNET) for one in fragments(b"x" * 2000, 1480)]
    cut = [frames[0][:300], frames[1]]
    records = b"".join(
        struct.pack("<IIII", 1, 0, len(part), len(whole)) + part
        for part, whole in zip(cut, frames, strict=True)
    )
    (packet,), _ = read(sketch.pcap([], sketch.ETHERNET) + records)
    assert (packet.size, packet.payload) == (2000, b"x" * (300 - 14 - 20 - 8))


@pytest.mark.parametrize("length", [7, 900])
def test_a_damaged_length_is_told(length: int) -> None:
    datagram = sketch.udp((1, 2), b"abc")
    packet = sketch.ip(
        "10.0.0.1", "10.0.0.2", datagram[:4] + bytes([*divmod(length, 256)]) + datagram[6:], protocol=17
    )
    packets, reader = read(single(packet))
    assert packets == []
    assert damages(reader.unsound_datagrams) == ("frame 1: its UDP header gives a length that cannot be",)


def test_a_datagram_that_ends_within_its_headers() -> None:
    packet = sketch.ip("10.0.0.1", "10.0.0.2", sketch.udp((1, 2), b"abc"), protocol=17)
    for end in range(14, 14 + len(packet) - 3):
        frame = sketch.framed(packet, sketch.ETHERNET)
        record = struct.pack("<IIII", 1, 0, end, len(frame)) + frame[:end]
        packets, _ = read(sketch.pcap([], sketch.ETHERNET) + record)
        assert packets == [] or end >= 14 + 28


def test_sent_and_arrived() -> None:
    (one,) = found("1  client_a > server:9000  U  text=ping")
    assert (one.source, one.target, one.payload, one.size) == ("client_a", "server", b"ping", 4)
    assert one.sent is not None
    (arrival,) = one.arrivals
    assert (arrival.host, arrival.at.time - one.sent.time) == ("server", sketch.DELAY)
    assert one.whole


def test_the_same_payload_twice_is_two_datagrams_and_one_may_be_lost() -> None:
    first, second = found(
        """
        1  client_a > server:9000  U  text=again
        2  client_a > server:9000  U  text=again  entered
        """
    )
    assert first.digest == second.digest
    assert (len(first.arrivals), len(second.arrivals)) == (1, 0)


def test_one_that_arrives_and_was_not_sent() -> None:
    (one,) = found("1  client_a > server:9000  U  text=ghost  left")
    assert one.sent is None
    assert one.at == one.arrivals[0].at


def test_one_in_the_name_of_another_is_forged_and_counts_for_nobody() -> None:
    datagrams = taken(sketch.switch("1  client_a > server:9000  U  text=lie  by=client_b  entered"))
    assert list(datagrams.found()) == []
    (forged,) = datagrams.forged()
    assert (forged.host, forged.address, forged.frames) == ("client_b", sketch.HOSTS["client_a"], 1)


def test_one_from_an_address_that_nobody_has_yet_is_not_forged() -> None:
    packet = sketch.ip("169.254.7.7", "255.255.255.255", sketch.udp((68, 67), b"discover"), protocol=17)
    datagrams = taken(sketch.pcap([(1, sketch.framed(packet, interface=sketch.PORTS["client_a"]))]))
    assert [one.source for one in datagrams.found()] == [""]
    assert list(datagrams.forged()) == []


def test_a_broadcast_arrives_at_each() -> None:
    packet = sketch.ip(sketch.HOSTS["client_a"], "192.168.153.255", sketch.udp((1, 2), b"all"), protocol=17)
    frames = [(1, sketch.framed(packet, interface=sketch.PORTS["client_a"]))]
    frames += [
        (2, sketch.framed(packet, interface=sketch.PORTS[host], leaving=True))
        for host in ("server", "client_b")
    ]
    (one,) = taken(sketch.pcap(frames)).found()
    assert [arrival.host for arrival in one.arrivals] == ["server", "client_b"]


def test_a_loopback_shows_each_once() -> None:
    packet = sketch.ip("127.0.0.1", "127.0.0.1", sketch.udp((1, 2), b"self"), protocol=17)
    (one,) = taken(single(packet), CapturePoint(alone="server")).found()
    assert (one.source, one.target, one.arrivals[0].at) == ("server", "server", one.sent)


def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.wire.udp.MOST_DATAGRAMS", 6)
    monkeypatch.setattr("lab.wire.udp.MOST_BYTES", 10)
    text = "\n".join(f"{number}  client_a > server:9000  U  text=word{number}" for number in range(1, 6))
    datagrams = taken(sketch.switch(text))
    assert [one.payload for one in datagrams.found()] == [b"word1", b"word2", b"", b""]
    assert all(one.digest for one in datagrams.found())
    assert datagrams.let_go == {"client_a": 1}


def test_who_floods_takes_no_room_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the room is anybody's; each host has a part of the other half, and its own packets are told as lost."""
    monkeypatch.setattr("lab.wire.udp.MOST_DATAGRAMS", 24)
    flood = "\n".join(f"{number}  client_a > server:9000  U  text=word{number}" for number in range(1, 51))
    later = "60 client_b > server:9000 U text=hello\n61 server:9000 > client_b U text=HELLO"
    datagrams = taken(sketch.switch(f"{flood}\n{later}"))
    *of_a, asked, answer = datagrams.found()
    assert (len(of_a), {one.source for one in of_a}) == (16, {"client_a"})
    assert (asked.payload, answer.payload, bool(asked.arrivals), bool(answer.arrivals)) == (
        b"hello",
        b"HELLO",
        True,
        True,
    )
    assert datagrams.let_go == {"client_a": 34}
