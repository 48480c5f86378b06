"""The CLI's end of the conversation with the agent in the sidecar."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from lab.engine.containers import Stream
from lab.engine.frames import STDOUT, Frames
from lab.errors import EngineError

_LONGEST_MESSAGE = 1 << 24
_TROUBLE_KEPT = 4096

Listener = Callable[[dict[str, Any]], None]


class Agent(asyncio.Protocol):
    """Asks the agent and hears its events.

    Every request may be under way beside others; a request that is given up is cancelled at the agent, too.
    """

    def __init__(self, on_event: Listener) -> None:
        self._listeners = [on_event]
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._frames = Frames()
        self._line = bytearray()
        self._trouble = b""
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()

    @classmethod
    async def connect(cls, stream: Stream, on_event: Listener) -> Agent:
        """Speak with the agent over the stream of its container, which need not have started yet."""
        loop = asyncio.get_running_loop()
        agent = cls(on_event)
        await loop.create_connection(lambda: agent, sock=stream.socket)
        if stream.early:
            agent.data_received(stream.early)
        return agent

    async def ask(self, op: str, **words: Any) -> Any:
        """The agent's answer to a request. EngineError if it refuses, fails, or is gone."""
        if self._ended.is_set() or self._transport is None:
            raise self._gone()
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "op": op, **words})
        try:
            return await future
        except asyncio.CancelledError:
            if self._asked.pop(number, None) and not self._ended.is_set():
                self._send({"id": next(self._numbers), "op": "cancel", "request": number})
            raise

    def tell(self, listener: Listener) -> None:
        """Somebody else hears the events, too."""
        self._listeners.append(listener)

    @contextlib.asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """What is done inside ends with an EngineError, in a group, as soon as the agent is gone."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._until_gone())
            yield
            watch.cancel()

    async def _until_gone(self) -> None:
        await self._ended.wait()
        raise self._gone()

    def close(self) -> None:
        """Let go: the agent hears the end of its input."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # --- asyncio's side ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, with the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what came: messages on its stdout, complaints on its stderr."""
        for pipe, piece in self._frames.feed(data):
            if pipe == STDOUT:
                self._take(piece)
            else:
                self._trouble = (self._trouble + piece)[-_TROUBLE_KEPT:]

    def connection_lost(self, _: Exception | None) -> None:
        """The agent is gone: nobody waits for it any longer."""
        self._ended.set()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(self._gone())
        self._asked.clear()

    def _take(self, piece: bytes) -> None:
        self._line += piece
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        if len(rest) > _LONGEST_MESSAGE:
            self.close()
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if "event" in message:
            for listener in self._listeners:
                listener(message)
            return
        future = self._asked.pop(message["id"], None)
        if future is None or future.done():
            return
        if "error" in message:
            what = f"the lab's sidecar could not do its work: {message['error']}"
            future.set_exception(EngineError("sidecar", what, fix="lab doctor"))
        else:
            future.set_result(message["ok"])

    def _send(self, message: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.write(json.dumps(message).encode() + b"\n")

    def _gone(self) -> EngineError:
        said = self._trouble.decode(errors="replace").strip()
        what = "the lab's sidecar has ended" + (f": {said.splitlines()[-1]}" if said else "")
        return EngineError("sidecar-gone", what, fix="lab doctor tells whether this engine can run it")
