"""ICMP: messages from frames, what they quote, and what became of each between two ports of the switch."""

from __future__ import annotations

import io
import random
import struct

import pytest

from lab.wire.icmp import IcmpMessage, IcmpMessages, answers
from lab.wire.packets import ACK, PSH, FourTuple, IcmpPacket, Reader
from lab.wire.tcp import CapturePoint
from tests.judged import damages
from tests.unit import sketch

PACKET = sketch.ip("10.0.0.1", "10.0.0.2", sketch.tcp((40000, 80), 7, 9, PSH | ACK, b"hello"))
PACKET6 = sketch.ip("fd00::1", "fd00::2", sketch.tcp((40000, 80), 7, 9, PSH | ACK, b"hello"))
VANTAGE = CapturePoint(
    hosts={address: host for host, address in sketch.HOSTS.items()},
    ports={port: host for host, port in sketch.PORTS.items()},
    honest=frozenset(sketch.PORTS.values()),
)


def read(capture: bytes) -> tuple[list[IcmpPacket], Reader]:
    found: list[IcmpPacket] = []
    reader = Reader(io.BytesIO(capture), None, found.append)
    assert list(reader) == []
    assert reader.unsound == ()
    return found, reader


def messages_of(*packets: bytes, link: int = sketch.ETHERNET) -> list[IcmpPacket]:
    frames = [(sketch.EPOCH, sketch.framed(packet, link)) for packet in packets]
    return read(sketch.pcap(frames, link))[0]


def taken(capture: bytes) -> IcmpMessages:
    messages = IcmpMessages(VANTAGE)
    list(Reader(io.BytesIO(capture), None, messages.hear))
    return messages


def found(text: str) -> list[IcmpMessage]:
    return list(taken(sketch.switch(text)).found())


@pytest.mark.parametrize("link", [sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.COOKED2])
@pytest.mark.parametrize(("ends", "type_"), [("10.0.0.{}", 8), ("fd00::{}", 128)])
def test_an_echo(link: int, ends: str, type_: int) -> None:
    packet = sketch.echo(ends.format(1), ends.format(2), b"abc", numbers=(7, 9))
    (one,) = messages_of(packet, link=link)
    assert (one.type, one.code, one.echo, one.size, one.payload) == (type_, 0, (7, 9), 3, b"abc")
    assert (one.addresses, one.ttl, one.wrong) == ((ends.format(1), ends.format(2)), 64, False)
    assert (one.about, one.meaning) == (None, None)


@pytest.mark.parametrize("ends", ["10.0.0.{}", "fd00::{}"])
def test_a_wrong_checksum_is_known_if_all_was_captured(ends: str) -> None:
    packet = sketch.echo(ends.format(1), ends.format(2), b"abcde", wrong=True)
    assert [one.wrong for one in messages_of(packet)] == [True]
    frame = sketch.framed(packet, sketch.ETHERNET)
    record = struct.pack("<IIII", 1, 0, len(frame) - 1, len(frame)) + frame[:-1]
    assert [one.wrong for one in read(sketch.pcap([], sketch.ETHERNET) + record)[0]] == [False]
    nothing = sketch.ip("10.0.0.1", "10.0.0.2", bytes(16), protocol=1)
    assert [one.wrong for one in messages_of(nothing)] == [True]


def test_fragments_are_one_message() -> None:
    payload = bytes(range(256)) * 12
    whole = sketch.echo("10.0.0.1", "10.0.0.2", payload)[20:]
    packets = [
        sketch.ip(
            "10.0.0.1",
            "10.0.0.2",
            whole[at : at + 1480],
            protocol=1,
            ident=5,
            fragment=at // 8 | (0x2000 if at + 1480 < len(whole) else 0),
        )
        for at in range(0, len(whole), 1480)
    ]
    for order in (packets, packets[::-1]):
        (one,) = messages_of(*order)
        assert (one.frame, one.size, one.payload, one.wrong) == (3, len(payload), payload, False)
    assert messages_of(*packets[1:]) == []


