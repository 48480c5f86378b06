"""Frames that queue between two ports of the switch are paired however many they are."""

from __future__ import annotations

from lab.wire.packets.segment import Segment
from lab.wire.tcp.pairs import Pairs


def seen(frame: int, *, leaving: bool, seq: int = 1) -> Segment:
    return Segment(frame, frame * 1000, (1, leaving, 0), b"", seq, 0, 4, 0, 0, 0, 0)


def test_a_thousand_equal_frames_in_a_queue_are_all_paired() -> None:
    pairs = Pairs()
    for leaving in (False, True):
        for number in range(1000):
            pairs.see(seen(number + 1000 * leaving, leaving=leaving))
    assert pairs.unpaired() == []


def test_a_queue_behind_a_burst_that_was_dropped_is_paired() -> None:
    pairs = Pairs()
    for number in range(2000):
        pairs.see(seen(number, leaving=False, seq=number))
    for number in range(1000, 2000):
        pairs.see(seen(number + 1000, leaving=True, seq=number))
    dropped = pairs.unpaired()
    assert [one.frame for one in dropped] == [*range(63), 999]
    assert pairs.crossed == 1999


def test_frames_that_only_left_are_named_beside_many_that_only_entered() -> None:
    pairs = Pairs()
    for number in range(10_000):
        pairs.see(seen(number, leaving=False, seq=number))
    pairs.see(seen(10_000, leaving=True, seq=70_000))
    *entered, left = pairs.unpaired()
    assert (left.frame, left.leaving) == (10_000, True)
    assert [one.frame for one in entered] == [*range(63), 9999]


def test_more_frames_than_are_kept_are_unpaired_at_once_the_oldest_first() -> None:
    pairs = Pairs()
    for number in range(5000):
        pairs.see(seen(number, leaving=False, seq=number))
    pairs.see(seen(5000, leaving=True, seq=0))
    pairs.see(seen(5001, leaving=True, seq=4999))
    assert [one.frame for one in pairs.unpaired() if one.leaving] == [5000]
