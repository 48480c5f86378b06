"""Samples that tell differences, and what stood when."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace

from lab.core.words import TcpState
from lab.evidence.history import RowSpan, SocketHistory, ends_of, histories, order_of
from lab.evidence.sockets import SocketEnds, SocketRow, SocketSample
from tests.unit.staged import at, row

LISTENER = row(TcpState.LISTEN, "0.0.0.0:80")
ANOTHER = replace(LISTENER, inode=2)
OPEN = row(TcpState.ESTABLISHED, "10.0.0.1:80", "10.0.0.2:4000")
CLOSED = replace(OPEN, state=TcpState.TIME_WAIT, inode=0)


def ends(one: SocketRow) -> SocketEnds:
    return SocketEnds(*ends_of(one))


def differing(milliseconds: float, *rows: SocketRow, gone: tuple[SocketRow, ...] = ()) -> SocketSample:
    return SocketSample(at(milliseconds), "server", rows, whole=False, gone=tuple(map(ends, gone)))


@pytest.fixture
def history() -> SocketHistory:
    """A listener, and a connection to it that comes, closes and is gone."""
    return SocketHistory(
        (
            SocketSample(at(0), "server", (LISTENER,)),
            differing(1, OPEN),
            differing(2, CLOSED),
            differing(3),
            differing(4, gone=(CLOSED,)),
        )
    )


def test_each_row_is_there_once(history: SocketHistory) -> None:
    assert history.spans == (RowSpan(LISTENER, 0, 4), RowSpan(OPEN, 1, 1), RowSpan(CLOSED, 2, 3))
    assert history.in_state(TcpState.TIME_WAIT) == [RowSpan(CLOSED, 2, 3)]
    assert history.in_state(TcpState.CLOSE_WAIT) == ()
    assert history.of(ends_of(OPEN)) == [*history.spans[1:]]


def test_what_a_sample_shows_of_a_connection(history: SocketHistory) -> None:
    shown = [history.shown(ends_of(OPEN), number) for number in range(5)]
    assert [stand and stand.row for stand in shown] == [None, OPEN, CLOSED, CLOSED, None]


def test_what_samples_show_of_a_time_and_of_two_ports(history: SocketHistory) -> None:
    _, opened, closed = history.spans
    assert history.within(at(1), at(2)) == range(1, 3)
    assert history.within(at(5), at(6)) == range(5, 5)
    assert [*history.between((80, 4000), range(5))] == [(opened, range(1, 2)), (closed, range(2, 4))]
    assert [*history.between((80, 4000), range(3, 5))] == [(closed, range(3, 4))]
    assert [*history.between((80, 4001), range(5))] == []
    assert (history.owned((80, 4000)), history.owned((80, 1))) == (OPEN, None)


def test_listeners_that_share_a_port_are_told_together() -> None:
    history = SocketHistory(
        (
            SocketSample(at(0), "server", (LISTENER,)),
            differing(1, LISTENER, ANOTHER),
            differing(2, ANOTHER),
        )
    )
    assert history.spans == (RowSpan(LISTENER, 0, 1), RowSpan(ANOTHER, 1, 2))


def test_a_whole_sample_differs_from_nothing() -> None:
    history = SocketHistory(
        (SocketSample(at(0), "server", (LISTENER, OPEN)), SocketSample(at(1), "server", (OPEN,)))
    )
    assert history.spans == (RowSpan(LISTENER, 0, 0), RowSpan(OPEN, 0, 1))


def test_a_host_that_was_not_sampled_has_no_history() -> None:
    assert SocketHistory().spans == ()
    assert histories([]) == {}


def test_differences_tell_what_whole_samples_do() -> None:
    """Whatever comes and goes: sockets that share ends, rows that come back, looks that show nothing new."""
    chance = random.Random(7)
    inodes = [replace(one, inode=inode) for one in (LISTENER, OPEN) for inode in (1, 2)]
    possible = [*inodes, CLOSED, row(TcpState.LISTEN, "[::]:80", "[::]:0")]
    tables = [
        tuple(sorted(chance.sample(possible, chance.randrange(len(possible))), key=order_of))
        for _ in range(200)
    ]
    whole = [SocketSample(at(number), "server", rows) for number, rows in enumerate(tables)]
    different = [whole[0], *(difference(*pair) for pair in pairwise(whole))]
    assert any(len(one.rows) < len(other.rows) for one, other in zip(different, whole, strict=True))
    assert SocketHistory(tuple(different)).spans == SocketHistory(tuple(whole)).spans


def difference(before: SocketSample, now: SocketSample) -> SocketSample:
    """As the agent tells it."""

    def having(sample: SocketSample, where: SocketEnds) -> set[SocketRow]:
        return {one for one in sample.rows if ends(one) == where}

    changed = [one for one in now.rows if having(before, ends(one)) != having(now, ends(one))]
    gone = {ends(one) for one in before.rows} - {ends(one) for one in now.rows}
    return replace(now, rows=tuple(changed), whole=False, gone=tuple(gone))
