"""A host whose first process is killed: by somebody outside the lab, or by a program that used up its memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.agent.protocol import Request, WaitKilled
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.deploy.host import RunningHost
from lab.engine import containers as box

HOST = RunningHost(cast("Any", SimpleNamespace(name="a")), "c0ffee" * 4, 7, 0, {})


class _Agent:
    """Its host has been ended by a signal, as it says before it says that it is there."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def ask(self, request: Request[Any]) -> int:
        assert request == WaitKilled(pid=HOST.pid)
        return self._number

    async def answers(self) -> None:
        await asyncio.sleep(0)


def told(number: int, monkeypatch: pytest.MonkeyPatch, *short: str, fails: bool = False) -> str:
    """What the run ends with, known as soon as the agent has answered; "" if it goes on."""

    def asked(*_: Any) -> tuple[tuple[str, int], ...]:
        if fails:
            raise EngineError("engine-lost", "gone")
        return tuple((container, 5) for container in short)

    monkeypatch.setattr(box, "out_of_memory", asked)

    async def run() -> str:
        lab = Deployment(cast("Any", None), cast("Any", None), lambda _: None, cast("Any", None))
        lab.hosts, lab._agent = {"a": HOST}, cast("Any", _Agent(number))  # noqa: SLF001
        watch = asyncio.create_task(lab._watch(HOST))  # noqa: SLF001
        await lab._agent_answers()  # noqa: SLF001
        error = lab.health.error
        await watch
        assert lab.health.error is error
        lab.pool.shutdown()
        return error.what if error else ""

    return asyncio.run(run())


def test_who_uses_up_a_hosts_memory_has_killed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(9, monkeypatch, HOST.container) == ""
    assert told(0, monkeypatch) == ""


@pytest.mark.parametrize(
    ("number", "short", "name"),
    [
        (9, (), "SIGKILL"),
        (9, ("another",), "SIGKILL"),
        (15, (HOST.container,), "SIGTERM"),
        (40, (), "signal 40"),
    ],
)
def test_otherwise_somebody_outside_has(
    monkeypatch: pytest.MonkeyPatch, number: int, short: tuple[str, ...], name: str
) -> None:
    assert told(number, monkeypatch, *short).startswith(f"host a was sent {name} from outside the lab")


def test_where_the_engine_does_not_say_nothing_is_blamed_on_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told(9, monkeypatch, fails=True).startswith("host a was sent SIGKILL from outside the lab")
