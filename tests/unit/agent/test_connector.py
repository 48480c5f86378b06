"""What the kernel itself says of processes that end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from lab.agent.connector import Connector
from lab.agent.losses import Losses
from lab.agent.protocol import Loss, ProcessKilled, ProcessRow

TOLD = list[ProcessKilled]
_PATIENCE = 30.0


def row(pid: int) -> ProcessRow:
    return pid, 1, 5, 40, "srv", False, 3, (), (), 0


def process_of(shown: ProcessRow) -> int:
    return shown[0]


def connected(told: TOLD, losses: Losses) -> Connector:
    """We are a process of host a, the only one that was seen."""
    try:
        connector = Connector(told.append, lambda _: "", losses)
    except OSError as error:
        pytest.skip(f"the kernel does not say it here: {error}")
    connector.hold({"a": (row(os.getpid()),)}, process_of)
    return connector


@pytest.fixture
def losses() -> Losses:
    return Losses()


@pytest.fixture
def heard(losses: Losses) -> Iterator[tuple[Connector, TOLD]]:
    told: TOLD = []
    connector = connected(told, losses)
    yield connector, told
    connector.close()


def ended(number: int) -> int:
    """A child of ours that a signal ends at once, and that we wait for; 0 ends by itself."""
    if not (child := os.fork()):
        if number:
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(3)
    os.waitpid(child, 0)
    return child


def hear(connector: Connector, enough: Callable[[], bool]) -> None:
    """Hear until that is enough: the kernel wakes who waits for a process before it tells of its end."""
    until = time.monotonic() + _PATIENCE
    connector.hear()
    while not enough() and time.monotonic() < until:
        select.select([connector], [], [], until - time.monotonic())
        connector.hear()


@pytest.mark.parametrize(
    ("number", "core"), [(signal.SIGSEGV, True), (signal.SIGABRT, True), (signal.SIGKILL, False)]
)
def test_a_child_that_nobody_saw_is_told(heard: tuple[Connector, TOLD], number: int, core: bool) -> None:
    connector, told = heard
    before = time.time_ns()
    child = ended(number)
    hear(connector, lambda: bool(told))
    after = time.time_ns()
    (event,) = told
    assert (event.host, event.pid, event.status) == ("a", child, 128 + number)
    assert (event.parent, event.session) == (os.getpid(), 5)
    assert before < event.at < after
    assert before < event.dying < event.at if core else not event.dying


def test_the_child_of_a_parent_that_ignores_its_end_is_told(heard: tuple[Connector, TOLD]) -> None:
    connector, told = heard
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)  # ends when it has ended, and tells nothing
    finally:
        signal.signal(signal.SIGCHLD, before)
    hear(connector, lambda: bool(told))
    assert [(event.pid, event.parent, event.status) for event in told] == [(child, os.getpid(), 139)]


def test_nothing_is_told_of_one_that_ends_by_itself_or_is_of_no_host(heard: tuple[Connector, TOLD]) -> None:
    connector, told = heard
    ended(0)
    connector.hold({"a": ()}, process_of)
    connector.hold({"a": ()}, process_of)
    ended(signal.SIGSEGV)
    connector.hear()
    assert told == []


def test_an_end_that_is_heard_after_a_look_that_does_not_show_it_is_that_of_who_was_seen(
    heard: tuple[Connector, TOLD],
) -> None:
    connector, told = heard
    connector.hold({"a": ()}, process_of)
    child = ended(signal.SIGSEGV)
    hear(connector, lambda: bool(told))
    assert [event.pid for event in told] == [child]


def test_no_host_makes_more_be_told_than_there_is_room_for(
    heard: tuple[Connector, TOLD], losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.agent.connector._MOST_TOLD", 2)
    connector, told = heard
    for _ in range(4):
        ended(signal.SIGSEGV)
    hear(connector, lambda: any(lost.count == 2 for lost in losses.told()))
    assert len(told) == 2
    assert losses.told() == [Loss(instrument="ends", host="a", count=2, why="too-many-ends", limit=2)]


def test_ends_that_the_kernel_had_no_room_for_are_told_to_be_missing(
    losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.agent.connector._ROOM", 1 << 13)
    told: TOLD = []
    connector = connected(told, losses)
    for _ in range(200):
        ended(signal.SIGKILL)
    connector.hear()
    assert 0 < len(told) < 200
    (lost,) = losses.told()
    assert (lost.instrument, lost.host) == ("ends", "")
    last = ended(signal.SIGKILL)
    hear(connector, lambda: told[-1].pid == last)
    connector.close()
    assert told[-1].pid == last


def test_ends_that_began_and_are_too_many_to_be_remembered_are_told_to_be_missing(
    heard: tuple[Connector, TOLD], losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.agent.connector._MOST_DYING", 0)
    connector, _ = heard
    ended(signal.SIGSEGV)
    connector.hear()
    assert [(lost.instrument, lost.host) for lost in losses.told()] == [("ends", "")]


def test_the_first_look_at_a_parent_may_come_later_than_the_end_of_its_child() -> None:
    told: TOLD = []
    try:
        connector = Connector(told.append, lambda pid: "a" if pid == os.getpid() else "", Losses())
    except OSError as error:
        pytest.skip(f"the kernel does not say it here: {error}")
    child = ended(signal.SIGSEGV)
    hear(connector, lambda: bool(told))
    connector.close()
    (event,) = told
    assert (event.host, event.pid, event.parent) == ("a", child, os.getpid())
    assert event.session == os.getsid(0)
