"""A person's terminal, or a pipe, joined to a program in a host.

Waits on descriptors only. On a terminal every key goes to the program as it is (raw mode, termios(3)),
and the terminal is put back whatever happens.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

from lab.engine.containers import Stream
from lab.engine.frames import STDERR, Frames
from lab.run.interruption import Interruption

_PIECE = 65536
_STDIN, _STDOUT, _STDERR = 0, 1, 2

Resize = Callable[[int, int], None]
"""Told the rows and columns of the terminal."""


def join_terminal(stream: Stream, resize: Resize) -> None:
    """Join this process's terminal to a program's; returns when the program lets go of it."""
    with _raw(_STDIN), Interruption(), _window_changes() as changed:
        _tell_size(resize)
        relay = _Relay(stream, lambda data: _write_all(_STDOUT, data))
        relay.run({changed: lambda: _drain_and_tell(changed, resize)})


def join_pipes(stream: Stream) -> None:
    """Join this process's standard streams to a program's pipes; returns when the program lets go of them.

    Raises:
        BrokenPipeError: whoever read standard output has gone.
    """
    frames = Frames()

    def give(data: bytes) -> None:
        for pipe, piece in frames.feed(data):
            _write_all(_STDERR if pipe == STDERR else _STDOUT, piece)

    _Relay(stream, give).run({})


def at_terminal() -> bool:
    """True if a person types here and reads here."""
    return os.isatty(_STDIN) and os.isatty(_STDOUT)


class _Relay:
    """Copies both ways until the program's side ends. At most one piece waits to be sent."""

    def __init__(self, stream: Stream, give: Callable[[bytes], None]) -> None:
        self._socket = stream.socket
        self._early = stream.early
        self._give = give
        self._waiting = b""
        self._input_open = True

    def run(self, others: dict[int, Callable[[], None]]) -> None:
        """Copy; ``others`` are further descriptors, and what to do when one can be read."""
        self._give(self._early)
        while True:
            reading: list[int | socket.socket] = [self._socket, *others]
            if self._input_open and not self._waiting:
                reading.append(_STDIN)
            ready, writable, _ = select.select(reading, [self._socket] if self._waiting else [], [])
            if _STDIN in ready:
                self._take_input()
            for descriptor in ready:
                if descriptor in others:
                    others[descriptor]()
            if writable:
                self._send()
            if self._socket in ready and not self._receive():
                return

    def _take_input(self) -> None:
        try:
            self._waiting = os.read(_STDIN, _PIECE)
        except OSError:  # a closed or vanished terminal is an ended input
            self._waiting = b""
        if not self._waiting:
            self._input_open = False
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            self._waiting = self._waiting[self._socket.send(self._waiting) :]
        except BlockingIOError:
            return
        except OSError:  # the program has gone; what it printed is still read to its end
            self._waiting = b""
            self._input_open = False

    def _receive(self) -> bool:
        """Pass on what the program printed; False if that was the end."""
        try:
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self._give(data)
        return bool(data)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """The terminal in raw mode, and back."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _window_changes() -> Iterator[int]:
    """A descriptor that can be read when the terminal's window has changed."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def changed(*_: Any) -> None:
        with contextlib.suppress(BlockingIOError):  # one unread byte says as much as many
            os.write(writer, b"\0")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reader)
        os.close(writer)


def _drain_and_tell(descriptor: int, resize: Resize) -> None:
    os.read(descriptor, _PIECE)
    _tell_size(resize)


def _tell_size(resize: Resize) -> None:
    size = os.get_terminal_size(_STDOUT)
    if size.lines and size.columns:
        resize(size.lines, size.columns)
