"""Captures of a lab that is up, heard while they go on: by ``lab capture`` and ``lab watch``."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import EngineError
from lab.engine.frames import STDOUT, Frames

if TYPE_CHECKING:
    from lab.deploy.visit import Visit
    from lab.engine.containers import Exec

_OUTPUT = 1
_PIECE = 1 << 16
_READY = b"listening on"
"""What tcpdump says when it has begun."""

_DROPPED = re.compile(rb"(\d+) packets? dropped by kernel")
_ENDING_SECONDS = 2.0
_ASKING_SECONDS = 1.0
"""How long nothing comes until the engine is asked whether the lab is still there."""

_Pieces = list[tuple[int, bytes]]


class _CaptureStream:
    """One capture."""

    def __init__(self, program: Exec) -> None:
        self.program = program
        self.connection = program.stream.socket
        self.said = b""
        """What its tcpdump said last."""
        self._frames = Frames()

    def take(self, data: bytes) -> bytes:
        """The bytes of the capture in what came."""
        piece = b""
        for pipe, part in self._frames.feed(data):
            if pipe == STDOUT:
                piece += part
            else:
                self.said = (self.said + part)[-_PIECE:]
        return piece

    def read(self) -> bytes | None:
        """The same of what is there to be read; None at the end."""
        try:
            data = self.connection.recv(_PIECE)
        except ConnectionError:
            return None
        return self.take(data) if data else None

    def end(self) -> bytes:
        """Have tcpdump end, and hear its last words; what it still had captured."""
        rest = bytearray()
        with self.connection, suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_ENDING_SECONDS)
            while (piece := self.read()) is not None:
                rest += piece
        return bytes(rest)


class CaptureStreams:
    """Several captures, each known by its place. ``ended`` is true once one has ended by itself."""

    def __init__(self, visit: Visit, programs: Sequence[Exec]) -> None:
        self._visit = visit
        self._streams = [_CaptureStream(program) for program in programs]
        self._early: _Pieces = [
            (place, stream.take(stream.program.stream.early)) for place, stream in enumerate(self._streams)
        ]
        self._places = {stream.connection.fileno(): place for place, stream in enumerate(self._streams)}
        self._waiting = select.poll()
        for number in self._places:
            self._waiting.register(number, select.POLLIN)
        self._waiting.register(_OUTPUT, 0)  # it tells of a reader that has gone though nothing is written
        self._heard = time.monotonic()
        self.ended = False

    @property
    def dropped(self) -> int:
        """How many packets were missed, as tcpdump tells it at its end."""
        found = [_DROPPED.search(stream.said) for stream in self._streams]
        return sum(int(one[1]) for one in found if one)

    def begin(self) -> None:
        """Return when all that is sent from now on is captured. EngineError if that does not come."""
        while not all(_READY in stream.said for stream in self._streams):
            self._early += self._hear(_ASKING_SECONDS)
            if self.ended:
                said = b" ".join(stream.said for stream in self._streams).decode(errors="replace").strip()
                raise EngineError("sidecar", f"the lab's sidecar cannot capture: {said}", fix="lab ps")

    def receive(self, seconds: float) -> _Pieces:
        """What comes next, and nothing if that takes longer. BrokenPipeError if nobody reads our output."""
        early, self._early = self._early, []
        return early or self._hear(seconds)

    def _hear(self, seconds: float) -> _Pieces:
        ready = dict(self._waiting.poll(1000 * max(0.0, seconds)))
        if _OUTPUT in ready:
            raise BrokenPipeError
        if ready:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard >= _ASKING_SECONDS:
            self._heard = time.monotonic()
            self.ended = not all(self._visit.runs(stream.program) for stream in self._streams)
        heard = [(self._places[number], self._streams[self._places[number]].read()) for number in ready]
        self.ended |= any(piece is None for _, piece in heard)
        return [(place, piece) for place, piece in heard if piece]

    def end(self) -> _Pieces:
        """Have all of them end, and hear how many packets they missed; what was still under way."""
        return [(place, stream.end()) for place, stream in enumerate(self._streams)]
