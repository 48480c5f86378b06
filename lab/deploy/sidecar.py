"""The CLI's end of the conversation with the agent in the sidecar."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

from lab.agent import protocol
from lab.agent.protocol import Event, Misheard, Request
from lab.core.errors import EngineError
from lab.deploy.health import not_counted
from lab.engine.containers import Stream
from lab.engine.frames import STDOUT, Frames

ANSWER_SECONDS = 30.0
"""How long the agent may take for a request that waits for no program."""

_LONGEST_MESSAGE = 1 << 24
_TROUBLE_KEPT = 4096

A = TypeVar("A")

Listener = Callable[[Event | Misheard], None]
Loss = Callable[[EngineError], None]


def _nobody(_: EngineError) -> None:
    """Need not hear that the agent is lost: whoever asks it next is told."""


class Agent(asyncio.Protocol):
    """Asks the agent and hears its events.

    Every request may be under way beside others; a request that is given up is cancelled at the agent, too.
    ``on_loss`` is told once if the agent is lost before it is let go.
    """

    def __init__(self, on_event: Listener, on_loss: Loss = _nobody) -> None:
        self._listeners = [on_event]
        self._on_loss = on_loss
        self._prompt = 0
        """Requests under way that wait for no program."""
        self._nonsense = ""
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[type[Request[Any]], asyncio.Future[Any]]] = {}
        self._frames = Frames()
        self._line = bytearray()
        self._trouble = b""
        self._transport: asyncio.Transport | None = None
        self._ended = False

    @classmethod
    async def connect(cls, stream: Stream, on_event: Listener, on_loss: Loss = _nobody) -> Agent:
        """Speak with the agent over the stream of its container, which need not have started yet."""
        loop = asyncio.get_running_loop()
        agent = cls(on_event, on_loss)
        await loop.create_connection(lambda: agent, sock=stream.socket)
        if stream.early:
            agent.data_received(stream.early)
        return agent

    async def ask(self, request: Request[A], *, seconds: float = 0.0) -> A:
        """The agent's answer to a request. EngineError if it refuses, fails, is gone or takes too long.

        One that waits for what programs do may take as long as whoever asks will wait. For others ``seconds``
        are given, :data:`ANSWER_SECONDS` unless said.
        """
        seconds = seconds or ANSWER_SECONDS
        if request.waits:
            return await self._ask(request)
        self._prompt += 1
        try:
            with not_counted(f"the sidecar's answer to {request.op!r}"):
                async with asyncio.timeout(seconds):
                    return await self._ask(request)
        except TimeoutError:
            what = f"the lab's sidecar has not answered {request.op!r} for {seconds:g} s"
            raise EngineError("sidecar-silent", what, fix="lab doctor") from None
        finally:
            self._prompt -= 1

    async def answers(self) -> None:
        """Ask whether it is at work, unless it has work that it answers when that is done."""
        if not self._prompt and not self._ended:
            await self._ask(protocol.Ping())

    async def _ask(self, request: Request[A]) -> A:
        if self._ended or self._transport is None:
            raise self._gone()
        number = next(self._numbers)
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._asked[number] = type(request), future
        self._send(number, request)
        try:
            return await future
        except asyncio.CancelledError:
            if self._asked.pop(number, None) and not self._ended:
                self._send(next(self._numbers), protocol.Cancel(request=number))
            raise

    def tell(self, listener: Listener) -> None:
        """Somebody else hears the events, too."""
        self._listeners.append(listener)

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
        self._ended = True
        for _kind, future in self._asked.values():
            if not future.done():
                future.set_exception(self._gone())
        self._asked.clear()
        if self._transport is not None:  # else it was let go
            self._on_loss(self._gone())

    def _take(self, piece: bytes) -> None:
        self._line += piece
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        if len(rest) > _LONGEST_MESSAGE:
            self.close()
        for line in lines:
            self._read(bytes(line))

    def _read(self, line: bytes) -> None:
        """Take a line; after one that is no message nothing that comes can be believed."""
        event: Event | Misheard | None = None
        try:
            message = json.loads(line)
            if "event" in message:
                event = protocol.event_in(message)
            else:
                self._take_answer(message)
        except (AttributeError, LookupError, TypeError, ValueError):
            if self._transport is not None:
                self._nonsense = line[:200].decode(errors="replace")
                self._transport.abort()
        if event is not None:
            for listener in self._listeners:
                listener(event)

    def _take_answer(self, message: dict[str, Any]) -> None:
        kind, future = self._asked.get(message["id"], (None, None))
        if kind is None or future is None or future.done():
            return
        if "error" in message:
            what = f"the lab's sidecar could not do its work: {message['error']}"
            future.set_exception(EngineError("sidecar", what, fix="lab doctor"))
        else:
            future.set_result(protocol.answer_in(kind, message["ok"]))
        del self._asked[message["id"]]

    def _send(self, number: int, request: Request[Any]) -> None:
        if self._transport is not None:
            self._transport.write(protocol.encode(protocol.ask(number, request)))

    def _gone(self) -> EngineError:
        if self._nonsense:
            what = f"what the lab's sidecar said came through damaged: {self._nonsense!r}"
            return EngineError("sidecar-damaged", what, fix="lab doctor tells whether this engine can run it")
        said = self._trouble.decode(errors="replace").strip()
        what = "the lab's sidecar has ended" + (f": {said.splitlines()[-1]}" if said else "")
        return EngineError("sidecar-gone", what, fix="lab doctor tells whether this engine can run it")
