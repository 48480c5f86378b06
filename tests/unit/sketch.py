"""Captures written down: a few readable lines become the bytes of a real capture file.

::

    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    1    client_a > server  P. 5

A line is a time in milliseconds, a sender, a receiver, flags as tcpdump writes them (``S`` SYN, ``F`` FIN,
``R`` RST, ``P`` PSH, ``.`` ACK), the payload's length, and words: ``again`` repeats the sender's last
segment, ``crossing`` acknowledges only what it did before, ``entered`` and ``left`` let the frame be seen at
one port only (both: at none), ``icmp=HOST:TYPE.CODE`` has a host say 1 ms later that it did not pass it on, ``.MTU`` behind it gives that,
``by=HOST`` is the host that sends it in the name of the sender, ``seq+N`` moves the number, ``full`` says that there is no room left. A port may follow a host: ``client_a:40001``. Sequence
numbers follow by themselves. In place of the length ``text=...`` or ``hex=...`` gives the payload.

The flags ``U`` make a UDP datagram, of a payload likewise; ``Q`` and ``A`` an echo
request and its reply, with ``id=N`` and ``no=N`` (the sequence number), ``ttl=N`` where it arrives, and
``wrong`` for a wrong checksum.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

HOSTS = {"server": "192.168.153.128", "client_a": "192.168.153.129", "client_b": "192.168.153.130"}
PORTS = {"server": 2, "client_a": 3, "client_b": 4}
"""The interfaces of the switch, and who is behind each."""

EPOCH = 1_700_000_000_000_000_000
ETHERNET, RAW, COOKED, COOKED2, LOOPBACK = 1, 101, 113, 276, 0
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16}
DELAY = 10_000
"""ns from where a frame enters the switch to where it leaves."""


@dataclass
class _Speaker:
    """What one end of a connection has sent and acknowledges."""

    next: int
    begin: int = 0
    acknowledges: int = 0
    last: tuple[int, int] = (0, 0)


@dataclass
class Script:
    """Turns lines into frames; ``isn`` sets a host's first sequence number."""

    hosts: Mapping[str, str] = field(default_factory=lambda: HOSTS)
    isn: Mapping[str, int] = field(default_factory=dict)
    _ends: dict[tuple[str, str], _Speaker] = field(default_factory=dict)

    def frames(self, text: str) -> Iterator[tuple[int, str, str, bytes, set[str]]]:
        """Time, sender, receiver, IP packet and words of each line."""
        for line in filter(None, map(str.strip, text.splitlines())):
            time, source, _, target, flags, *rest = line.split()
            length = int(rest.pop(0)) if rest and rest[0].isdigit() else 0
            source, target = _with_port(source), _with_port(target)
            packet = self._packet(source, target, flags, length, set(rest))
            at = EPOCH + round(float(time) * 1_000_000)
            yield at, source.partition(":")[0], target.partition(":")[0], packet, set(rest)

    def _end(self, source: str, target: str) -> _Speaker:
        first = self.isn.get(source.partition(":")[0], 1000 * (len(self._ends) + 1))
        return self._ends.setdefault((source, target), _Speaker(first))

    def _packet(self, source: str, target: str, flags: str, length: int, words: set[str]) -> bytes:
        payload = _payload(words) or b"x" * length
        if flags == "U":
            datagram = udp((int(source.partition(":")[2]), int(target.partition(":")[2])), payload)
            here, there = (self.hosts[end.partition(":")[0]] for end in (source, target))
            return ip(here, there, datagram, protocol=17)
        if flags in {"Q", "A"}:
            given = dict(word.split("=") for word in words if "=" in word)
            here, there = (self.hosts[end.partition(":")[0]] for end in (source, target))
            numbers = int(given.get("id", 1)), int(given.get("no", 1))
            text = given.get("text", "").encode() or b"x" * length
            packet = echo(here, there, text, reply=flags == "A", numbers=numbers, wrong="wrong" in words)
            return packet[:8] + bytes([int(given.get("ttl", 64))]) + packet[9:] if ":" not in here else packet
        bits = sum(BITS[letter] for letter in flags)
        me, peer = self._end(source, target), self._end(target, source)
        if bits & BITS["S"] and "again" not in words:
            me.begin = me.next
        seq, length = me.last if "again" in words else (me.next, len(payload))
        seq += sum(int(word[3:]) for word in words if word.startswith("seq"))
        if "crossing" not in words:
            me.acknowledges = peer.next
        if "again" not in words and not bits & BITS["R"]:
            me.last = (seq, length)
            me.next = seq + length + bool(bits & BITS["S"]) + bool(bits & BITS["F"])
        ack = me.acknowledges if bits & BITS["."] else 0
        ports = int(source.partition(":")[2]), int(target.partition(":")[2])
        payload = payload.ljust(length, b"x")
        segment = tcp(ports, seq, ack, bits, payload, window=0 if "full" in words else 64240)
        return ip(self.hosts[source.partition(":")[0]], self.hosts[target.partition(":")[0]], segment)


def _payload(words: set[str]) -> bytes:
    given = dict(word.split("=", 1) for word in words if "=" in word)
    return given["text"].encode() if "text" in given else bytes.fromhex(given.get("hex", ""))


