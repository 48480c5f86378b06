"""Why a program's side sent RST, told by its kernel's counters although the program closed at once."""

from __future__ import annotations

from lab.checks.judging import judge
from lab.core.words import Outcome
from lab.evidence.record import is_recorded, read
from lab.output.document import verdict_as_data
from tests.docker.stage import Stage, results

CAUSES = ("unread_data", "linger0", "listener_closed", "no_listener", "late_data")

CLIENT = """
import contextlib, socket, sys
end = socket.socket()
with contextlib.suppress(OSError):
    end.connect((sys.argv[1], 7000))
    end.sendall(b'hello')
print('connected', flush=True)
sys.stdin.readline()
with contextlib.suppress(OSError):
    end.sendall(b'more')
sys.stdin.readline()
"""

UNREAD = """
import select, socket
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
select.select([end], [], [])
end.close()
"""

LINGER = """
import socket, struct
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
end.recv(5, socket.MSG_WAITALL)
end.close()
"""

LISTENER = """
import select, socket
listener = socket.create_server(('', 7000))
select.select([listener], [], [])
listener.close()
"""

LATE = """
import socket
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.recv(5, socket.MSG_WAITALL)
end.close()
"""

UNREAD_AFTER_FIN = """
import select, socket
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.shutdown(socket.SHUT_WR)
select.select([end], [], [])
end.close()
"""

PROGRAMS = {
    "unread": ("unread_data", UNREAD),
    "linger": ("linger0", LINGER),
    "listener": ("listener_closed", LISTENER),
    "late": ("late_data", LATE),
    "shutdown": ("unread_data", UNREAD_AFTER_FIN),
}
"""Hosts, the cause of their RST, and the program that makes it."""


def scenario() -> str:
    hosts = "".join(f", {host}: 10.9.7.{number}" for number, host in enumerate(PROGRAMS, 2))
    programs = "".join(f"  {host}: {{source: {host}.py, listens: 7000}}\n" for host in PROGRAMS)
    steps = "".join(
        f"- {host}: {{start: {host}}}\n"
        f"- a: {{start: client, as: {host}, args: [{host}]}}\n"
        f"- a.{host}: {{expect: connected}}\n"
        f"- {host}: {{wait: {{exited: true}}}}\n"
        f"- a.{host}: {{send: more}}\n"
        f"- a.{host}: {{send: enough}}\n"
        f"- a.{host}: {{wait: {{exited: true}}}}\n"
        for host in PROGRAMS
    )
    checks = "".join(
        f'- {{name: {host} {word}, connection: {{from: a, to: "{host}:7000"}}, '
        f"rst: {{by: {host}, cause: {word}}}}}\n"
        for host in PROGRAMS
        for word in CAUSES
    )
    return (
        "version: 1\ntitle: RSTs and their causes\nnetworks: {lan: 10.9.7.0/24}\n"
        f"hosts: {{a: 10.9.7.1{hosts}}}\nprograms:\n  client: {{source: client.py}}\n{programs}"
        f"steps:\n{steps}checks:\n{checks}"
    )


def test_programs_that_close_at_once(stage: Stage) -> None:
    files = {f"{host}.py": program for host, (_, program) in PROGRAMS.items()}
    finished = stage.play(scenario(), {**files, "client.py": CLIENT})
    told = results(finished)
    expected = {
        f"{host} {word}": Outcome.PASS if word == cause else Outcome.FAIL
        for host, (cause, _) in PROGRAMS.items()
        for word in CAUSES
    }
    assert {name: told[name].outcome for name in expected} == expected
    again = judge(read(finished.record))
    assert again == finished.verdict
    assert is_recorded(finished.record, verdict_as_data(again))
