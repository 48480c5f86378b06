"""The reader and the flows against tshark, on real captures and on random ones."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wire.packets import ACK, SYN, FourTuple, Reader, Segment
from lab.wire.tcp import CapturePoint, Flows
from tests.unit import sketch
from tests.unit.wire.test_captures_hostile import OPTIONS, pieces6
from tests.unit.wire.tunnelled import ethernet, segment, tunnels

CAPTURES = Path(__file__).parents[1] / "captures"
RUNS = Path(__file__).parents[2] / "golden" / "runs"
REAL = [*sorted(CAPTURES.glob("*.pcap")), *sorted(RUNS.glob("*/*.pcap"))]
FIELDS = ("frame.number", "tcp.flags", "tcp.seq", "tcp.ack", "tcp.len", "tcp.seq_raw", "tcp.stream")


@pytest.fixture(autouse=True)
def needs_tshark() -> None:
    """Without tshark a laptop skips; where LAB_REQUIRE_DOCKER=1 the test fails."""
    if shutil.which("tshark") is None:
        if os.environ.get("LAB_REQUIRE_DOCKER") == "1":
            pytest.fail("LAB_REQUIRE_DOCKER=1, but tshark is not installed", pytrace=False)
        pytest.skip("tshark is not installed")


def tshark(path: Path, *fields: str) -> list[tuple[str, ...]]:
    """The fields of every TCP segment, in two passes."""
    wanted = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-2", "-n", "-r", str(path), "-Y", "tcp", "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def ours(path: Path) -> Iterator[tuple[str, ...]]:
    """The same fields as this project reads them."""
    streams: dict[FourTuple, int] = {}
    isn: dict[FourTuple, int] = {}
    with path.open("rb") as stream:
        for segment in Reader(stream):
            _count(segment, streams, isn)
            seq = (segment.seq - isn[segment.flow]) % 2**32
            ack = (segment.ack - isn.get(segment.flow.reverse, 0)) % 2**32 if segment.flags & ACK else 0
            numbers = seq, ack, segment.length, segment.seq, streams[segment.flow]
            yield str(segment.frame), f"0x{segment.flags:04x}", *map(str, numbers)


def _count(segment: Segment, streams: dict[FourTuple, int], isn: dict[FourTuple, int]) -> None:
    if segment.flags & SYN and isn.get(segment.flow) != segment.seq:
        isn[segment.flow] = segment.seq
        if not segment.flags & ACK:
            streams.pop(segment.flow, None)
    if segment.flow not in streams:
        streams[segment.flow] = streams[segment.flow.reverse] = max(streams.values(), default=-1) + 1
    # A direction that has no SYN (an RST that refuses, a capture that began late) counts from 1 in tshark, from
    # what was first sent or first acknowledged.
    isn.setdefault(segment.flow, segment.seq - 1)
    if segment.flags & ACK:
        isn.setdefault(segment.flow.reverse, segment.ack - 1)


def flows(path: Path) -> Flows:
    found = Flows(CapturePoint())
    with path.open("rb") as stream:
        for segment in Reader(stream):
            found.add(segment)
    return found


def conversation(chance: random.Random, port: int) -> str:
    """A random connection: data both ways, some of it sent again, and a close or none."""
    client, lines, now = f"client_a:{port}", [], 0.0

    def say(source: str, target: str, what: str) -> None:
        nonlocal now
        now += chance.choice((0.1, 1.0, 300.0))
        lines.append(f"{now} {source} > {target} {what}")

    say(client, "server", "S")
    say("server", client, "S.")
    say(client, "server", ".")
    for _ in range(chance.randrange(12)):
        me, peer = chance.sample([client, "server"], 2)
        say(me, peer, f"P. {chance.randrange(1, 1400)}")
        if chance.random() < 0.3:
            say(me, peer, "P. again")
        if chance.random() < 0.7:
            say(peer, me, ".")
    first, second = chance.sample([client, "server"], 2)
    close = chance.randrange(4)
    if close == 3:
        say(first, second, "R.")
    if close in {1, 2}:
        say(first, second, "F.")
        say(second, first, ".")
    if close == 2:
        say(second, first, "F.")
        say(first, second, ".")
    return "\n".join(lines)


@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_captures(path: Path) -> None:
    told = tshark(path, *FIELDS)
    assert list(ours(path)) == told
    streams = {row[FIELDS.index("tcp.stream")] for row in told}
    assert len(flows(path).connections()) == len(streams)


def test_headers_of_every_kind(tmp_path: Path) -> None:
    """VLAN tags, one in another, IPv4 options, IPv6 extension headers, fragments."""
    segment = sketch.tcp((4000, 5000), 7, 9, ACK, b"x" * 60)
    packet = sketch.ip("10.0.0.1", "10.0.0.2", segment)
    tags = bytes.fromhex("88a8 0001 8100 0002 0800")
    extended = bytearray(
        sketch.ip("fd00::1", "fd00::2", bytes([60]) + bytes(7) + bytes([6]) + bytes(7) + segment)
    )
    extended[6] = 0
    frames = [
        bytes(12) + tags + packet,
        sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", segment, options=b"\x01" * 8), sketch.ETHERNET),
        sketch.framed(bytes(extended), sketch.ETHERNET),
        sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", segment[:40], fragment=0x2000), sketch.ETHERNET),
        sketch.framed(sketch.ip("10.0.0.1", "10.0.0.2", segment[40:], fragment=5), sketch.ETHERNET),
    ]
    path = tmp_path / "headers.pcap"
    path.write_bytes(sketch.pcap([(number, frame) for number, frame in enumerate(frames)], sketch.ETHERNET))
    told = tshark(path, *FIELDS)
    assert len(told) == 4
    assert list(ours(path)) == told


def test_tunnels_and_a_packet_longer_than_its_frame(tmp_path: Path) -> None:
    frames = [frame for _, frame in tunnels()] + [
        ethernet(sketch.ip("10.0.0.1", "10.0.0.2", segment(50))[:-20])
    ]
    path = tmp_path / "tunnels.pcap"
    path.write_bytes(sketch.pcap(list(enumerate(frames)), sketch.ETHERNET))
    fields = "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size_value"
    with path.open("rb") as stream:
        found = list(Reader(stream, deep=True))
    ours = [
        (one.flow.source_port, one.flow.target_port, one.seq, one.ack, one.length, one.window)
        for one in found
    ]
    assert len(ours) == len(frames)
    assert tshark(path, *fields) == [tuple(map(str, row)) for row in ours]


@pytest.mark.parametrize("seed", range(4))
def test_fragments_of_ipv6(tmp_path: Path, seed: int) -> None:
    """With extension headers before the fragment header, behind it, both or neither (RFC 8200, section 4.5)."""
    chance, frames = random.Random(seed), []
    for number in range(12):
        segment = sketch.tcp((4000 + number, 5000), 7, 9, ACK, bytes(chance.randrange(60, 400)))
        count = chance.randrange(3)
        chain = b"".join(bytes([60 if left else 6]) + OPTIONS[1:] for left in reversed(range(count)))
        ahead = bytes([44]) + bytes([0, 1, 4, 0, 0, 0, 0])
        parts = pieces6(
            chain + segment,
            60 if count else 6,
            8 * chance.randrange(3, 20),
            ahead=ahead * chance.randrange(2),
        )
        # Another target for each: their identifications are the same.
        frames += [sketch.framed(part[:39] + bytes([number]) + part[40:], sketch.ETHERNET) for part in parts]
    path = tmp_path / "fragments.pcap"
    path.write_bytes(sketch.pcap([(number, frame) for number, frame in enumerate(frames)], sketch.ETHERNET))
    told = tshark(path, *FIELDS)
    assert len(told) == 12
    assert list(ours(path)) == told


@pytest.mark.parametrize("seed", range(6))
def test_random_captures(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    link = chance.choice([sketch.ETHERNET, sketch.RAW, sketch.COOKED, sketch.LOOPBACK])
    text = "\n".join(conversation(chance, 40000 + number) for number in range(15))
    path = tmp_path / "random.pcap"
    isn = {"server": chance.randrange(2**32), "client_a": 2**32 - chance.randrange(3000)}
    path.write_bytes(sketch.single(text, link, isn=isn))
    assert list(ours(path)) == tshark(path, *FIELDS)
    assert len(flows(path).connections()) == 15


@pytest.mark.parametrize("seed", range(3))
def test_what_was_sent_again(tmp_path: Path, seed: int) -> None:
    """Retransmissions of data, connection by connection; tshark calls some of them fast or spurious."""
    chance = random.Random(100 + seed)
    path = tmp_path / "random.pcap"
    path.write_bytes(sketch.single("\n".join(conversation(chance, 40000 + number) for number in range(20))))
    again = [row[0] for row in tshark(path, "tcp.stream", "tcp.analysis.retransmission") if row[1]]
    for number, connection in enumerate(flows(path).connections()):
        told = sum(side.retransmissions.data for side in connection.sides)
        assert told == again.count(str(number)), connection.client.port
