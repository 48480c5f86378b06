"""The CLI's end of the conversation with the agent, over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lab.core.errors import EngineError
from lab.deploy.sidecar import Agent
from lab.engine.containers import Stream
from lab.engine.frames import STDERR, STDOUT

Part = Callable[[Agent, "Far"], Awaitable[None]]


class Far:
    """The other end, as the engine frames it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._read = b""

    async def hear(self) -> dict[str, Any]:
        while b"\n" not in self._read:
            self._read += await asyncio.get_running_loop().sock_recv(self._end, 4096)
        line, _, self._read = self._read.partition(b"\n")
        request: dict[str, Any] = json.loads(line)
        return request

    async def say(self, message: dict[str, Any] | bytes, pipe: int = STDOUT) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        framed = bytes([pipe, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
        await asyncio.get_running_loop().sock_sendall(self._end, framed)

    def leave(self) -> None:
        self._end.close()


def together(part: Part, heard: list[dict[str, Any]] | None = None) -> None:
    """Play a part with an agent and its far end."""

    async def play() -> None:
        near, end = socket.socketpair()
        near.setblocking(False)
        end.setblocking(False)
        agent = await Agent.connect(Stream(near, b""), (heard if heard is not None else []).append)
        try:
            async with asyncio.timeout(10):
                await part(agent, Far(end))
        finally:
            agent.close()
            end.close()

    asyncio.run(play())


def test_answers_find_their_questions_and_events_their_listener() -> None:
    async def part(agent: Agent, far: Far) -> None:
        first, second = asyncio.ensure_future(agent.ask("a", x=1)), asyncio.ensure_future(agent.ask("b"))
        asked = [await far.hear(), await far.hear()]
        assert [(one["op"], one.get("x")) for one in asked] == [("a", 1), ("b", None)]
        await far.say({"event": "sockets", "n": 1})
        await far.say({"id": asked[1]["id"], "ok": "second"})
        await far.say({"id": asked[0]["id"], "ok": "first"})
        assert (await first, await second) == ("first", "second")

    heard: list[dict[str, Any]] = []
    together(part, heard)
    assert heard == [{"event": "sockets", "n": 1}]


def test_a_refusal_is_an_engine_error() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask("a"))
        await far.say({"id": (await far.hear())["id"], "error": "RuntimeError: ip refused"})
        with pytest.raises(EngineError, match="ip refused"):
            await asked

    together(part)


def test_a_question_that_is_given_up_is_cancelled_over_there_too() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask("wait_exit", pid=1))
        number = (await far.hear())["id"]
        asked.cancel()
        told = await far.hear()
        assert (told["op"], told["request"]) == ("cancel", number)
        await far.say({"id": number, "ok": "too late"})

    together(part)


def test_an_agent_that_ends_is_told_with_its_last_words() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask("a"))
        await far.hear()
        await far.say(b"Traceback\nOSError: no tcpdump\n", STDERR)
        far.leave()
        with pytest.raises(EngineError, match="the lab's sidecar has ended: OSError: no tcpdump"):
            await asked
        with pytest.raises(EngineError):
            await agent.ask("b")

    together(part)
