"""Random connections in which windows close, ends probe each other, and ACKs are repeated or come late."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.unit import sketch
from tests.unit.wire.test_tshark import Frame, Talk

OPTIONS = ("", "020405b4", "020405b401030301", "020405b401030303", "020405b4010303020402080a0000000100000000")
WINDOWS = (0, 0, 300, 1000, 64240)


class Windows(Talk):
    """A connection whose ends announce windows of their own."""

    def __init__(self, chance: random.Random, port: int) -> None:
        super().__init__(chance, port)
        self.window = [chance.choice((64240, 1000, 300, 65535)) for _ in self.ends]
        self.options = [bytes.fromhex(chance.choice(OPTIONS)) for _ in self.ends]

    def say(
        self,
        me: int,
        flags: int,
        length: int = 0,
        *,
        wait: int = 1_000_000,
        seq: int | None = None,
        behind: int = 0,
    ) -> None:
        """As before; what it acknowledges lies so many bytes ``behind``."""
        self.time += wait
        at = self.seq[me] if seq is None else seq
        segment = sketch.tcp(
            (self.ports[me], self.ports[1 - me]),
            at,
            (self.seq[1 - me] - behind) % 2**32 if flags & 16 else 0,
            flags,
            b"x" * length,
            options=_padded(self.options[me]) if flags & 2 else b"",
            window=self.window[me],
        )
        frame = sketch.framed(sketch.ip(self.ends[me], self.ends[1 - me], segment), sketch.ETHERNET)
        self.frames.append((self.time, frame))
        if seq is None:
            self.seq[me] = (at + length + bool(flags & 3)) % 2**32

    def whole(self) -> list[Frame]:
        """A handshake, anything, a close of some kind."""
        for me, flags in ((0, 2), (1, 18), (0, 16)):
            self.say(me, flags)
        for _ in range(self.chance.randrange(5, 25)):
            self._anything(self.chance.randrange(2))
        self._close()
        return self.frames

    def _anything(self, me: int) -> None:
        chance = self.chance
        match chance.randrange(8):
            case 0 | 1 | 2:
                self.say(me, 24, chance.choice((1, 1, 100, 300, 600, 1000, 1200)))
            case 3:
                self.window[me] = chance.choice(WINDOWS)
                self.say(me, 16)
            case 4:  # a keep-alive, of one byte or none
                self.say(me, 16, chance.randrange(2), seq=(self.seq[me] - 1) % 2**32)
            case 5:
                for _ in range(chance.randrange(1, 4)):
                    self.say(me, 16)
            case 6:  # an ACK that comes late
                self.say(me, 16, behind=chance.choice((0, 1, 100)))
            case _ if self.window[1 - me]:
                self.say(me, 24, 10)
            case _:  # a zero window probe
                self.say(me, 16, 1, seq=self.seq[me])


def _padded(options: bytes) -> bytes:
    return options + b"\x01" * (-len(options) % 4)


def capture(
    path: Path, harm: Callable[[list[Frame], random.Random], list[Frame]], *, count: int = 80
) -> Path:
    """So many of them, each harmed."""
    frames: list[Frame] = []
    for number in range(count):
        chance = random.Random(number)
        frames += harm(Windows(chance, 20000 + number).whole(), chance)
    path.write_bytes(sketch.pcap(sorted(frames, key=lambda frame: frame[0]), sketch.ETHERNET))
    return path
