"""What a program prints before its start is written down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from lab.conversation.program import Program
from lab.conversation.scribe import Scribe
from lab.transcript import Output, TranscriptEvent

if TYPE_CHECKING:
    from lab.deploy import RunningHost


def test_output_waits_until_the_start_is_written_down() -> None:
    told: list[TranscriptEvent] = []
    host = cast("RunningHost", SimpleNamespace(plan=SimpleNamespace(name="a")))
    program = Program(host, "p", True, Scribe(lambda: 1, told.append))
    program.data_received("1 早".encode()[:3])
    program.data_received("1 早".encode()[3:])
    assert told == []
    program._listen(b"0 ")  # noqa: SLF001 - what start() does once it has written itself down
    program.data_received(b" 2")
    assert "".join(event.text for event in told if isinstance(event, Output)) == "0 1 早 2"