def test_any_byte_may_be_any_other_and_any_may_be_missing() -> None:
    chance = random.Random(3)
    for whole in (
        sketch.icmp("10.0.0.9", "10.0.0.1", PACKET, kind=3, code=0),
        sketch.icmp("fd00::9", "fd00::1", PACKET6, kind=3, code=0),
    ):
        for at in range(len(whole)):
            damaged = bytearray(whole)
            damaged[at] = chance.randrange(256)
            for packet in (bytes(damaged), whole[:at] + b"\0"):
                kind = b"\x08\x00" if whole[0] >> 4 == 4 else b"\x86\xdd"
                data = sketch.pcap([(sketch.EPOCH, b"\x02" * 12 + kind + packet)], sketch.ETHERNET)
                messages = IcmpMessages(CapturePoint())
                list(Reader(io.BytesIO(data), None, messages.hear))
                assert len(list(messages.found())) <= 1


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ({"kind": 3, "code": 4, "mtu": 1280}, ("fragmentation-needed", 1280)),
        ({"kind": 3, "code": 0}, ("net-unreachable", 0)),
        ({"kind": 11, "code": 0}, ("hop-limit-exceeded", 0)),
        ({"kind": 3, "code": 200}, None),
        ({"kind": 8, "code": 0}, None),
    ],
)
def test_what_icmp_says_of_a_segment(said: dict[str, int], meaning: tuple[str, int] | None) -> None:
    assert [
        (one.meaning, one.mtu) for one in errors(sketch.icmp("10.0.0.9", "10.0.0.1", PACKET, **said))
    ] == ([meaning] if meaning else [])


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ({"kind": 2, "code": 0, "mtu": 1280}, ("packet-too-big", 1280)),
        ({"kind": 1, "code": 3}, ("host-unreachable", 0)),
        ({"kind": 3, "code": 0}, ("hop-limit-exceeded", 0)),
        ({"kind": 128, "code": 0}, None),
    ],
)
def test_what_icmp_of_ipv6_says_of_a_segment(said: dict[str, int], meaning: tuple[str, int] | None) -> None:
    assert [(one.meaning, one.mtu) for one in errors(sketch.icmp("fd00::9", "fd00::1", PACKET6, **said))] == (
        [meaning] if meaning else []
    )


def errors(packet: bytes) -> list[IcmpPacket]:
    return [one for one in messages_of(packet) if one.about and one.meaning]


@pytest.mark.parametrize(("one", "ends"), [(PACKET, "10.0.0.{}"), (PACKET6, "fd00::{}")])
def test_whom_icmp_speaks_of(one: bytes, ends: str) -> None:
    kind = 3 if one is PACKET else 1
    (error,) = errors(sketch.icmp(ends.format(9), ends.format(1), one, kind=kind, code=0))
    assert (error.frame, error.time, error.addresses[0]) == (1, sketch.EPOCH, ends.format(9))
    assert error.about
    assert (error.about.flow, error.about.seq) == (FourTuple(ends.format(1), 40000, ends.format(2), 80), 7)


def test_icmp_that_is_cut_off_says_nothing() -> None:
    for whole, source in ((PACKET, "10.0.0.9"), (PACKET6, "fd00::9")):
        message = sketch.icmp(source, source[:-1] + "1", whole, kind=3, code=0)
        for end in range(20 if whole is PACKET else 40, len(message)):
            frame = sketch.framed(message, sketch.ETHERNET)
            record = struct.pack("<IIII", 1, 0, 14 + end, len(frame)) + frame[: 14 + end]
            messages, reader = read(sketch.pcap([], sketch.ETHERNET) + record)
            if end >= (28 if whole is PACKET else 48):
                assert [one.about for one in messages] == [None] or end >= (56 if whole is PACKET else 96)
                continue
            assert messages == []
            assert damages(reader.unsound_icmp)[0].startswith("frame 1: it")


def test_icmp_speaks_of_datagrams_too() -> None:
    datagram = sketch.ip("10.0.0.1", "10.0.0.2", sketch.udp((40000, 53), b"?"), protocol=17)
    (error,) = errors(sketch.icmp("10.0.0.2", "10.0.0.1", datagram, kind=3, code=3))
    assert error.about
    assert (error.about.protocol, error.about.flow) == (17, FourTuple("10.0.0.1", 40000, "10.0.0.2", 53))


