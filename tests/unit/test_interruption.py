"""Signals while there is something to be taken down, and the folder of a record."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.interruption import SIGNALS, Interruption
from lab.launch import make_folder


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_interrupts_and_no_other(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interruption() as interruption:
        interruption.check()
        with pytest.raises(KeyboardInterrupt):
            send(number)
        send(number)
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_may_be_too_late() -> None:
    with Interruption() as interruption:
        interruption.too_late()
        send(signal.SIGINT)
        assert interruption.came


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels_what_is_done_on_a_loop_and_lets_it_clean_up(number: signal.Signals) -> None:
    done = []

    async def work() -> None:
        send(number)
        try:
            await asyncio.sleep(60)
        finally:
            send(number)
            await asyncio.sleep(0.01)
            done.append("cleaned up")

    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt):
            interruption.run(work())
        send(number)
    assert done == ["cleaned up"]


def test_a_loop_that_waits_is_woken_by_a_signal() -> None:
    async def work() -> None:
        # It comes while the loop sleeps in its selector, and nothing else wakes it for a minute.
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        await asyncio.sleep(60)

    before = signal.signal(signal.SIGALRM, lambda *_: send(signal.SIGINT))
    try:
        with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
            interruption.run(work())
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_signal_that_came_before_the_loop_is_not_lost() -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    with Interruption() as interruption:
        interruption.came = True
        with pytest.raises(KeyboardInterrupt):
            interruption.run(work())


def test_a_signal_that_is_noted_interrupts_at_the_end() -> None:
    done = []

    def work(interruption: Interruption) -> None:
        with interruption.noted():
            send(signal.SIGTERM)
            done.append("all of it")

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        work(interruption)
    assert done == ["all of it"]
    with Interruption() as interruption:
        with interruption.noted():
            pass
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)


def test_of_several_errors_the_first_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("of its own")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(60))

    with Interruption() as interruption, pytest.raises(ValueError, match="of its own"):
        interruption.run(work())


def test_a_folder_for_a_record(tmp_path: Path) -> None:
    make_folder(tmp_path / "some" / "runs" / "one")
    assert (tmp_path / "some" / "runs" / "one").is_dir()
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UsageError, match="cannot be made"):
        make_folder(tmp_path / "runs" / "one")
