"""The capture reader against tshark (installed): `captures.py [--packets N] [--rounds N] [--out FILE]`.

Both read the same files as whole processes: few long connections, ordinary ones of about a hundred packets,
many short ones, and a flood of SYNs that nobody answers; the ordinary and the short ones as pcapng, too; real
ones with trouble, ordinary ones over IPv6, and datagrams.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import machine
from measure import Ended, process

SYN, ACK, PSH, FIN = 2, 16, 8, 1
FIELDS = ("frame.number", "tcp.stream", "tcp.flags", "tcp.seq", "tcp.ack", "tcp.len")
_LONG = 10
"""Long connections side by side."""

_ORDINARY = 200
"""Ordinary connections that are open at once."""

_SEGMENT = 1448
_LOST = 0.002
"""How often a segment of an answer is sent again: a packet in a thousand, as on a good line."""

_PAYLOAD = b"x" * 100
_TARGET = 4
"""How many times as fast as tshark the lab is to be."""

_RECORDED = Path(__file__).parents[1] / "tests" / "unit" / "captures"
_REAL = ("slow.pcap", "keepalive.pcap", "loss.pcap", "reorder.pcap")

_SERVER = socket.inet_aton("10.200.0.1")


@dataclass(slots=True)
class Ends:
    """A connection to port 19999, and what its ends have sent. Its numbers follow from its own."""

    number: int
    client_next: int
    server_next: int

    @classmethod
    def of(cls, number: int) -> Ends:
        """The connection of that number, before its SYN."""
        return cls(number, number * 7919 % 2**32, number * 104729 % 2**32)

    def client(self, flags: int, payload: bytes = b"") -> bytes:
        """The next frame from the client."""
        address, port = struct.pack("!I", (10 << 24) + self.number // 60000 + 1), 1024 + self.number % 60000
        ack = self.server_next if flags & ACK else 0
        frame = _frame(address + _SERVER, (port, 19999), (self.client_next, ack), flags, payload)
        self.client_next = (self.client_next + len(payload) + bool(flags & (SYN | FIN))) % 2**32
        return frame

    def server(self, flags: int, payload: bytes = b"") -> bytes:
        """The next frame from the server."""
        address, port = struct.pack("!I", (10 << 24) + self.number // 60000 + 1), 1024 + self.number % 60000
        frame = _frame(_SERVER + address, (19999, port), (self.server_next, self.client_next), flags, payload)
        self.server_next = (self.server_next + len(payload) + bool(flags & (SYN | FIN))) % 2**32
        return frame


def _frame(
    addresses: bytes, ports: tuple[int, int], numbers: tuple[int, int], flags: int, payload: bytes
) -> bytes:
    """An Ethernet frame; source before target, the sequence number before the acknowledgement."""
    size = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH8s", 0x45, 0, size, 0, 0x4000, 64, 6, 0, addresses)
    tcp = struct.pack("!HHIIBBHHH", *ports, *numbers, 0x50, flags, 64240, 0, 0)
    return bytes(12) + b"\x08\x00" + ip + tcp + payload


def long(packets: int) -> Iterator[bytes]:
    """Few connections that each say a lot."""
    every = [Ends.of(number) for number in range(1, _LONG + 1)]
    for ends in every:
        yield from (ends.client(SYN), ends.server(SYN | ACK), ends.client(ACK))
    for turn in range(packets // 2 - 2 * _LONG):
        ends = every[turn % _LONG]
        yield from (ends.client(PSH | ACK, _PAYLOAD), ends.server(ACK))


def ordinary(packets: int) -> Iterator[bytes]:
    """Connections of about a hundred packets, many at once: questions, answers of some segments, a close."""
    chance = random.Random(1)  # noqa: S311 - the same capture each time
    talks = [_talk(number, chance) for number in range(1, _ORDINARY + 1)]
    number, made = _ORDINARY, 0
    while made < packets:
        turn = chance.randrange(_ORDINARY)
        frame = next(talks[turn], None)
        if frame is None:
            number += 1
            talks[turn] = _talk(number, chance)
        else:
            made += 1
            yield frame


def _talk(number: int, chance: random.Random) -> Iterator[bytes]:
    """One of them: every other segment of an answer is acknowledged by itself, and a few are sent again."""
    ends = Ends.of(number)
    yield from (ends.client(SYN), ends.server(SYN | ACK), ends.client(ACK))
    for _ in range(chance.randrange(8, 17)):
        yield ends.client(PSH | ACK, b"x" * chance.randrange(50, 500))
        for place in range(chance.randrange(1, 8)):
            yield (last := ends.server(ACK, b"x" * chance.choice([_SEGMENT, chance.randrange(1, _SEGMENT)])))
            if chance.random() < _LOST:
                yield last
            if place % 2:
                yield ends.client(ACK)
        yield ends.client(ACK)
    yield from (ends.client(FIN | ACK), ends.server(FIN | ACK), ends.client(ACK))


def short(packets: int) -> Iterator[bytes]:
    """Many connections: handshake, a question, an answer, an orderly close."""
    for number in range(1, packets // 9 + 1):
        ends = Ends.of(number)
        yield from (ends.client(SYN), ends.server(SYN | ACK), ends.client(ACK))
        yield from (ends.client(PSH | ACK, _PAYLOAD), ends.server(ACK), ends.server(PSH | ACK, _PAYLOAD))
        yield from (ends.client(FIN | ACK), ends.server(FIN | ACK), ends.client(ACK))


def flood(packets: int) -> Iterator[bytes]:
    """SYNs that nobody answers, each from another port."""
    return (Ends.of(number).client(SYN) for number in range(packets))


def _pcap(frames: Iterator[bytes]) -> Iterator[bytes]:
    """A frame each microsecond."""
    yield struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
    for number, frame in enumerate(frames):
        at = 1_700_000_000 + number // 1_000_000, number * 1000 % 1_000_000_000
        yield struct.pack("<IIII", *at, len(frame), len(frame)) + frame


def _pcapng(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The same as dumpcap writes it: one interface, no options in a packet's block."""
    yield _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    yield _block(1, struct.pack("<HHIHHB3xHH", 1, 0, 262144, 9, 1, 9, 0, 0))
    for number, frame in enumerate(frames):
        at = 1_700_000_000_000_000_000 + number * 1000
        head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
        yield _block(6, head + frame + bytes(-len(frame) % 4))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _write(path: Path, parts: Iterator[bytes]) -> None:
    with path.open("wb") as stream:
        stream.writelines(parts)


