"""A terminal or pipes joined to a program in a host; the program's end is a socket of ours."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import ICANON, TIOCSWINSZ, tcgetattr

import pytest

CHECKOUT = Path(__file__).parents[2]
_PATIENCE = 60.0

_JOIN = """
import socket, sys
from lab.run import terminal
from lab.engine.containers import Stream
own = socket.socket(fileno=int(sys.argv[1]))
own.settimeout(0)
"""
_PIPES = _JOIN + "terminal.join_pipes(Stream(own, b''))"
_TERMINAL = _JOIN + "terminal.join_terminal(Stream(own, b'early'), lambda *size: own.send(b'<%d %d>' % size))"


def _frame(pipe: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", pipe, len(data)) + data


def _joined(
    code: str, theirs: socket.socket, stdin: int, out: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """A process that joins its streams to the socket, which is its own from now on."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=stdin,
        stdout=out,
        stderr=out,
    )
    theirs.close()
    return process


@pytest.fixture
def program() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The program's end of a connection, and the end that the process is given."""
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE)
    with ours, theirs:
        yield ours, theirs


def _all(connection: socket.socket) -> bytes:
    """Everything up to the end of input."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_pipes_carry_input_to_its_end_and_both_outputs(program: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = program
    with _joined(_PIPES, theirs, subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"typed\xff" * 10_000)
        process.stdin.close()
        process.stdin = None
        assert _all(ours) == b"typed\xff" * 10_000
        ours.sendall(_frame(1, b"out\x00") + _frame(2, b"err") + _frame(1, b"more")[:9])
        ours.sendall(_frame(1, b"more")[9:])
        ours.close()
        assert process.communicate(timeout=_PATIENCE) == (b"out\x00more", b"err")
    assert process.returncode == 0


def test_a_program_that_ends_does_not_wait_for_input(program: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = program
    with _joined(_PIPES, theirs, subprocess.PIPE) as process:
        ours.close()
        assert process.wait(_PATIENCE) == 0


def test_input_may_be_a_file(program: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    ours, theirs = program
    (tmp_path / "input").write_bytes(b"from a file")
    with (tmp_path / "input").open("rb") as file, _joined(_PIPES, theirs, file.fileno()) as process:
        assert _all(ours) == b"from a file"
        ours.close()
        assert process.wait(_PATIENCE) == 0


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal of 33 rows and 101 columns, and the program they are joined to."""

    process: subprocess.Popen[bytes]
    terminal: int
    slave: int
    program: socket.socket

    def hears(self, words: bytes) -> bool:
        """Whether the program hears this."""
        heard = b""
        while words not in heard:
            more = self.program.recv(65536)
            assert more, "the program's end is closed"
            heard += more
        return True

    def sees(self, words: bytes) -> bool:
        """Whether the terminal shows this."""
        shown = b""
        while words not in shown:
            assert select.select([self.terminal], [], [], _PATIENCE)[0]
            shown += os.read(self.terminal, 65536)
        return True

    def resize(self, rows: int, columns: int) -> None:
        ioctl(self.slave, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def raw(self) -> bool:
        return not tcgetattr(self.slave)[3] & ICANON


@pytest.fixture
def person(program: tuple[socket.socket, socket.socket]) -> Iterator[Person]:
    ours, theirs = program
    terminal, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    with _joined(_TERMINAL, theirs, slave, slave) as process:
        yield Person(process, terminal, slave, ours)
        process.kill()
    os.close(terminal)
    os.close(slave)


def test_every_key_goes_to_the_program(person: Person) -> None:
    assert person.hears(b"<33 101>")
    assert person.sees(b"early")
    assert person.raw
    os.write(person.terminal, b"ls\r\x03\x04")
    assert person.hears(b"ls\r\x03\x04")
    person.program.sendall(b"\x1b[1mbold\xff")
    assert person.sees(b"\x1b[1mbold\xff")


def test_the_window_may_change(person: Person) -> None:
    assert person.hears(b"<33 101>")
    person.resize(20, 60)
    person.process.send_signal(signal.SIGWINCH)
    assert person.hears(b"<20 60>")


def test_the_terminal_is_put_back_at_the_end(person: Person) -> None:
    assert person.hears(b"<33 101>")
    person.program.close()
    assert person.process.wait(_PATIENCE) == 0
    assert not person.raw


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_put_back_by_a_signal(person: Person, number: signal.Signals) -> None:
    assert person.hears(b"<33 101>")
    person.process.send_signal(number)
    assert person.process.wait(_PATIENCE) != 0
    assert not person.raw