@pytest.mark.parametrize("ends", ["10.0.0.{}", "fd00::{}"])
def test_icmp_speaks_of_echoes_and_of_other_protocols(ends: str) -> None:
    kind = 1 if ":" in ends else 11
    request = sketch.echo(ends.format(1), ends.format(2), b"abc", numbers=(7, 9))
    (error,) = errors(sketch.icmp(ends.format(9), ends.format(1), request, kind=kind, code=0))
    assert error.about == (58 if ":" in ends else 1, FourTuple(ends.format(1), 0, ends.format(2), 0), 7, 9)
    sctp = sketch.ip(ends.format(1), ends.format(2), bytes(12), protocol=132)
    (error,) = errors(sketch.icmp(ends.format(9), ends.format(1), sctp, kind=kind, code=0))
    assert error.about == (132, FourTuple(ends.format(1), 0, ends.format(2), 0), 0, 0)


def test_a_later_fragment_that_is_quoted_has_no_ports() -> None:
    part = sketch.ip("10.0.0.1", "10.0.0.2", b"\1\2\3\4" * 5, protocol=17, fragment=5)
    (error,) = errors(sketch.icmp("10.0.0.9", "10.0.0.1", part, kind=11, code=1))
    assert error.about == (17, FourTuple("10.0.0.1", 0, "10.0.0.2", 0), 0, 0)


def test_sent_and_arrived() -> None:
    (one,) = found("1  client_a > server  Q  id=7 no=1 ttl=9 text=abc")
    assert (one.source, one.target, one.name, one.ident, one.seq) == (
        "client_a",
        "server",
        "echo-request",
        7,
        1,
    )
    assert one.sent is not None
    (arrival,) = one.arrivals
    assert (arrival.host, arrival.at.time - one.sent.time, arrival.ttl) == ("server", sketch.DELAY, 9)


def test_one_in_the_name_of_another_is_forged_and_counts_for_nobody() -> None:
    messages = taken(sketch.switch("1  server > client_a  A  by=client_b  entered"))
    assert list(messages.found()) == []
    (forged,) = messages.forged()
    assert (forged.host, forged.address, forged.frames) == ("client_b", sketch.HOSTS["server"], 1)


def test_a_router_counts_its_hops_down() -> None:
    """The router's ports see the packet with another TTL: it is the same one, sent once and arrived once."""
    packet = sketch.echo(sketch.HOSTS["client_a"], sketch.HOSTS["server"], b"abc")
    behind = packet[:8] + bytes([63]) + packet[9:]
    frames = [
        (1, sketch.framed(packet, interface=sketch.PORTS["client_a"])),
        (2, sketch.framed(packet, interface=sketch.PORTS["client_b"], leaving=True)),
        (3, sketch.framed(behind, interface=sketch.PORTS["client_b"])),
        (4, sketch.framed(behind, interface=sketch.PORTS["server"], leaving=True)),
    ]
    router = CapturePoint(VANTAGE.hosts, VANTAGE.ports, honest=VANTAGE.honest - {sketch.PORTS["client_b"]})
    messages = IcmpMessages(router)
    list(Reader(io.BytesIO(sketch.pcap(frames)), None, messages.hear))
    (one,) = messages.found()
    assert [(arrival.host, arrival.ttl) for arrival in one.arrivals] == [("server", 63)]
    assert list(messages.forged()) == []


def test_which_reply_answers_which_request() -> None:
    text = """
    0    client_a > server    Q  id=7 no=1 text=a
    1    server   > client_a  A  id=7 no=1 text=a
    10   client_a > server    Q  id=7 no=2 text=a
    11   server   > client_a  A  id=8 no=2 text=a
    12   server   > client_a  A  id=7 no=9 text=a
    13   server   > client_a  A  id=7 no=2 text=b
    14   client_b > client_a  A  id=7 no=2 text=a
    15   server   > client_a  A  id=7 no=2 text=a wrong
    20   client_a > server    Q  id=7 no=3 entered
    21   server   > client_a  A  id=7 no=3
    30   client_a > server    Q  id=7 no=4 wrong
    31   server   > client_a  A  id=7 no=4
    40   server   > client_a  A  id=7 no=5
    41   client_a > server    Q  id=7 no=5
    """
    messages = found(text)
    answered = answers(messages)
    assert [
        (one.seq, answered[key].seq) for one in messages if (key := (one.capture, one.at.frame)) in answered
    ] == [(1, 1)]


def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.wire.icmp.MOST_MESSAGES", 6)
    text = "\n".join(f"{number}  client_a > server  Q  no={number}" for number in range(1, 6))
    messages = taken(sketch.switch(text))
    assert [one.seq for one in messages.found()] == [1, 2, 3, 4]
    assert messages.let_go == {"client_a": 1}
