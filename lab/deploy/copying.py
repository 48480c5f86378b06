"""Files on their way into a host that is up, and out of it: by the host's own tools and as its own user.

What comes out is a program's to say: kinds, names and sizes are looked at here.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress

from msgspec import Struct

from lab.core.errors import EngineError, UsageError
from lab.core.escape import one_line
from lab.core.limits import MIB
from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.containers import BUSYBOX
from lab.engine.frames import STDOUT, Frames

MOST = 1024 * MIB
"""Bytes that come out of a host at most."""

_PIECE = 1 << 16
_PATIENCE_SECONDS = 60.0
"""How long nothing may move."""

_INTO = (
    'p=$1; case $p in */) p=$p$2;; esac; test -d "$p" && p=$p/$2; '
    'if test "$3" = folder; then mkdir -p -- "$p" && exec tar -xf - -C "$p"; fi; '
    'cat > "$p" && chmod "$3" -- "$p"'
)
"""Take a file, with its mode, or a tar of a folder; into a folder that is there under its own name."""

_OUT_OF = (
    'test -d "$1" && { echo folder; exec tar -cf - -C "$1" .; }; '
    'test -f "$1" && { echo file; exec cat -- "$1"; }; '
    'test -e "$1" && w="it is no file and no folder" || w="there is no such file"; '
    'echo "$w" >&2; exit 1'
)
"""Say what it is, then give the content."""


class Place(Struct, frozen=True):
    """Where a command runs: in which container and folder, and as whom (none: the host's own user)."""

    container: str
    folder: str
    user: str
    raw: bool


class Content(Struct, frozen=True):
    """What is brought: a name, and a file's bytes with its mode, or a tar of a ``folder``."""

    name: str
    kind: str
    pieces: Iterable[bytes]


def put(engine: Engine, place: Place, path: str, content: Content) -> None:
    """Bring something to a path, or into the folder that is there. UsageError if the host refuses."""
    words = _INTO, path, content.name, content.kind
    for _ in _ran(engine, place, words, content.pieces, path):
        pass


def get(engine: Engine, place: Place, path: str) -> Iterator[bytes]:
    """What lies at a path: ``b"file"`` or ``b"folder"``, then the content, or a tar of it, in pieces.

    Raises:
        UsageError: there is nothing that can be copied, or it is larger than ``MOST``.
    """
    head, size = b"", 0
    for piece in _ran(engine, place, (_OUT_OF, path), (), path):
        content = piece
        if not size:
            head += piece
            kind, line_end, content = head.partition(b"\n")
            if not line_end:
                continue
            size = len(head)
            yield kind
        size += len(content)
        if size > MOST:
            raise UsageError("too-large", f"it is larger than {MOST // MIB} MiB", where=path)
        yield content


def _ran(
    engine: Engine, place: Place, words: tuple[str, ...], pieces: Iterable[bytes], path: str
) -> Iterator[bytes]:
    """What a script prints while it is given these pieces. UsageError with its own words if it fails."""
    script, *arguments = words
    # The shell's own tools: what the image has under these names is not asked.
    tools = "".join(f'{tool}() {{ {BUSYBOX} {tool} "$@"; }}; ' for tool in ("cat", "chmod", "mkdir", "tar"))
    script = tools + script.replace("exec ", f"exec {BUSYBOX} ")
    program = box.exec_start(
        engine, place.container, [BUSYBOX, "sh", "-c", script, "sh", *arguments],
        tty=False, workdir=place.folder, user=place.user,
    )  # fmt: skip
    trouble = b""
    with closing(program.stream.socket) as connection:
        for pipe, piece in _moved(connection, program.stream.early, pieces):
            if pipe == STDOUT:
                yield piece
            else:
                trouble = (trouble + piece)[-_PIECE:]
    if status := _status(engine, program.id):
        why = (
            one_line(trouble.decode(errors="replace").strip().rpartition(": ")[2]) or f"exit status {status}"
        )
        raise UsageError("copy", f"it cannot be copied: {why}", where=path)


def _moved(connection: socket.socket, early: bytes, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Send the pieces, and give what comes meanwhile, until the other end has done."""
    frames, outgoing = Frames(), _Outgoing(connection, pieces)
    yield from frames.feed(early)
    while True:
        sending = [connection] if outgoing.pending() else []
        ready, free, _ = select.select([connection], sending, [], _PATIENCE_SECONDS)
        if not ready and not free:
            raise EngineError("copy-slow", f"nothing has moved for {_PATIENCE_SECONDS:g} s", fix="lab doctor")
        if free:
            outgoing.send()
        if ready:
            data = _received(connection)
            if not data:
                return
            yield from frames.feed(data)


def _received(connection: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return connection.recv(_PIECE)
    return b""


class _Outgoing:
    """Pieces on their way; a host that takes no more of them says why on the other way."""

    def __init__(self, connection: socket.socket, pieces: Iterable[bytes]) -> None:
        self._connection = connection
        self._pieces = iter(pieces)
        self._piece = b""
        self._open = True

    def pending(self) -> bool:
        """Whether there is anything to send; the end is told."""
        if self._open and not self._piece:
            self._piece = next(self._pieces, b"")
            if not self._piece:
                self._open = False
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)
        return self._open

    def send(self) -> None:
        """Send what goes at once."""
        try:
            self._piece = self._piece[self._connection.send(self._piece) :]
        except BlockingIOError:
            return
        except OSError:
            self._open = False


def _status(engine: Engine, program: str) -> int:
    """How it ended; the engine may know a moment after its output has."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (state := box.exec_status(engine, program)).running and time.monotonic() < deadline:
        time.sleep(0.01)
    return state.status or 0
