"""Signals while there is something to be taken down, and the folder of a record."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.core.errors import UsageError
from lab.run.interruption import SIGNALS, Interruption
from lab.run.prepare import make_folder


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may end at once."""
    code = f"import os, signal, time\nfrom lab.run.interruption import *\nme = os.getpid()\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_second_signal_ends_at_once_wherever_the_process_is(number: str) -> None:
    done = in_a_process(
        f"with Interruption() as interruption:\n"
        f"    interruption.too_late()\n"
        f"    os.kill(me, signal.{number})\n"
        f"    print('goes on', flush=True)\n"
        f"    time.sleep(0.4)\n"
        f"    os.kill(me, signal.{number})\n"
        f"    time.sleep(20)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "goes on\n", "interrupted\n")


def test_signals_that_come_together_are_one_and_no_terminal_is_impatient() -> None:
    done = in_a_process(
        "with Interruption() as interruption:\n"
        "    interruption.too_late()\n"
        "    for _ in range(5): os.kill(me, signal.SIGTERM)\n"
        "    time.sleep(0.4)\n"
        "    os.kill(me, signal.SIGHUP)\n"
        "    print('cleaned up')\n"
    )
    assert (done.returncode, done.stdout) == (0, "cleaned up\n")


def test_a_terminal_that_goes_away_is_no_matter_where_nobody_minds() -> None:
    done = in_a_process(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "handle(leave)\n"
        "with Interruption():\n"
        "    os.kill(me, signal.SIGHUP)\n"
        "print('to the end')\n"
    )
    assert (done.returncode, done.stdout) == (0, "to the end\n")


def test_what_is_raised_where_nothing_can_be_is_not_shown() -> None:
    done = in_a_process(
        "class Final:\n"
        "    def __del__(self): os.kill(me, signal.SIGINT); time.sleep(1)\n"
        "with Interruption() as interruption:\n"
        "    Final()\n"
        "    print(interruption.came)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_what_it_comes_out_as_counts_as_an_interruption() -> None:
    """CPython makes a RuntimeError of it where it came as a class was made (before 3.12)."""

    def interrupted() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            send(signal.SIGINT)
        raise RuntimeError("Error calling __set_name__")

    with pytest.raises(KeyboardInterrupt), Interruption():
        interrupted()
    with pytest.raises(RuntimeError), Interruption():
        raise RuntimeError("of its own")

    def failed() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            send(signal.SIGINT)
        raise UsageError("still-there", "it could not be removed")

    with pytest.raises(UsageError), Interruption():
        failed()


def test_work_on_the_loop_that_waits_for_nothing_is_interrupted() -> None:
    async def work(interruption: Interruption) -> None:
        with interruption.at_once():
            send(signal.SIGINT)
            while True:
                pass

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        interruption.run(work(interruption))


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


def test_what_fails_because_all_is_cancelled_does_not_hide_the_signal() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise UsageError("gone", "it was taken away") from None

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            await asyncio.sleep(0)
            send(signal.SIGINT)
            await asyncio.sleep(60)

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        interruption.run(work())


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
