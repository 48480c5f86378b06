"""The agent as a process of its own: what it answers, and when it ends. Nothing here needs rights."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pytest

from lab.agent.protocol import Line
from lab.agent.waiting import Waiting
from lab.core import assets

PATIENCE = 10.0


class Service:
    """A running agent and the two ends of its conversation."""

    def __init__(self, words: Sequence[str] = ("-m", "agent")) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=assets.PACKAGE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input: IO[str] = self.process.stdin
        self.output: IO[str] = self.process.stdout

    def tell(self, number: int, op: str, **words: Any) -> None:
        self.input.write(json.dumps({"id": number, "op": op, **words}) + "\n")
        self.input.flush()

    def hear(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.output.readline())
        return answer

    def ask(self, op: str, **words: Any) -> Any:
        self.tell(1, op, **words)
        return self.hear()["ok"]

    def ended(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()
        with contextlib.suppress(BrokenPipeError):  # what was not taken any more
            self.input.close()


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.end()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its input to end."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as found:
        yield found
        found.kill()


def test_hello_tells_the_clock_and_the_kernel(service: Service) -> None:
    told = service.ask("hello", lease=60)
    assert abs(told["clock"] - time.time_ns()) < PATIENCE * 1e9
    assert told["kernel"] == os.uname().release


def test_what_it_cannot_do_is_an_answer_and_not_its_end(service: Service) -> None:
    service.tell(7, "fly", high=True)
    told = service.hear()
    assert told["id"] == 7
    assert "there is no request 'fly'" in told["error"]
    service.tell(8, "hello")
    assert "lease" in service.hear()["error"]
    service.ask("hello", lease=60)


def test_requests_are_answered_as_their_condition_comes_true(
    service: Service, sleeper: subprocess.Popen[bytes]
) -> None:
    service.tell(1, "wait_exit", pid=sleeper.pid)
    service.tell(2, "hello", lease=60)
    assert service.hear()["id"] == 2
    sleeper.kill()
    told = service.hear()
    assert told["id"] == 1
    assert abs(told["ok"]["at"] - time.time_ns()) < PATIENCE * 1e9
    assert told["ok"]["status"] == 128 + signal.SIGKILL


def test_a_condition_that_cannot_be_tried_is_an_answer(service: Service) -> None:
    service.tell(3, "wait_asleep", host="nobody", pid=1, call="accept")
    told = service.hear()
    assert told["id"] == 3
    assert "nobody" in told["error"]
    service.ask("hello", lease=60)


def test_a_condition_that_costs_much_keeps_nobody_waiting() -> None:
    said: list[Line] = []
    waiting = Waiting(selectors.DefaultSelector(), said.append)
    tried: list[float] = []

    def dear() -> bool:
        began = time.thread_time()
        tried.append(time.monotonic())
        while time.thread_time() - began < 0.01:
            pass
        return len(tried) == 3

    waiting.answer(1, dear)
    until = time.monotonic() + PATIENCE
    while waiting.has_conditions and time.monotonic() < until:
        waiting.try_all()
        time.sleep(0.001)
    first, second, third = tried
    assert min(second - first, third - second) > 0.09
    assert [one["id"] for one in said] == [1]


def test_a_process_that_is_not_there_has_ended(service: Service, sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    assert service.ask("wait_exit", pid=sleeper.pid) is None


def test_a_descriptor_may_have_any_number(sleeper: subprocess.Popen[bytes]) -> None:
    """select(2) takes none above 1,023; one host needs some twenty, and a lab may have hundreds."""
    code = "import os; [os.dup(0) for _ in range(1100)]; from agent.__main__ import main; main()"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 1200:
        pytest.skip("this user may not open so many")
    service = Service(
        ["-c", f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most})); {code}"]
    )
    try:
        service.tell(1, "wait_exit", pid=sleeper.pid)
        sleeper.kill()
        assert service.hear()["id"] == 1
    finally:
        service.end()


def test_a_request_that_is_given_up_is_not_answered(
    service: Service, sleeper: subprocess.Popen[bytes]
) -> None:
    service.tell(1, "wait_exit", pid=sleeper.pid)
    service.tell(2, "cancel", request=1)
    assert service.hear() == {"id": 2, "ok": None}
    sleeper.kill()
    sleeper.wait()
    service.tell(3, "hello", lease=60)
    assert service.hear()["id"] == 3


def test_when_a_process_began(service: Service, sleeper: subprocess.Popen[bytes]) -> None:
    ago = time.time_ns() - service.ask("started", pid=sleeper.pid, keep_input=False)["made"]
    assert 0 <= ago < PATIENCE * 1e9
    sleeper.kill()
    sleeper.wait()
    assert service.ask("started", pid=sleeper.pid, keep_input=False)["made"] is None


def test_a_process_that_is_in_no_host_gets_no_signal(
    service: Service, sleeper: subprocess.Popen[bytes]
) -> None:
    assert service.ask("signal", pid=sleeper.pid, signal="SIGKILL") is False
    assert service.ask("signal", pid=0, signal="SIGKILL") is False
    assert sleeper.poll() is None


def test_a_process_of_a_host_gets_it(service: Service, sleeper: subprocess.Popen[bytes]) -> None:
    service.ask("own", pid=sleeper.pid)
    assert service.ask("signal", pid=sleeper.pid, signal="SIGTERM") is True
    assert sleeper.wait(PATIENCE) == -15


def test_the_end_of_its_input_ends_it_and_the_hosts(
    service: Service, sleeper: subprocess.Popen[bytes]
) -> None:
    service.ask("own", pid=sleeper.pid)
    service.input.close()
    assert service.ended() == 0
    assert sleeper.wait(PATIENCE) == -9


@pytest.mark.parametrize("kept", [True, False])
def test_the_end_of_its_lease_ends_it_and_the_hosts(
    service: Service, sleeper: subprocess.Popen[bytes], *, kept: bool
) -> None:
    service.ask("own", pid=sleeper.pid)
    if kept:
        service.ask("keep")
    service.ask("hello", lease=0.3)
    if kept:
        service.input.close()
    assert service.ended() == 0
    assert sleeper.wait(PATIENCE) == -9


def test_a_request_without_end_ends_it(service: Service) -> None:
    with pytest.raises(BrokenPipeError):
        service.input.write("x" * 100_000_000)
    assert service.ended() == 0


@pytest.mark.parametrize(("seconds", "times"), [(0.0005, 2), (0.01, 1)])
def test_a_condition_that_costs_little_is_tried_when_frames_were_passed_on(
    seconds: float, times: int
) -> None:
    waiting = Waiting(selectors.DefaultSelector(), lambda _: None)
    tried: list[float] = []

    def never() -> bool:
        began = time.thread_time()
        tried.append(began)
        while time.thread_time() - began < seconds:
            pass
        return False

    waiting.answer(1, never)
    waiting.try_all()
    waiting.try_all()
    assert len(tried) == 1
    waiting.shorten_rests()
    waiting.try_all()
    assert len(tried) == times
