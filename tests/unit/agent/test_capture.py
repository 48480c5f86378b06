"""What tcpdump counts from time to time, and what that says of when frames were lost."""

from __future__ import annotations

from lab.agent.capture import Counts, Tally
from lab.agent.protocol import Drop
from lab.evidence.capture import CaptureFile
from lab.evidence.capture import Drop as Recorded
from tests.judged import text


def counts(dropped: int) -> Counts:
    return Counts(100, 100 + dropped, dropped)


def test_frames_were_lost_between_the_question_before_and_the_answer() -> None:
    tally = Tally(10)
    tally.take(20, 21, counts(0))
    tally.take(30, 31, counts(7))
    tally.take(40, 41, counts(7))
    assert tally.drops == [Drop(20, 31, 7)]
    assert tally.counts == counts(7)


def test_losses_that_follow_each_other_are_one() -> None:
    tally = Tally(10)
    tally.take(20, 21, counts(3))
    tally.take(30, 31, counts(5))
    tally.take(40, 41, counts(5))
    tally.take(50, 51, counts(6))
    assert tally.drops == [Drop(10, 31, 5), Drop(40, 51, 1)]


def test_however_often_frames_are_lost_what_is_told_is_bounded() -> None:
    tally = Tally(0)
    for number in range(1, 5000):
        tally.take(10 * number, 10 * number + 1, counts(number // 2))
    assert len(tally.drops) == 1000
    assert sum(drop.frames for drop in tally.drops) == 2499
    assert tally.drops[-1].ended == 49981


def test_a_full_file_lacks_frames_from_the_last_count_on() -> None:
    tally = Tally(10)
    tally.take(20, 21, counts(0))
    tally.lost(90, 0)
    assert tally.drops == [Drop(20, 90, 0)]


def test_where_frames_are_missing_is_known_of_a_capture_that_was_counted_or_full() -> None:
    whole = CaptureFile("a.pcap", "", 5, 5, 0, sealed=True)
    assert not whole.doubt
    assert whole.bounded
    some = CaptureFile("a.pcap", "", 5, 9, 4, sealed=True, drops=(Recorded(1, 2, 4),))
    assert "dropped 4 frames" in text(some.doubt)
    assert some.bounded
    assert not CaptureFile("a.pcap", "", 5, 9, 4, sealed=True).bounded
    assert not CaptureFile("a.pcap", "", 5, 9, 4, sealed=False, drops=(Recorded(1, 2, 4),)).bounded
    full = CaptureFile("a.pcap", "", -1, -1, -1, sealed=False, full=True, drops=(Recorded(1, 2, 0),))
    assert "largest size" in text(full.doubt)
    assert full.bounded