def _with_port(end: str) -> str:
    return end if ":" in end else f"{end}:{19999 if end == 'server' else 40000}"


def tcp(
    ports: tuple[int, int],
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    options: bytes = b"",
    window: int = 64240,
) -> bytes:
    """A TCP segment; its checksum is a number that no two different segments are likely to share."""
    offset = (20 + len(options)) // 4 << 4
    mark = (seq ^ ack ^ flags ^ len(payload)) & 0xFFFF
    head = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, offset, flags, window, mark, 0)
    return head + options + payload


def udp(ports: tuple[int, int], payload: bytes) -> bytes:
    """A UDP datagram."""
    return struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload


def ip(
    source: str,
    target: str,
    payload: bytes,
    *,
    options: bytes = b"",
    fragment: int = 0x4000,
    protocol: int = 6,
    ident: int = 0,
) -> bytes:
    """An IPv4 or IPv6 packet that holds TCP, or another protocol."""
    if ":" in source:
        ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    size = 20 + len(options)
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    first = 0x40 | size // 4
    return (
        struct.pack("!BBHHHBBH", first, 0, size + len(payload), ident, fragment, 64, protocol, 0)
        + ends
        + options
        + payload
    )


def checksum(data: bytes) -> int:
    """The Internet's checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def summed(source: str, target: str, message: bytes) -> bytes:
    """An ICMP or ICMPv6 message with its checksum."""
    pseudo = b""
    if ":" in source:
        ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        pseudo = ends + struct.pack("!II", len(message), 58)
    return message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]


def echo(
    source: str,
    target: str,
    payload: bytes = b"",
    *,
    reply: bool = False,
    numbers: tuple[int, int] = (1, 1),
    wrong: bool = False,
) -> bytes:
    """The packet of an echo request or its reply."""
    kind = (129 if reply else 128) if ":" in source else (0 if reply else 8)
    message = summed(source, target, struct.pack("!BBHHH", kind, 0, 0, *numbers) + payload)
    if wrong:
        message = message[:2] + bytes([message[2] ^ 1]) + message[3:]
    return ip(source, target, message, protocol=58 if ":" in source else 1)


def icmp(source: str, target: str, about: bytes, *, kind: int, code: int, mtu: int = 0) -> bytes:
    """The packet of an ICMP error about another packet, of which the header and 8 bytes are quoted."""
    if ":" in source:
        message = struct.pack("!BBHI", kind, code, 0, mtu) + about[:48]
        return ip(source, target, summed(source, target, message), protocol=58)
    message = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + about[:28]
    return ip(source, target, summed(source, target, message), protocol=1)


def framed(packet: bytes, link: int = COOKED2, interface: int = 0, *, leaving: bool = False) -> bytes:
    """A packet in a link layer's frame."""
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    heads = {
        ETHERNET: b"\x02" * 12 + struct.pack("!H", kind),
        RAW: b"",
        COOKED: struct.pack("!HHH8sH", 4 * leaving, 1, 6, b"", kind),
        COOKED2: struct.pack("!HHIHBB8s", kind, 0, interface, 1, 4 if leaving else 3, 6, b""),
        LOOPBACK: struct.pack("<I", 2 if kind == 0x0800 else 10),
    }
    return heads[link] + packet


def pcap(
    frames: list[tuple[int, bytes]],
    link: int = COOKED2,
    *,
    order: str = "<",
    nano: bool = True,
    wire: int = 0,
) -> bytes:
    """A capture file of frames, each with its time in ns; each was at least ``wire`` bytes long."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for time, frame in frames:
        seconds, rest = divmod(time, 1_000_000_000)
        data += struct.pack(order + "IIII", seconds, rest // unit, len(frame), max(len(frame), wire)) + frame
    return data


def switch(text: str, *, isn: Mapping[str, int] | None = None) -> bytes:
    """The switch's capture: every frame where it enters and, a moment later, where it leaves."""
    frames = []
    for time, source, target, packet, words in Script(isn=isn or {}).frames(text):
        if "left" not in words:
            sender = next((word[3:] for word in words if word.startswith("by=")), source)
            frames.append((time, framed(packet, interface=PORTS[sender])))
        for router, kind, *more in (re.split("[:.]", word[5:]) for word in words if word.startswith("icmp=")):
            code, mtu = map(int, [*more, "0"][:2])
            said = icmp(HOSTS[router], HOSTS[source], packet, kind=int(kind), code=code, mtu=mtu)
            frames.append((time + 1_000_000, framed(said, interface=PORTS[router])))
            frames.append((time + 1_000_000 + DELAY, framed(said, interface=PORTS[source], leaving=True)))
        if "entered" not in words:
            frames.append((time + DELAY, framed(packet, interface=PORTS[target], leaving=True)))
    return pcap(sorted(frames, key=lambda frame: frame[0]))


def single(
    text: str, link: int = ETHERNET, *, hosts: Mapping[str, str] = HOSTS, isn: Mapping[str, int] | None = None
) -> bytes:
    """A capture at one place: every frame once."""
    frames = [(time, framed(packet, link)) for time, _, _, packet, _ in Script(hosts, isn or {}).frames(text)]
    return pcap(frames, link)
