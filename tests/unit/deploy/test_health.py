"""Whose fault it is that something takes too long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from lab.core.errors import EngineError
from lab.deploy import health
from lab.deploy.health import Health, not_counted, step_time
from lab.engine.workers import Workers


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def test_a_program_that_takes_too_long_is_to_blame() -> None:
    async def step() -> None:
        async with step_time(0.02, later(60)):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(step())


def test_the_time_of_the_script_holds_whoever_takes_it() -> None:
    async def step() -> None:
        async with step_time(60, later(0.02)):
            with not_counted("the engine"):
                await asyncio.sleep(60)

    with pytest.raises(EngineError, match="the engine takes too long: that is no program's fault"):
        asyncio.run(step())


def test_a_call_of_the_engine_does_not_count_and_has_a_bound_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def step(call: float, own: float) -> None:
        async with step_time(0.1, later(60)):
            with not_counted("the engine"):
                await asyncio.sleep(call)
            with not_counted("the agent"), not_counted("both at once"):
                await asyncio.sleep(call)
            await asyncio.sleep(own)

    monkeypatch.setattr(health, "CALL_SECONDS", 0.3)
    asyncio.run(step(0.15, 0.02))
    with pytest.raises(TimeoutError):
        asyncio.run(step(0.05, 5))
    with pytest.raises(EngineError, match="the engine takes too long"):
        asyncio.run(step(5, 0))


def test_what_a_step_leaves_running_does_not_touch_it_when_it_is_over() -> None:
    async def run() -> None:
        async def rest() -> None:
            await asyncio.sleep(0.03)
            with not_counted("the engine"):
                await asyncio.sleep(0.01)

        async with step_time(0.02, later(60)):
            task = asyncio.create_task(rest())
        await task

    asyncio.run(run())


def ended_by(work: Callable[[Health], Awaitable[None]], found: Health) -> EngineError:
    async def run() -> None:
        async with found.needed():
            await work(found)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run())
    (error,) = caught.value.exceptions
    assert isinstance(error, EngineError)
    return error


def test_what_needs_them_ends_when_something_has_broken() -> None:
    async def work(found: Health) -> None:
        found.fail(EngineError("first", "it broke"))
        found.fail(EngineError("second", "and what followed"))
        await asyncio.sleep(60)

    assert ended_by(work, Health()).code == "first"


def test_what_needs_them_ends_when_one_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SILENCE_SECONDS", 0.05)
    found = Health()
    found.ask("the engine", lambda: asyncio.sleep(60))
    error = ended_by(lambda _: asyncio.sleep(60), found)
    assert error.code == "engine-silent"
    assert error.what == "the engine has not answered for 0.05 s"


def test_what_needs_them_may_end_before_them() -> None:
    async def run() -> None:
        found = Health()
        found.ask("the engine", lambda: asyncio.sleep(0))
        async with found.needed():
            await asyncio.sleep(0.01)

    asyncio.run(run())


def test_nobody_vouches_for_a_time_in_which_one_was_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SLOW_SECONDS", 0.05)

    async def run() -> None:
        found, takes = Health(), [0.0]
        found.ask("the engine", lambda: asyncio.sleep(takes[0]))
        began = later(0)
        await found.vouch(began)
        takes[0] = 0.1
        with pytest.raises(EngineError, match=r"the engine took 0\.1 s to answer"):
            await found.vouch(began)
        takes[0] = 0.0
        with pytest.raises(EngineError):
            await found.vouch(began)
        await found.vouch(later(0))

    asyncio.run(run())


def test_workers_do_what_they_are_given_a_few_at_once() -> None:
    workers, gate = Workers(2), threading.Event()
    both = threading.Barrier(3)
    kept = {thread for thread in threading.enumerate() if not thread.daemon}
    blocked = [workers.submit(both.wait, 10) for _ in range(2)]
    waiting = workers.submit(gate.wait, 10)
    time.sleep(0.02)
    assert not waiting.running()
    both.wait(10)
    gate.set()
    assert waiting.result(10) is True
    assert {future.result(10) for future in blocked} < {0, 1, 2}
    failed = workers.submit(lambda: 1 // 0)
    assert isinstance(failed.exception(10), ZeroDivisionError)
    assert {thread for thread in threading.enumerate() if not thread.daemon} == kept
    workers.shutdown()
