"""CLOSE_WAIT: how long it lasts, how it ends, and why it does not."""

from __future__ import annotations

from tests.docker.words.play import Play, Row
from tests.docker.words.servers import ACCEPTS_NOBODY, CLIENT, CLOSES, CLOSES_FIRST, READS_AND_STAYS


def close_wait() -> Play:
    def row(word: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"close_wait.{word}", f"close_wait: {{host: '@', {rest}}}", right, wrong, told)

    def blame(word: str, right: str, told: str) -> Row:
        wrong = "deaf" if word == "not_closed" else "stays"
        return row(f"blame={word}", f"blame: {word}", right, wrong, told)

    def owner(word: str, right: str, wrong: str) -> Row:
        told = "a socket of @ never was in CLOSE_WAIT, held by "
        rest = f"state: {{host: '@', state: CLOSE_WAIT, owner: {word}}}"
        return Row(f"state.owner={word}", rest, right, wrong, told)

    return Play(
        "The peer has closed, and this side has not",
        ("a", "b", "prompt", "slow", "stays", "deaf", "dozes", "shut", "first"),
        {
            "client": CLIENT,
            "prompt": CLOSES,
            "slow": READS_AND_STAYS,
            "stays": READS_AND_STAYS,
            "deaf": """
import socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
sys.stdin.readline()
""",
            "dozes": """
import socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.recv(5, socket.MSG_WAITALL)
print('read data', flush=True)
sys.stdin.readline()
""",
            "shut": ACCEPTS_NOBODY,
            "first": CLOSES_FIRST,
        },
        """
- slow: {start: slow}
- a: [{start: client, args: slow}, {expect: called}]
- slow: [{expect: {line: read data}}, {quiet: 100ms}, {wait: {state: ESTABLISHED}}]   # before the FIN comes
- a: [{send: close}, {wait: {exited: true}}]
- slow: {expect: read all}
- stays: {start: stays}
- a: [{start: client, args: stays}, {expect: called}]
- stays: [{expect: {line: read data}}, {quiet: 100ms}, {wait: {state: ESTABLISHED}}]
- a: [{send: close}, {wait: {exited: true}}]
- stays: {expect: read all}
- deaf: {start: deaf}
- a: [{start: client, args: deaf}, {expect: called}, {send: close}, {wait: {exited: true}}]
- deaf: [{wait: {state: CLOSE_WAIT}}, {wait: {asleep_in: read}}]
- dozes: {start: dozes}
- a: [{start: client, args: dozes}, {expect: called}]
- dozes: [{expect: read data}, {wait: {state: ESTABLISHED}}]   # the kernel takes a FIN with data before it
- a: [{send: close}, {wait: {exited: true}}]
- dozes: [{wait: {state: CLOSE_WAIT}}, {wait: {asleep_in: read}}]
- shut: {start: shut}
- a: [{start: client, args: shut}, {expect: called}, {send: close}, {wait: {exited: true}}]
- shut: {wait: {state: CLOSE_WAIT}}
- first: {start: first}
- a: [{start: client, args: first}, {expect: called}]
- first: {wait: {exited: true}}
- a: [{send: close}, {wait: {exited: true}}]
- first: {wait: {state: TIME_WAIT}}
- b: [{start: client, args: stays, as: one}, {wait: {state: ESTABLISHED, peer: stays}}]   # and does not close
- b: [{start: client, args: deaf, as: two}, {wait: {state: ESTABLISHED, peer: deaf}}]
- b: [{start: client, args: dozes, as: three}, {wait: {state: ESTABLISHED, peer: dozes}}]
- b: [{start: client, args: shut, as: four}, {wait: {state: ESTABLISHED, peer: shut}}]
- slow: [{quiet: 1500ms}, {send: enough}]
- a: {wait: {state: TIME_WAIT, peer: slow}}
- prompt: {start: prompt}
- a: [{start: client, args: prompt}, {expect: called}, {send: hear}, {expect: heard}, {send: close}]
- a: [{wait: {exited: true}}, {wait: {state: TIME_WAIT, peer: prompt}}]
""",
        (
            row("host", "left: true", "prompt", "first", "@ never was in CLOSE_WAIT"),
            Row(
                "close_wait.peer",
                "close_wait: {host: stays, peer: '@', left: false}",
                "a", "b", "stays never was in CLOSE_WAIT after the FIN of b",
            ),
            Row(
                "close_wait.port",
                "close_wait: {host: stays, port: @, left: false}",
                "7000", "7001", "stays never was in CLOSE_WAIT",
            ),
            Row(
                "state.port",
                "state: {host: stays, state: CLOSE_WAIT, port: @}",
                "7000", "7001", "a socket of stays on port 7001 never was in CLOSE_WAIT; its sockets were seen in",
            ),
            row("observed=true", "observed: true", "stays", "first", "@ never was in CLOSE_WAIT"),
            row("observed=false", "observed: false", "first", "stays", "@ (peer a) never left CLOSE_WAIT"),
            row("dwell.min", "dwell: {min: 1s}", "slow", "prompt", "@ (peer a) was in CLOSE_WAIT for "),
            row("dwell.max", "dwell: {max: 1s}", "prompt", "slow", "@ (peer a) was in CLOSE_WAIT for "),
            row("left=true", "left: true", "prompt", "stays", "@ (peer a) never left CLOSE_WAIT"),
            row("left=false", "left: false", "stays", "prompt", "until its own FIN"),
            row("eof_read=true", "eof_read: true", "stays", "deaf", "5 bytes were never read, nor the end after"),
            row("eof_read=false", "eof_read: false", "deaf", "stays", "recv gave 0; "),
            blame("not_accepted", "shut", "has read the whole input and not closed"),
            blame("unread_data", "deaf", "has read the whole input and not closed"),
            blame("eof_not_read", "dozes", "has read the whole input and not closed"),
            blame("not_closed", "stays", "5 bytes were never read, nor the end after them"),
            owner("none", "shut", "stays"),
            owner("process", "stays", "shut"),
        ),
        dict.fromkeys(("prompt", "slow", "stays", "deaf", "dozes", "shut", "first"), 7000),
    )  # fmt: skip
