"""When the processes are looked at, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from itertools import count

import pytest

from lab.agent.lookout import Lookout
from lab.agent.losses import Losses
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


class Watched:
    """A lookout over processes that are only said to be there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[ProcessesChanged | ProcessKilled] = []
        self.losses = Losses()
        self.there: dict[str, tuple[ProcessRow, ...]] = {"a": ()}
        self.lookout = Lookout(self.told.append, self.losses)
        self.lookout.start({})
        monkeypatch.setattr(self.lookout.processes, "look", self._seen)
        monkeypatch.setattr(self.lookout.exits, "hold", lambda *_: None)

    @property
    def changes(self) -> list[ProcessesChanged]:
        return [event for event in self.told if isinstance(event, ProcessesChanged)]

    def _seen(self, hosts: Collection[str] | None = None) -> dict[str, tuple[ProcessRow, ...]]:
        return {host: rows for host, rows in self.there.items() if hosts is None or host in hosts}


class Clock:
    """The time that a lookout is told: it goes on where a test says so."""

    thread_time, time_ns = staticmethod(time.thread_time), staticmethod(time.time_ns)

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("lab.agent.lookout.time", clock)
    return clock


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watched = Watched(monkeypatch)
    yield watched
    watched.lookout.exits.close()


def test_only_what_has_changed_is_told(watched: Watched) -> None:
    watched.lookout.look()
    assert watched.told == [], "nobody is there, and nobody was"
    watched.there = {"a": (row(7),), "b": ()}
    before = time.time_ns()
    watched.lookout.look()
    watched.lookout.look()
    (event,) = watched.told
    assert event == ProcessesChanged(at=event.at, host="a", rows=(row(7),))
    assert before <= event.at <= time.time_ns()
    watched.there = {"a": (), "b": (row(8),)}
    watched.lookout.look()
    assert [(one.host, len(one.rows)) for one in watched.changes[1:]] == [("a", 0), ("b", 1)]


def test_nobody_looks_without_reason(clock: Clock, watched: Watched) -> None:
    assert watched.lookout.due == NEVER
    watched.lookout.stir("a")
    due = watched.lookout.due
    assert due < clock.now + 0.01
    watched.lookout.stir("a")
    assert watched.lookout.due <= due, "a second reason does not put it off"
    clock.now += 0.007
    watched.lookout.look_where_due()
    assert due < watched.lookout.due < NEVER, "and again when the programs have done what they do about it"
    clock.now += 0.06
    watched.lookout.look_where_due()
    assert watched.lookout.due == NEVER
    watched.lookout.stir("a")
    watched.lookout.stop()
    assert watched.lookout.due == NEVER, "nothing after the end"
    watched.lookout.stir("a")
    assert watched.lookout.due == NEVER


def test_a_new_child_is_a_reason_to_look(
    clock: Clock, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.lookout.stir("a")
    clock.now += 0.03
    watched.lookout.look_where_due()
    watched.there = {"a": (row(7), row(8, parent=7))}
    watched.lookout.look_where_due()
    assert not watched.told
    monkeypatch.setattr(watched.lookout.processes, "has_new_child", lambda host: host == "a")
    watched.lookout.look_where_due()
    assert [len(event.rows) for event in watched.changes] == [2]


def test_only_the_host_where_something_happened_is_looked_at(watched: Watched) -> None:
    watched.there = {"a": (row(7),), "b": (row(8),)}
    watched.lookout.stir("b")
    time.sleep(0.005)
    watched.lookout.look_where_due()
    assert [event.host for event in watched.told] == ["b"]


def test_no_reason_is_lost_until_much_was_spent(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many looks may follow one another; then they have a rest, by what they cost."""
    spent = count(0, 0.001)
    monkeypatch.setattr("lab.agent.lookout.time.thread_time", lambda: next(spent))
    for _ in range(40):
        watched.lookout.stir("a")
        assert watched.lookout.due < time.monotonic() + 0.1
        watched.lookout.look_where_due()
    for _ in range(40):
        watched.lookout.look_where_due()
    watched.lookout.stir("a")
    assert time.monotonic() + 0.1 < watched.lookout.due < time.monotonic() + 0.3


def test_how_a_started_program_ends_is_heard_though_no_look_may_be_afforded(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[dict[str, tuple[ProcessRow, ...]]] = []
    watched.there = {"a": (row(7),), "b": (row(8),)}
    monkeypatch.setattr(watched.lookout.exits, "hold", lambda seen, _: held.append(seen))
    monkeypatch.setattr(watched.lookout.processes, "host_of", lambda _: "a")
    spent = count(0, 1.0)
    monkeypatch.setattr("lab.agent.lookout.time.thread_time", lambda: next(spent))
    watched.lookout.glance("a")
    watched.lookout.begun(7)
    assert held[-1] == {"a": (row(7),)}
    assert len(held) == 2
    assert len(watched.told) == 1, "what a shell is before it becomes the program is not told"


def test_a_zombie_is_not_clean(watched: Watched) -> None:
    watched.there = {"a": (row(7), row(8, zombie=True))}
    assert not watched.lookout.is_clean()
    watched.there = {"a": (row(7),)}
    assert watched.lookout.is_clean()


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
def test_who_sleeps_where(watched: Watched, pid: int, expected: set[str]) -> None:
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
    assert {call for call in calls if watched.lookout.sleeps("a", pid, call)} == expected


def test_where_a_program_of_another_machine_sleeps_cannot_be_told(watched: Watched) -> None:
    watched.there = {"a": (row(7, calls=(UNKNOWN, "accept")), row(8, calls=("recv",)))}
    assert watched.lookout.sleeps("a", 7, "accept")
    assert watched.lookout.sleeps("a", 8, "recv")
    with pytest.raises(OSError, match="is not known"):
        watched.lookout.sleeps("a", 7, "recv")


def test_a_look_that_fails_is_counted_and_the_next_one_is_taken(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise ValueError("a line that nobody thought of")

    with monkeypatch.context() as now:
        now.setattr(watched.lookout.processes, "look", fails)
        assert watched.lookout.look() == {}
        assert watched.lookout.look() == {}
    why = "ValueError: a line that nobody thought of"
    assert watched.losses.told() == [Loss(instrument="processes", host="", count=2, why=why)]
    watched.there = {"a": (row(7),)}
    assert watched.lookout.look() == watched.there
