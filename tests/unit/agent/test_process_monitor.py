"""When the processes are looked at, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from itertools import count

import pytest

from lab.agent.losses import Losses
from lab.agent.process_monitor import ProcessMonitor
from lab.agent.processes import UNKNOWN
from lab.agent.protocol import Loss, ProcessesChanged, ProcessKilled, ProcessRow

NEVER = float("inf")


def row(
    pid: int,
    *,
    parent: int = 1,
    session: int = 0,
    zombie: bool = False,
    calls: tuple[str, ...] = (),
    mark: int = 0,
) -> ProcessRow:
    return pid, parent, session or pid, pid, "srv", zombie, 3, (), tuple((call, 0) for call in calls), mark


class SocketMonitor:
    """A monitor over processes that are only said to be there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[ProcessesChanged | ProcessKilled] = []
        self.losses = Losses()
        self.there: dict[str, tuple[ProcessRow, ...]] = {"a": ()}
        self.process_monitor = ProcessMonitor(self.told.append, self.losses)
        self.process_monitor.start({})
        monkeypatch.setattr(self.process_monitor.processes, "look", self._seen)
        monkeypatch.setattr(self.process_monitor.exits, "hold", lambda *_: None)

    @property
    def changes(self) -> list[ProcessesChanged]:
        return [event for event in self.told if isinstance(event, ProcessesChanged)]

    def _seen(self, hosts: Collection[str] | None = None) -> dict[str, tuple[ProcessRow, ...]]:
        return {host: rows for host, rows in self.there.items() if hosts is None or host in hosts}


class Clock:
    """The time that a monitor is told: it goes on where a test says so."""

    thread_time, time_ns = staticmethod(time.thread_time), staticmethod(time.time_ns)

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("lab.agent.process_monitor.time", clock)
    return clock


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketMonitor]:
    watched = SocketMonitor(monkeypatch)
    yield watched
    watched.process_monitor.exits.close()


def test_only_what_has_changed_is_told(watched: SocketMonitor) -> None:
    watched.process_monitor.look()
    assert watched.told == [], "nobody is there, and nobody was"
    watched.there = {"a": (row(7),), "b": ()}
    before = time.time_ns()
    watched.process_monitor.look()
    watched.process_monitor.look()
    (event,) = watched.told
    assert event == ProcessesChanged(at=event.at, host="a", rows=(row(7),))
    assert before <= event.at <= time.time_ns()
    watched.there = {"a": (), "b": (row(8),)}
    watched.process_monitor.look()
    assert [(one.host, len(one.rows)) for one in watched.changes[1:]] == [("a", 0), ("b", 1)]


def test_nobody_looks_without_reason(clock: Clock, watched: SocketMonitor) -> None:
    assert watched.process_monitor.due == NEVER
    watched.process_monitor.stir("a")
    due = watched.process_monitor.due
    assert due < clock.now + 0.01
    watched.process_monitor.stir("a")
    assert watched.process_monitor.due <= due, "a second reason does not put it off"
    clock.now += 0.007
    watched.process_monitor.look_where_due()
    assert due < watched.process_monitor.due < NEVER, (
        "and again when the programs have done what they do about it"
    )
    clock.now += 0.06
    watched.process_monitor.look_where_due()
    assert watched.process_monitor.due == NEVER
    watched.process_monitor.stir("a")
    watched.process_monitor.stop()
    assert watched.process_monitor.due == NEVER, "nothing after the end"
    watched.process_monitor.stir("a")
    assert watched.process_monitor.due == NEVER