def real(packets: int) -> Iterator[bytes]:
    """What Linux did with a slow reader, losses and reordering, again and again between other hosts."""
    made = turn = 0
    while made < packets:
        for name in _REAL:
            turn += 1
            data, at = (_RECORDED / name).read_bytes(), 24
            while at < len(data):
                _, _, captured, wire = struct.unpack_from("<IIII", data, at)
                frame = bytearray(data[at + 16 : at + 16 + captured])
                frame[26:29] = frame[30:33] = bytes((10, turn >> 8 & 255, turn & 255))
                at, made = at + 16 + captured, made + 1
                yield bytes(frame) + bytes(wire - captured)


def ordinary6(packets: int) -> Iterator[bytes]:
    """The ordinary ones over IPv6."""
    for frame in ordinary(packets):
        ends = (b"\xfd" + bytes(11) + frame[at : at + 4] for at in (26, 30))
        head = struct.pack("!IHBB", 6 << 28, len(frame) - 34, 6, 64)
        yield bytes(12) + b"\x86\xdd" + head + b"".join(ends) + frame[34:]


def datagrams(packets: int) -> Iterator[bytes]:
    """Questions to a server and their answers over UDP, each from another port, as with DNS."""
    chance = random.Random(2)  # noqa: S311 - the same capture each time
    for number in range(packets // 2):
        client = struct.pack("!I", (10 << 24) + number % 500 + 1)
        ports = 20000 + number // 500 % 40000, 5300
        yield _datagram(client + _SERVER, ports, 40)
        yield _datagram(_SERVER + client, ports[::-1], chance.randrange(60, 500))


def _datagram(addresses: bytes, ports: tuple[int, int], size: int) -> bytes:
    ip = struct.pack("!BBHHHBBH8s", 0x45, 0, 28 + size, 0, 0x4000, 64, 17, 0, addresses)
    return bytes(12) + b"\x08\x00" + ip + struct.pack("!HHHH", *ports, 8 + size, 0) + bytes(size)


CAPTURES: Sequence[
    tuple[str, Callable[[int], Iterator[bytes]], Callable[[Iterator[bytes]], Iterator[bytes]]]
] = (
    ("few, long", long, _pcap),
    ("ordinary", ordinary, _pcap),
    ("many, short", short, _pcap),
    ("flood", flood, _pcap),
    ("ordinary, ng", ordinary, _pcapng),
    ("short, ng", short, _pcapng),
    ("real", real, _pcap),
    ("ordinary, v6", ordinary6, _pcap),
    ("datagrams", datagrams, _pcap),
)


def _tshark(path: Path) -> list[str]:
    return ["tshark", "-2", "-n", "-r", str(path), "-T", "fields", *(w for f in FIELDS for w in ("-e", f))]


def _own(path: Path) -> list[str]:
    return [sys.executable, "-m", "lab", "analyze", str(path), "--json"]


def _compared(name: str, path: Path, packets: int, rounds: int) -> Iterator[str]:
    pairs = [(process(_tshark(path)), process(_own(path))) for _ in range(rounds)]
    ratio = median(theirs.cpu / own.cpu for theirs, own in pairs)
    for who, ended in zip(("tshark -2 -T fields", "lab analyze"), zip(*pairs, strict=True), strict=True):
        yield _line(name, who, packets, ended)
    kept = "kept" if ratio >= _TARGET else "MISSED"
    yield f"{name:<12} {'ratio':<20} {ratio:>9.1f}  (at least {_TARGET}: {kept})"


def _line(name: str, who: str, packets: int, ended: Sequence[Ended]) -> str:
    speed, peak = packets / median(one.cpu for one in ended), median(one.peak for one in ended)
    return f"{name:<12} {who:<20} {speed:>9.0f} packets/s  {peak:>6.0f} MiB"


def _report(packets: int, rounds: int, folder: Path) -> Iterator[str]:
    conditions = ("frames", f"{packets} in each capture"), ("load", f"{os.getloadavg()[0]:.1f}")
    yield from (f"{what:<14} {value}" for what, value in (*machine.itself(), *conditions))
    path = folder / "capture.pcap"
    for name, made, form in CAPTURES:
        _write(path, form(made(packets)))
        yield from _compared(name, path, packets, rounds)


def main() -> None:
    """Measure, print, and write the same into a file where one is named."""
    parser = argparse.ArgumentParser(description="The capture reader against tshark.")
    parser.add_argument("--packets", type=int, default=1_000_000, help="frames of each capture")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of which the median counts")
    parser.add_argument("--out", type=Path, help="write the report into this file, too")
    words = parser.parse_args()
    if shutil.which("tshark") is None:
        raise SystemExit("tshark is not installed")
    with tempfile.TemporaryDirectory(prefix="tcp-lab-bench-") as folder:
        lines = []
        for line in _report(words.packets, words.rounds, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    if words.out:
        words.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
