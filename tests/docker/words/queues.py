"""Handshakes, the queues of a listener, and what is sent again because nothing answers."""

from __future__ import annotations

from tests.docker.words.play import Play, Row
from tests.docker.words.servers import ACCEPTS_NOBODY, CLIENT, CLOSES

TWICE = "until ss -Htno state %s | grep -q '(on,[^,]*,[1-9]'; do sleep 0.1; done"
"""A command that ends when a socket in a state has sent a segment again (ss(8), -o)."""


def handshakes() -> Play:
    def listener(word: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"listener.{word}", f"listener: {{host: '@', {rest}}}", right, wrong, told)

    def address(which: str, right: str, wrong: str, told: str) -> Row:
        return listener("address", f"port: 7000, address: {which}", right, wrong, told)

    return Play(
        "A handshake and the queues it goes through",
        ("a", "b", "roomy", "crowded", "pending", "x", "y", "z", "local", "own", "elsewhere"),
        {
            "client": CLIENT,
            "roomy": ACCEPTS_NOBODY,
            "crowded": """
import socket, sys
listener = socket.create_server(('', 7000), backlog=0)
sys.stdin.readline()
""",
            "pending": CLOSES,
            "meets": """
import socket, sys
end = socket.socket()
end.bind(('', 7000))
end.connect((sys.argv[1], 7000))
print('called', flush=True)
sys.stdin.readline()
""",
            "z": CLOSES,
            "local": """
import socket, sys
listener = socket.create_server(('127.0.0.1', 7000))
sys.stdin.readline()
""",
            "own": """
import socket, sys
listener = socket.create_server((sys.argv[1], 7000))
sys.stdin.readline()
""",
            "elsewhere": """
import socket, sys
listener = socket.create_server(('', 7001))
sys.stdin.readline()
""",
        },
        f"""
- roomy: {{start: roomy}}
- a: [{{start: client, args: roomy, as: one}}, {{wait: {{state: ESTABLISHED, peer: roomy}}}}]
- b: [{{start: client, args: roomy, as: one}}, {{wait: {{state: ESTABLISHED, peer: roomy}}}}]
- roomy: [{{wait: {{state: ESTABLISHED, peer: a}}}}, {{wait: {{state: ESTABLISHED, peer: b}}}}]
- crowded: {{start: crowded}}
- a: {{start: client, args: crowded, as: two}}
- crowded: {{wait: {{state: ESTABLISHED, peer: a}}}}
- b: [{{start: client, args: crowded, as: two}}, {{run: "{TWICE % "syn-sent"}"}}]
- pending: {{start: pending}}
- z: {{start: z}}
- x: {{hold: syn, to: y}}
- x: [{{start: meets, args: y}}, {{wait: {{state: SYN_SENT, peer: y}}}}]
- y: {{start: meets, args: x}}
- x: [{{wait: {{state: SYN_RECEIVED, peer: y}}}}, {{release: syn}}, {{expect: called}}]
- y: {{expect: called}}
- x: {{hold: ack, to: pending}}
- x: {{start: client, args: pending, as: pending}}
- pending: {{wait: {{state: SYN_RECEIVED, peer: x}}}}
- x: {{release: ack}}
- pending: {{wait: {{state: ESTABLISHED, peer: x}}}}
- x: [{{start: client, args: z, as: z}}]
- x.z: {{expect: called}}
- local: {{start: local}}
- own: {{start: own, args: "${{own.address}}"}}
- elsewhere: {{start: elsewhere}}
""",
        (
            Row(
                "connection.handshake=no_reply",
                'connection: {from: b, to: "@:7000"}, handshake: no_reply',
                "crowded", "roomy", "the handshake was completed",
            ),
            Row(
                "connection.handshake=simultaneous",
                'connection: {from: x, to: "@:7000"}, handshake: simultaneous',
                "y", "z", "the handshake was completed",
            ),
            Row(
                "connection.retransmissions.syn",
                'connection: {from: b, to: "@:7000"}, retransmissions: {syn: 0}',
                "roomy", "crowded", "nothing answered the SYN, which was sent ",
            ),
            Row(
                "connection.retransmissions.by",
                'connection: {from: b, to: "crowded:7000"}, retransmissions: {by: "@", syn: 0}',
                "crowded", "b", "nothing answered the SYN, which was sent ",
            ),
            listener("host", "port: 7000", "roomy", "a", "no program of @ ever listened"),
            listener("port", "port: 7000", "roomy", "elsewhere", "@ listens on 0.0.0.0:7001"),
            address("any", "roomy", "local", "@ listens on 127.0.0.1:7000 only: other hosts cannot reach it"),
            address("loopback", "local", "roomy", "@ listens on 0.0.0.0:7000"),
            address("'${own.address}'", "own", "roomy", "@ listens on 0.0.0.0:7000"),
            listener("backlog", "port: 7000, backlog: 5", "roomy", "crowded", "its limit is 0"),
            listener(
                "queue_max", "port: 7000, queue_max: 2",
                "roomy", "crowded", "at the fullest it was 1 finished connection waiting for accept",
            ),
            listener(
                "syn_queue_max", "port: 7000, syn_queue_max: 1",
                "pending", "roomy", "at the fullest it was 0 handshakes waiting for its last ACK",
            ),
            listener(
                "overflows", "port: 7000, overflows: 0",
                "roomy", "crowded", "found an accept queue of @ full",
            ),
        ),
        {"elsewhere": 7001, **dict.fromkeys(("roomy", "crowded", "pending", "z", "local", "own"), 7000)},
    )  # fmt: skip


def resent() -> Play:
    return Play(
        "What is sent again because it is lost",
        ("a", "heard", "lost"),
        {"client": CLIENT, "server": CLOSES},
        f"""
- heard: {{start: server}}
- a: [{{start: client, args: heard}}, {{expect: called}}, {{send: hear}}, {{expect: heard}}, {{send: close}}]
- a: [{{wait: {{exited: true}}}}, {{wait: {{state: TIME_WAIT, peer: heard}}}}]
- lost: [{{start: server}}, {{hold: data, to: a}}]
- a: [{{start: client, args: lost}}, {{expect: called}}]
- lost: [{{run: "{TWICE % "established"}"}}, {{release: data}}]
- a: [{{send: hear}}, {{expect: heard}}]
- lost: {{hold: fin, to: a}}
- a: [{{send: close}}, {{wait: {{exited: true}}}}]
- lost: [{{run: "{TWICE % "last-ack"}"}}, {{release: fin}}]
""",
        tuple(
            Row(
                f"connection.retransmissions.{word}",
                f'connection: {{from: a, to: "@:7000"}}, retransmissions: {{by: "@", {word}: 0}}',
                "heard", "lost", told,
            )
            for word, told in (("data", "with data sent again: "), ("fin", "with FIN sent again: "))
        ),
        {"server": 7000},
    )  # fmt: skip
