"""What comes from a program before it may be spoken to, and before its start is written down."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from lab.agent import processes
from lab.evidence.transcript import Output, TranscriptEvent
from lab.steps import program as programs
from lab.steps.matcher import Matcher
from lab.steps.program import Program
from lab.steps.recorder import Recorder

if TYPE_CHECKING:
    from lab.deploy.host import RunningHost


def program(told: list[TranscriptEvent], *, tty: bool) -> Program:
    host = cast("RunningHost", SimpleNamespace(plan=SimpleNamespace(name="a")))
    return Program(host, "p", Recorder(lambda: 1, told.append), Matcher(), tty=tty)


def output(told: list[TranscriptEvent]) -> str:
    return "".join(event.text for event in told if isinstance(event, Output))


def is_set(started: Program) -> bool:
    """Whether who waits for its terminal goes on."""
    return started._set.is_set()  # noqa: SLF001


def test_output_waits_until_the_start_is_written_down() -> None:
    told: list[TranscriptEvent] = []
    started = program(told, tty=True)
    started.data_received(b"\x061 " + "早".encode()[:1])
    started.data_received("早".encode()[1:])
    assert told == []
    started._listen()  # noqa: SLF001 - what start() does once it has written itself down
    started.data_received(b" 2\x06")
    assert output(told) == "1 早 2\x06"


@pytest.mark.parametrize("pieces", [[b"\x06"], [b"noise", b"more\x06and"]])
def test_a_terminal_is_set_when_it_says_so(pieces: list[bytes]) -> None:
    started = program([], tty=True)
    for piece in pieces:
        assert not is_set(started)
        started.data_received(piece)
    assert is_set(started)


def test_a_pipe_needs_no_setting_and_what_never_was_set_has_ended() -> None:
    piped = program([], tty=False)
    piped.connection_made(cast("asyncio.Transport", SimpleNamespace(pause_reading=lambda: None)))
    assert is_set(piped)
    lost = program([], tty=True)
    lost.connection_lost(None)
    assert is_set(lost)


def test_both_ends_know_the_same_marks() -> None:
    for number in (1, 2, 1000):
        mark = programs.FIRST_MARK + (number << 10)
        assert programs.locks_of(mark) == processes.locks_of(mark)
    assert (programs.FIRST_MARK, programs.WRAPPER) == (processes.FIRST_MARK, processes.WRAPPER)
