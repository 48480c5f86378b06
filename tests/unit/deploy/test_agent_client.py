"""The CLI's end of the conversation with the agent, over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lab.agent import protocol
from lab.agent.protocol import Event, Hello, Misheard, Release, SegmentReleased, WaitExit
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


def together(part: Part, heard: list[Event | Misheard] | None = None) -> None:
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
        first = asyncio.ensure_future(agent.ask(Release(host="a", segment="fin")))
        second = asyncio.ensure_future(agent.ask(protocol.LookAround(window=0.5)))
        asked = [await far.hear(), await far.hear()]
        assert [(one["op"], one.get("host")) for one in asked] == [("release", "a"), ("look_around", None)]
        await far.say({"event": "segment_released", "at": 5, "number": 1})
        await far.say({"id": asked[1]["id"], "ok": []})
        await far.say({"id": asked[0]["id"], "ok": 3})
        assert (await first, await second) == (3, ())

    heard: list[Event | Misheard] = []
    together(part, heard)
    assert heard == [SegmentReleased(at=5, number=1)]


def test_an_event_that_is_not_known_is_heard_as_such_and_ends_nothing() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask(protocol.Ping()))
        await far.say({"event": "weather", "sky": "blue"})
        await far.say({"event": "segment_released", "at": "noon", "number": 1})
        await far.say({"id": (await far.hear())["id"], "ok": None})
        await asked

    heard: list[Event | Misheard] = []
    together(part, heard)
    assert [type(event) for event in heard] == [Misheard, Misheard]
    assert [event.event for event in heard] == ["weather", "segment_released"]


@pytest.mark.parametrize(
    "said", [b"7\n", b"{}\n", b'{"id": 1}\n', b'{"id": 1, "ok": "three"}\n', b'{"id": []}\n']
)
def test_after_an_answer_that_is_none_nothing_is_believed(said: bytes) -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask(Release(host="a", segment="")))
        await far.hear()
        await far.say(said)
        with pytest.raises(EngineError, match="came through damaged"):
            await asked

    together(part)


def test_a_refusal_is_an_engine_error() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask(protocol.Ping()))
        await far.say({"id": (await far.hear())["id"], "error": "RuntimeError: ip refused"})
        with pytest.raises(EngineError, match="ip refused"):
            await asked

    together(part)


def test_a_question_that_is_given_up_is_cancelled_over_there_too() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask(WaitExit(pid=1)))
        number = (await far.hear())["id"]
        asked.cancel()
        told = await far.hear()
        assert (told["op"], told["request"]) == ("cancel", number)
        await far.say({"id": number, "ok": "too late"})

    together(part)


def test_an_agent_that_ends_is_told_with_its_last_words() -> None:
    async def part(agent: Agent, far: Far) -> None:
        asked = asyncio.ensure_future(agent.ask(protocol.Ping()))
        await far.hear()
        await far.say(b"Traceback\nOSError: no tcpdump\n", STDERR)
        far.leave()
        with pytest.raises(EngineError, match="the lab's sidecar has ended: OSError: no tcpdump"):
            await asked
        with pytest.raises(EngineError):
            await agent.ask(Hello(lease=1.0))

    together(part)
