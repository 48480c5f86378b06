"""Captures of every kind of trouble, made at random, as tshark (two passes) reads them and as this project does.

What differs is told where it is allowed for.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.wire.tcp import Connection
from tests.unit import sketch
from tests.unit.wire.test_packets_tshark import FIELDS, flows, needs_tshark, ours, tshark

__all__ = ["needs_tshark"]

SEEDS = range(8)
Frame = tuple[int, bytes]


class Talk:
    """One connection between two ends, packet by packet; ``isn`` may be close to where numbers wrap."""

    def __init__(self, chance: random.Random, port: int) -> None:
        self.chance = chance
        self.frames: list[Frame] = []
        self.time = sketch.EPOCH + port * 1_000_000
        self.ends = "10.0.0.1", "10.0.0.2"
        self.ports = port, 19999
        self.seq = [self._isn(), self._isn()]
        self.acked = [0, 0]

    def _isn(self) -> int:
        return self.chance.choice([self.chance.randrange(2**32), 2**32 - self.chance.randrange(1, 3000)])

    def say(
        self, me: int, flags: int, length: int = 0, *, wait: int = 1_000_000, seq: int | None = None
    ) -> None:
        """A segment from end ``me``; one that is sent again has its old ``seq``."""
        self.time += wait
        ports = (self.ports[me], self.ports[1 - me])
        at = self.seq[me] if seq is None else seq
        ack = self.seq[1 - me] if flags & 16 else 0
        packet = sketch.ip(
            self.ends[me], self.ends[1 - me], sketch.tcp(ports, at, ack % 2**32, flags, b"x" * length)
        )
        self.frames.append((self.time, sketch.framed(packet, sketch.ETHERNET)))
        if seq is None:
            self.seq[me] = (at + length + bool(flags & 3)) % 2**32

    def whole(self) -> list[Frame]:
        """A handshake, data both ways, a close of some kind."""
        self.say(0, 2)
        self.say(1, 18)
        self.say(0, 16)
        for _ in range(self.chance.randrange(1, 10)):
            me = self.chance.randrange(2)
            for _ in range(self.chance.randrange(1, 4)):
                self.say(me, 24, self.chance.randrange(1, 1400), wait=500_000)
            self.say(1 - me, 16)
        self._close()
        return self.frames

    def _close(self) -> None:
        kind, me = self.chance.randrange(4), self.chance.randrange(2)
        if kind == 0:
            return
        if kind == 1:
            self.say(me, 20)
            return
        self.say(me, 17, self.chance.choice([0, 7]))
        if kind == 2:
            self.say(1 - me, 16)
        self.say(1 - me, 17)
        self.say(me, 16)


def talks(seed: int, count: int = 12) -> list[list[Frame]]:
    chance = random.Random(seed)
    return [Talk(chance, 40000 + seed * count + number).whole() for number in range(count)]


def unharmed(frames: list[Frame], _: random.Random) -> list[Frame]:
    return frames


def without_the_beginning(frames: list[Frame], chance: random.Random) -> list[Frame]:
    return frames[chance.randrange(1, len(frames)) :]


def without_the_end(frames: list[Frame], chance: random.Random) -> list[Frame]:
    return frames[: chance.randrange(1, len(frames))]


def one_sided(frames: list[Frame], chance: random.Random) -> list[Frame]:
    side = frames[chance.randrange(2)][1][26:30]
    return [frame for frame in frames if frame[1][26:30] == side]


def with_losses(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """The handshake stays; of the rest some frames are not in the capture."""
    return frames[:3] + [frame for frame in frames[3:] if chance.random() > 0.2]


def resent(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """Some frames come a second time, long after the first."""
    found = []
    late = 0
    for time, frame in frames:
        found.append((time + late, frame))
        if chance.random() < 0.3 and struct.unpack("!H", frame[16:18])[0] > 40:
            late += 300_000_000
            found.append((time + late, frame))
    return found


def overtaken(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """Some of two segments with data that follow each other are in the other order."""
    times, packets = [time for time, _ in frames], [packet for _, packet in frames]
    at = 3
    while at < len(packets) - 1:
        both = packets[at : at + 2]
        if (
            both[0][26:30] == both[1][26:30]
            and all(_is_data(packet) for packet in both)
            and chance.random() < 0.5
        ):
            packets[at : at + 2] = reversed(both)
            at += 1
        at += 1
    return list(zip(times, packets, strict=True))


def _is_data(packet: bytes) -> bool:
    return packet[47] == 24


HARMS = [unharmed, without_the_beginning, without_the_end, one_sided, with_losses, resent, overtaken]


def capture(path: Path, harm: Callable[[list[Frame], random.Random], list[Frame]]) -> Path:
    frames = []
    for seed in SEEDS:
        chance = random.Random(1000 + seed)
        frames += [frame for talk in talks(seed) for frame in harm(talk, chance)]
    path.write_bytes(sketch.pcap(sorted(frames, key=lambda frame: frame[0]), sketch.ETHERNET))
    return path


ANALYSIS = "tcp.completeness", "tcp.analysis.retransmission", "tcp.analysis.out_of_order"


@pytest.mark.parametrize("harm", HARMS)
def test_every_segment_and_connection(tmp_path: Path, harm: Callable[..., list[Frame]]) -> None:
    path = capture(tmp_path / "random.pcap", harm)
    told = tshark(path, *FIELDS, *ANALYSIS)
    assert list(ours(path)) == [row[: len(FIELDS)] for row in told]
    rows = [row[len(FIELDS) - 1 :] for row in told]  # from tcp.stream on
    length = Counter(int(stream) for stream, *_ in rows)
    last = {int(stream): int(bits) for stream, bits, _, _ in rows}
    again = Counter(int(stream) for stream, _, flag, _ in rows if flag)
    late = Counter(int(stream) for stream, _, _, flag in rows if flag)
    found = flows(path).connections()
    assert len(found) == len(last)
    for number, connection in enumerate(found):
        if length[number] > 1:  # of a stream of one segment tshark says 0, whatever that is
            own = completeness(connection)
            # An ACK that came with data only is none to tshark.
            assert {own, own & ~4} >= {last[number], last[number] & ~4}, connection
        assert sum(side.reordered for side in connection.sides) == late[number], connection
        assert sent_again(connection) == again[number], connection


def completeness(connection: Connection) -> int:
    """The bits that tshark sets: SYN 1, SYN-ACK 2, ACK 4, data 8, FIN 16, RST 32."""
    client, server = connection.sides
    seen = (
        client.syn,
        server.syn,
        client.ack or server.ack,
        client.heard or server.heard,
        client.fin or server.fin,
        client.reset or server.reset,
    )
    return sum(bool(one) << bit for bit, one in enumerate(seen))


def sent_again(connection: Connection) -> int:
    """Segments that were sent again, whatever they hold."""
    return sum(sum(side.retransmissions) for side in connection.sides)
