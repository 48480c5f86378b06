"""How many bytes a second a connection has carried."""

from __future__ import annotations

from tests.docker.words.play import Play, Row

_SERVER = """
import socket, time
listener = socket.create_server(('', 7000))
while True:
    end, _ = listener.accept()
    end.recv(1)
    for _ in range({pieces}):
        end.sendall(bytes({size}))
        time.sleep({pause})
    end.close()
"""

_CLIENT = """
import socket, sys
end = socket.create_connection((sys.argv[1], 7000))
end.sendall(b'x')
while end.recv(65536):
    pass
"""


def throughput() -> Play:
    def row(key: str, bounds: str, right: str, wrong: str, told: str) -> Row:
        return Row(
            f"throughput.{key}",
            f'throughput: {{from: a, to: "@:7000", by: to, {bounds}}}',
            right,
            wrong,
            told,
        )

    return Play(
        "How many bytes a second a connection carries",
        ("a", "b", "fast", "slow"),
        {
            "client": _CLIENT,
            "fast": _SERVER.format(pieces=1, size=400_000, pause=0),
            "slow": _SERVER.format(pieces=10, size=4000, pause=0.3),
        },
        """
- fast: {start: fast}
- slow: {start: slow}
- a: [{start: client, args: fast}, {wait: {exited: true}}]
- a: [{start: client, args: fast}, {wait: {exited: true}}]
- a: [{start: client, args: slow}, {wait: {exited: true}}]
""",
        (
            row("min", "min: 80k", "fast", "slow", "40000 bytes in "),
            row("max", "max: 60000", "slow", "fast", "400000 bytes in "),
            row("to", "min: 80k", "fast", "slow", "bytes a second: 40000 bytes in "),
            row("nth", "nth: 2, min: 80k", "fast", "slow", "there was only 1"),
            Row(
                "throughput.from", 'throughput: {from: "@", to: "fast:7000", by: to, min: 80k}',
                "a", "b", "@ never sent a SYN to fast:7000",
            ),
            Row(
                "throughput.by", 'throughput: {from: a, to: "fast:7000", by: "@", max: 60000}',
                "a", "fast", "400000 bytes in ",
            ),
        ),
        {"fast": 7000, "slow": 7000},
    )  # fmt: skip
