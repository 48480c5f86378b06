"""Whether a line has been begun on a terminal: what it takes to end the input then."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios

import pytest

from lab.steps.line import TypedLine

PIECES = [
    (),
    (b"abc",),
    (b"abc\n",),
    (b"abc\n", b"d"),
    (b"abc", b"\r"),
    (b"abc", b"\x04"),
    (b"abc", b"\x04", b"d"),
    (b"abc", b"\x03"),
    (b"abc", b"\x15"),
    (b"ab", b"\x7f"),
    (b"ab", b"\x7f\x7f\x7f"),
    (b"one two", b"\x17"),
    (b"one ", b"\x17"),
    (b"a-b ", b"\x17", b"\x17"),
    (b"\x16\x04",),
    (b"a\x16\n",),
    (b"\x11",),
]


@pytest.mark.parametrize("pieces", PIECES)
def test_a_terminal_of_this_kernel_ends_its_input(pieces: tuple[bytes, ...]) -> None:
    """Typed on a real terminal, exactly one end of the input is there for whoever reads."""
    typed = TypedLine()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    ours, theirs = pty.openpty()
    try:
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        for piece in pieces:
            typed.type(piece)
            os.write(ours, piece)
        os.write(ours, typed.end_of_input())
        ends = 0
        while select.select([theirs], [], [], 0.02)[0]:
            ends += os.read(theirs, 4096) == b""
        assert ends == 1
    finally:
        os.close(ours)
        os.close(theirs)
        signal.signal(signal.SIGINT, before)