def test_a_new_child_is_a_reason_to_look(
    clock: Clock, watched: SocketMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.process_monitor.stir("a")
    clock.now += 0.03
    watched.process_monitor.look_where_due()
    watched.there = {"a": (row(7), row(8, parent=7))}
    watched.process_monitor.look_where_due()
    assert not watched.told
    monkeypatch.setattr(watched.process_monitor.processes, "has_new_child", lambda host: host == "a")
    watched.process_monitor.look_where_due()
    assert [len(event.rows) for event in watched.changes] == [2]


def test_only_the_host_where_something_happened_is_looked_at(watched: SocketMonitor) -> None:
    watched.there = {"a": (row(7),), "b": (row(8),)}
    watched.process_monitor.stir("b")
    time.sleep(0.005)
    watched.process_monitor.look_where_due()
    assert [event.host for event in watched.told] == ["b"]


def test_no_reason_is_lost_until_much_was_spent(
    watched: SocketMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many looks may follow one another; then they have a rest, by what they cost."""
    spent = count(0, 0.001)
    monkeypatch.setattr("lab.agent.process_monitor.time.thread_time", lambda: next(spent))
    for _ in range(40):
        watched.process_monitor.stir("a")
        assert watched.process_monitor.due < time.monotonic() + 0.1
        watched.process_monitor.look_where_due()
    for _ in range(40):
        watched.process_monitor.look_where_due()
    watched.process_monitor.stir("a")
    assert time.monotonic() + 0.1 < watched.process_monitor.due < time.monotonic() + 0.3


def test_how_a_started_program_ends_is_heard_though_no_look_may_be_afforded(
    watched: SocketMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[dict[str, tuple[ProcessRow, ...]]] = []
    watched.there = {"a": (row(7),), "b": (row(8),)}
    monkeypatch.setattr(watched.process_monitor.exits, "hold", lambda seen, _: held.append(seen))
    monkeypatch.setattr(watched.process_monitor.processes, "host_of", lambda _: "a")
    spent = count(0, 1.0)
    monkeypatch.setattr("lab.agent.process_monitor.time.thread_time", lambda: next(spent))
    watched.process_monitor.glance("a")
    watched.process_monitor.begun(7)
    assert held[-1] == {"a": (row(7),)}
    assert len(held) == 2
    assert len(watched.told) == 1, "what a shell is before it becomes the program is not told"


def test_a_zombie_is_not_clean(watched: SocketMonitor) -> None:
    watched.there = {"a": (row(7), row(8, zombie=True))}
    assert not watched.process_monitor.is_clean()
    watched.there = {"a": (row(7),)}
    assert watched.process_monitor.is_clean()


@pytest.mark.parametrize(
    ("pid", "expected"),
    [
        (7, {"accept", "recv", "futex"}),
        (8, {"recv"}),
        (9, {"futex"}),
        (0, {"accept", "recv", "futex", "poll"}),
        (6, set()),
    ],
)
def test_who_sleeps_where(watched: SocketMonitor, pid: int, expected: set[str]) -> None:
    """A program, its child, one of its session, and a stranger."""
    watched.there = {
        "a": (
            row(7, calls=("accept",)),
            row(8, parent=7, session=8, calls=("recv",)),
            row(9, parent=30, session=7, calls=("futex",)),
            row(20, calls=("poll",)),
        )
    }
    calls = ("accept", "recv", "futex", "poll", "wait")
    assert {call for call in calls if watched.process_monitor.sleeps("a", pid, call)} == expected


def test_where_a_program_of_another_machine_sleeps_cannot_be_told(watched: SocketMonitor) -> None:
    watched.there = {"a": (row(7, calls=(UNKNOWN, "accept")), row(8, calls=("recv",)))}
    assert watched.process_monitor.sleeps("a", 7, "accept")
    assert watched.process_monitor.sleeps("a", 8, "recv")
    with pytest.raises(OSError, match="is not known"):
        watched.process_monitor.sleeps("a", 7, "recv")


def test_a_look_that_fails_is_counted_and_the_next_one_is_taken(
    watched: SocketMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise ValueError("a line that nobody thought of")

    with monkeypatch.context() as now:
        now.setattr(watched.process_monitor.processes, "look", fails)
        assert watched.process_monitor.look() == {}
        assert watched.process_monitor.look() == {}
    why = "ValueError: a line that nobody thought of"
    assert watched.losses.told() == [Loss(instrument="processes", host="", count=2, why=why, limit=0)]
    watched.there = {"a": (row(7),)}
    assert watched.process_monitor.look() == watched.there
