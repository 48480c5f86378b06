"""Whose time the last words of a program are in a step that waits for its end."""

from __future__ import annotations

import asyncio

import pytest

from lab.deploy.health import step_time
from tests.unit.steps.test_early_output import program


async def waited(ends_after: float, words_take: float) -> int:
    """The status of a program, waited for in a step of 0.2 s; its end is told, its last words come later."""
    started = program([], tty=False)

    async def end() -> None:
        await asyncio.sleep(ends_after)
        started._gone.set()  # noqa: SLF001 - the agent has told
        await asyncio.sleep(words_take)
        started.status = 7

    started._ending = asyncio.create_task(end())  # noqa: SLF001
    async with step_time(0.2, asyncio.get_running_loop().time() + 30):
        return await started.until_exit()


def test_what_the_engine_takes_to_bring_the_last_words_is_not_the_steps_time() -> None:
    assert asyncio.run(waited(0.0, 0.5)) == 7


def test_an_end_that_does_not_come_in_time_is_missed() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(waited(10.0, 0.0))
