"""The transcript as it is written down: in order, and within bounds."""

from __future__ import annotations

from itertools import count

import pytest

from lab.core import limits
from lab.core.limits import PIECE, PROGRAM_OUTPUT
from lab.core.words import Outcome
from lab.evidence.transcript import Dropped, Exited, Input, Output, Started, StepEnded, TranscriptEvent
from lab.steps.recorder import Recorder


def writer() -> tuple[Recorder, list[TranscriptEvent]]:
    told: list[TranscriptEvent] = []
    return Recorder(count(1).__next__, told.append), told


def test_events_are_kept_and_told_in_their_order() -> None:
    pen, told = writer()
    pen.note(Started(0, "a", "p", "1", "./p", 7))
    pen.printed("a", "p", "hello")
    pen.note(Input(2, "a", "p", "2", "text", "hi\n"))
    pen.note(Exited(99, "a", "p", 0))
    pen.note(StepEnded(100, 99, "2", "x.yaml:1:1", "a", "send 'hi'", Outcome.PASS))
    pen.unplayed = "3"
    assert [type(event) for event in told] == [Started, Output, Input, Exited, StepEnded]
    assert [event.at for event in told] == [0, 1, 2, 99, 100]
    assert pen.transcript().events == tuple(told)
    assert pen.transcript().unplayed == "3"


def test_the_transcript_is_in_order_of_time_whenever_something_was_heard_of() -> None:
    pen, _ = writer()
    pen.printed("b", "q", "they came")
    pen.note(Input(0, "a", "p", "2", "signal", "SIGTERM"))
    pen.printed("b", "q", "they left")
    pen.note(Exited(1, "a", "p", 143))
    assert [(event.at, type(event)) for event in pen.transcript().events] == [
        (0, Input),
        (1, Output),
        (1, Exited),
        (2, Output),
    ]


def test_an_empty_output_is_none() -> None:
    pen, told = writer()
    pen.printed("a", "p", "")
    assert told == []


def test_so_much_of_each_programs_output_is_kept() -> None:
    pen, told = writer()
    pen.printed("a", "p", "x" * (PROGRAM_OUTPUT - 1))
    pen.printed("a", "p", "yz")
    pen.printed("a", "p", "more")
    pen.printed("a", "q", "another program")
    texts = [event.text for event in told if isinstance(event, Output)]
    assert max(map(len, texts)) == PIECE
    assert [text[-2:] for text in texts[-3:]] == ["xx", "y", "am"]
    assert sum(map(len, texts)) == PROGRAM_OUTPUT + len("another program")
    assert [event for event in told if isinstance(event, Dropped)] == [Dropped(2, "a", "p", PROGRAM_OUTPUT)]


def test_exactly_as_much_as_is_kept_loses_nothing() -> None:
    pen, told = writer()
    pen.printed("a", "p", "x" * PROGRAM_OUTPUT)
    assert not any(isinstance(event, Dropped) for event in told)


def test_output_for_which_there_is_no_event_left_is_told_as_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS", 3 + 16)
    pen, told = writer()
    for _ in range(10):
        pen.printed("a", "p", "x")
    pen.note(Input(40, "a", "p", "1", "text", "too much"))
    pen.note(Exited(50, "a", "p", 0))
    assert [type(event) for event in told] == [Output, Output, Output, Dropped, Exited]


def test_so_much_of_all_output_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTPUT", 5)
    pen, told = writer()
    for program in ("p", "q", "r"):
        pen.printed("a", program, "xxx")
    assert [event.text for event in told if isinstance(event, Output)] == ["xxx", "xx"]
    assert [event.program for event in told if isinstance(event, Dropped)] == ["q", "r"]
