"""ICMP: echoes that programs send by their kernel, and an error about a datagram."""

from __future__ import annotations

from tests.docker.words.play import Play, Row

PING = """
import socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as own:
    own.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
    own.connect(("10.9.7.1", 0))
    for number in NUMBERS:
        own.send(struct.pack("!BBHHH", 8, 0, 0, 0, number) + b"ping")
        own.recv(4096)
print("done")
"""


def icmp() -> Play:
    return Play(
        "Echoes, and what is said of a datagram",
        ("server", "pinger", "lazy", "same", "near", "knocker", "caller"),
        {
            "pinger": _ping("1, 2, 3"),
            "lazy": _ping("1,"),
            "same": _ping("5, 5, 5"),
            "near": _ping("1, 2, 3", ttl=9),
        },
        """
- together:
  - [{pinger: {start: pinger}}, {pinger: {expect: done}}]
  - [{lazy: {start: lazy}}, {lazy: {expect: done}}]
  - [{same: {start: same}}, {same: {expect: done}}]
  - [{near: {start: near}}, {near: {expect: done}}]
- knocker: {connect: "udp:server:9", as: u}
- knocker.u: {type: "anybody?"}
- server: {listen: 80, as: web}
- caller: {connect: "server:80", as: c}
""",
        (
            Row("icmp.count", _of("@", "count: 3"), "pinger", "lazy", "1 message sent"),
            Row("icmp.answered.count", _of("@", "answered: 3"), "pinger", "same", "1 of 3 echo requests answered"),
            Row(
                "icmp.answered.within", _of("pinger", "answered: {count: 3, within: @}"), "2s", "0.001ms",
                "0 of 3 echo requests answered, 3 more too late",
            ),
            Row("icmp.ttl", _of("@", "ttl: 64"), "pinger", "near", "arrived with a TTL of 9; 3 of 3 are not"),
            Row("icmp.from", _of("@", "count: 3"), "pinger", "knocker", "0 messages sent"),
            Row(
                "icmp.to", 'icmp: {from: server, to: "@", type: destination-unreachable, count: 1}', "knocker", "lazy",
                "0 messages sent",
            ),
            Row("protocols.only", 'protocols: {host: "@", only: udp}', "knocker", "lazy", "it speaks icmp"),
            Row("protocols.host", 'protocols: {host: "@", only: [icmp, 17]}', "near", "caller", "it speaks tcp"),
            Row("icmp.type", 'icmp: {to: "@", type: echo-reply, count: 1}', "lazy", "knocker", "0 messages sent"),
        ),
        {},
    )  # fmt: skip


def _ping(numbers: str, *, ttl: int = 64) -> str:
    return PING.replace("TTL)", f"{ttl})").replace("NUMBERS", f"({numbers})")


def _of(sender: str, word: str) -> str:
    return f'icmp: {{from: "{sender}", to: server, type: echo-request, {word}}}'
