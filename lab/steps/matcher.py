"""Regular expressions that are matched beside the loop: one that backtracks for ever holds up nothing.

The language has Python's expressions, with lookahead and back references, which no engine of linear time has.
So each search is made in a process (:mod:`lab.steps.matching`) that is killed if it is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from lab.steps.screen import Match, Screen

_SCRIPT = Path(__file__).with_name("matching.py")
_CHUNK = 1 << 16

_REACH = 64 * 1024
"""Characters that an expression is tried on: a bound on what a hostile output can make it cost."""


class MatchError(Exception):
    """An expression that cannot be matched, and why; nothing if the process that matches it has ended."""

    def __init__(self, what: str = "") -> None:
        super().__init__(what)
        self.what = what


class _Worker(Struct, frozen=True):
    process: subprocess.Popen[bytes]
    connection: socket.socket

    @classmethod
    def start(cls) -> _Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            command = [sys.executable, "-I", "-S", str(_SCRIPT)]
            # In a session of its own: ^C is for the lab, which ends it.
            process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return cls(process, ours)

    async def ask(self, request: bytes) -> bytes:
        """Its answer to a request; not a whole line if it has ended."""
        loop, said = asyncio.get_running_loop(), bytearray()
        with contextlib.suppress(ConnectionError):
            await loop.sock_sendall(self.connection, request)
            while not said.endswith(b"\n") and (chunk := await loop.sock_recv(self.connection, _CHUNK)):
                said += chunk
        return bytes(said)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


class Matcher:
    """Has expressions matched, several at once if need be; a process is started when there is no idle one."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []

    async def search(self, expression: str, screen: Screen) -> Match | None:
        """The first match in what a screen has not consumed. MatchError if there can be none."""
        text, start, ended = screen.rest, screen.start, screen.ended
        found = await self._ask({"expression": expression, "text": text, "start": max(0, len(text) - _REACH)})
        if found is None:
            return None
        if "error" in found:
            raise MatchError(found["error"])
        return Match(start + found["end"], found["groups"], open=found["end"] == len(text) and not ended)

    def close(self) -> None:
        """End the processes that are left."""
        while self._idle:
            self._idle.pop().end()

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        worker = self._idle.pop() if self._idle else _Worker.start()
        answer = b""
        try:
            answer = await worker.ask(json.dumps(request).encode() + b"\n")
        finally:
            if answer.endswith(b"\n"):
                self._idle.append(worker)
            else:
                worker.end()
        if not answer.endswith(b"\n"):
            raise MatchError
        found: dict[str, Any] | None = json.loads(answer)
        return found
