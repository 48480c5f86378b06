"""How a connection ends: closes, RSTs and the states on the way."""

from __future__ import annotations

from tests.docker.words.play import Play, Row
from tests.docker.words.servers import CLIENT, CLOSES, CLOSES_FIRST, READS_AND_STAYS


def ends() -> Play:
    def row(word: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"connection.{word}", f'connection: {{from: a, to: "@:7000"}}, {rest}', right, wrong, told)

    def state(word: str, right: str, wrong: str) -> Row:
        told = f"a socket of a to @ never was in {word}"
        return Row(f"state.state={word}", f"state: {{host: a, peer: '@', state: {word}}}", right, wrong, told)

    def cause(word: str, right: str, wrong: str, told: str) -> Row:
        return row(f"rst.cause={word}", f"rst: {{by: '@', cause: {word}}}", right, wrong, told)

    return Play(
        "How a connection ends",
        (
            "a", "b", "orderly", "half", "crossed", "first", "stays", "unread", "linger", "listener", "late",
            "nobody", "elsewhere",
        ),
        {
            "client": CLIENT,
            "orderly": CLOSES,
            "half": """
import socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
while end.recv(100):
    pass
end.sendall(b'not hello')
end.close()
""",
            "crossed": """
import socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.recv(5, socket.MSG_WAITALL)
sys.stdin.readline()
end.close()
sys.stdin.readline()
""",
            "first": CLOSES_FIRST,
            "stays": READS_AND_STAYS,
            "unread": """
import select, socket
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
select.select([end], [], [])
end.close()
""",
            "linger": """
import socket, struct
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
end.recv(5, socket.MSG_WAITALL)
end.close()
""",
            "listener": """
import select, socket
listener = socket.create_server(('', 7000))
select.select([listener], [], [])
listener.close()
""",
            "late": CLOSES_FIRST,
            "nobody": """
import socket, sys
end = socket.socket()
end.bind(('', 7000))
print('bound', flush=True)
sys.stdin.readline()
""",
            "elsewhere": """
import socket
listener = socket.create_server(('', 7001))
listener.accept()[0].recv(100)
""",
        },
        """
- orderly: {start: orderly}
- repeat:
    times: 2
    steps:
    - a: [{start: client, args: orderly}, {expect: called}, {send: hear}, {expect: heard}, {send: close}]
    - a: [{wait: {exited: true}}, {wait: {state: TIME_WAIT, peer: orderly}}]
- half: {start: half}
- a: [{start: client, args: half}, {expect: called}, {send: shut}, {send: hear}, {expect: heard}]
- a: [{send: close}, {wait: {exited: true}}]
- crossed: [{start: crossed}, {hold: fin, to: a}]
- a: [{start: client, args: crossed}, {expect: called}]
- crossed: [{send: close}, {wait: {state: FIN_WAIT_1, peer: a}}]
- a: [{send: close}, {wait: {exited: true}}]
- crossed: [{wait: {state: CLOSING, peer: a}}, {release: fin}, {wait: {state: TIME_WAIT, peer: a}}]
- first: {start: first}
- a: [{start: client, args: first}, {expect: called}]
- first: {wait: {exited: true}}
- a: [{wait: {state: CLOSE_WAIT, peer: first}}, {send: close}, {wait: {exited: true}}]
- first: {wait: {state: TIME_WAIT, peer: a}}
- stays: {start: stays}
- a: [{start: client, args: stays}, {expect: called}, {send: close}, {wait: {exited: true}}]
- stays: [{expect: read all}, {wait: {state: CLOSE_WAIT}}]
- unread: {start: unread}
- a: [{start: client, args: unread}, {expect: called}]
- unread: {wait: {exited: true}}
- a: [{send: close}, {wait: {exited: true}}]
- linger: {start: linger}
- a: [{start: client, args: linger}, {expect: called}]
- linger: {wait: {exited: true}}
- a: [{send: close}, {wait: {exited: true}}]
- listener: {start: listener}
- a: [{start: client, args: listener}, {expect: called}]
- listener: {wait: {exited: true}}
- a: [{send: close}, {wait: {exited: true}}]
- late: {start: late}
- a: [{start: client, args: late}, {expect: called}]
- late: {wait: {exited: true}}
- a: [{send: say}, {send: close}, {wait: {exited: true}}]
- nobody: [{start: nobody}, {expect: bound}]
- a: [{start: client, args: nobody}, {expect: called}, {send: close}, {wait: {exited: true}}]
- elsewhere: {start: elsewhere}
- b: [{start: client, args: [elsewhere, "7001"]}, {expect: called}, {send: close}, {wait: {exited: true}}]
""",
        (
            row("to", "handshake: complete", "orderly", "elsewhere", "a never sent a SYN to elsewhere:7000"),
            Row(
                "connection.from",
                'connection: {from: "@", to: "orderly:7000"}, handshake: complete',
                "a", "b", "b never sent a SYN to orderly:7000",
            ),
            Row(
                "connection.nth",
                'connection: {from: a, to: "@:7000", nth: 2}, handshake: complete',
                "orderly", "half", "there was only 1",
            ),
            row("handshake=complete", "handshake: complete", "orderly", "nobody", "@ refused: RST answers the SYN"),
            row("handshake=refused", "handshake: refused", "nobody", "orderly", "the handshake was completed"),
            row("close.kind=orderly", "close: orderly", "orderly", "half", "@ sent new data after the FIN of a"),
            row("close.kind=half_close", "close: half_close", "half", "orderly", "FIN from a, then from @, each"),
            row("close.kind=simultaneous", "close: simultaneous", "crossed", "first", "FIN from @, then from a"),
            row("close.kind=reset", "close: reset", "unread", "orderly", "FIN from a, then from @, each"),
            row("close.kind=still_open", "close: still_open", "stays", "orderly", "FIN from a, then from @, each"),
            row("close.active", "close: {active: a}", "orderly", "first", "@ closed first"),
            row("fin", "fin: [a, '@']", "orderly", "first", "FIN from @ and a"),
            row("rst=none", "rst: none", "orderly", "unread", "RST from @"),
            row("rst.by", "rst: {by: '@'}", "unread", "orderly", "no RST"),
            cause("unread_data", "unread", "linger", "linger 0 (SO_LINGER), says its kernel, for all was read"),
            cause("linger0", "linger", "unread", "closed with data unread"),
            cause("listener_closed", "listener", "unread", "closed with data unread"),
            cause("late_data", "late", "linger", "its program closed with"),
            cause("no_listener", "nobody", "late", "something arrived after it had closed"),
            row("bytes", "bytes: {'@': 5}", "orderly", "half", "9 bytes from @"),
            row(
                "states", "states: {'@': [SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED]}",
                "orderly", "stays", "@ went through SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT: it never left",
            ),
            row("time_wait", "time_wait: a", "orderly", "first", "@ closed first, so TIME_WAIT is there"),
            Row("connections.to", 'connections: {to: "@:7000", count: ">=1"}', "orderly", "nobody", "0 connections"),
            Row(
                "connections.from",
                'connections: {from: "@", to: "orderly:7000", count: ">=1"}', "a", "b", "0 connections",
            ),
            Row("connections.count", 'connections: {to: "@:7000", count: 2}', "orderly", "half", "1 connection"),
            state("FIN_WAIT_1", "orderly", "first"),
            state("FIN_WAIT_2", "orderly", "first"),
            state("TIME_WAIT", "orderly", "first"),
            state("CLOSE_WAIT", "first", "orderly"),
            state("LAST_ACK", "first", "orderly"),
            state("ESTABLISHED", "orderly", "nobody"),
            Row(
                "state.state=LISTEN", "state: {host: '@', state: LISTEN}",
                "orderly", "nobody", "a socket of @ never was in LISTEN",
            ),
            Row(
                "state.state=SYN_SENT", "state: {host: '@', state: SYN_SENT}",
                "a", "orderly", "a socket of @ never was in SYN_SENT",
            ),
            Row(
                "state.state=SYN_RECEIVED", "state: {host: '@', state: SYN_RECEIVED}",
                "orderly", "nobody", "a socket of @ never was in SYN_RECEIVED",
            ),
            Row(
                "state.state=CLOSING", "state: {host: '@', state: CLOSING}",
                "crossed", "first", "a socket of @ never was in CLOSING",
            ),
            Row(
                "state.host", "state: {host: '@', state: TIME_WAIT}",
                "first", "orderly", "a socket of @ never was in TIME_WAIT",
            ),
            Row(
                "state.peer", "state: {host: a, peer: '@', state: TIME_WAIT}",
                "orderly", "first", "a socket of a to @ never was in TIME_WAIT",
            ),
            Row(
                "state.observed=true", "state: {host: '@', state: CLOSE_WAIT, observed: true}",
                "stays", "first", "a socket of @ never was in CLOSE_WAIT",
            ),
            Row(
                "state.observed=false", "state: {host: '@', state: CLOSE_WAIT, observed: false}",
                "first", "stays", "a socket of @ was in CLOSE_WAIT",
            ),
        ),
        {
            "elsewhere": 7001,
            **dict.fromkeys(
                ("orderly", "half", "crossed", "first", "stays", "unread", "linger", "listener", "late"), 7000
            ),
        },
    )  # fmt: skip
