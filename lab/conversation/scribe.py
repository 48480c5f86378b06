"""Writes the transcript down as things happen, within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lab.transcript import Dropped, Exited, Input, Output, Started, StepEnded, Transcript, TranscriptEvent

OUTPUT_LIMIT = 1024 * 1024
"""Characters of one program's output that are kept; the rest is only counted."""

EVENT_LIMIT = 200_000
"""Events of a run that are kept: a script that loops must not eat the memory."""


class Scribe:
    """Takes events in the order they happen and tells them on."""

    def __init__(self, clock: Callable[[], int], tell: Callable[[TranscriptEvent], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._events: list[TranscriptEvent] = []
        self._printed: Counter[tuple[str, str]] = Counter()
        self._cut: set[tuple[str, str]] = set()
        self.unplayed = ""

    def now(self) -> int:
        """Nanoseconds since the epoch, on the capture's clock."""
        return self._clock()

    def started(self, host: str, program: str, step: str, command: str, pid: int) -> None:
        """A program was started."""
        self._write(Started(self.now(), host, program, step, command, pid))

    def printed(self, host: str, program: str, text: str) -> None:
        """A program printed something."""
        key = (host, program)
        room = OUTPUT_LIMIT - self._printed[key] if len(self._events) < EVENT_LIMIT else 0
        self._printed[key] += len(text)
        kept = text[: max(0, room)]
        if kept:
            self._write(Output(self.now(), host, program, kept))
        if len(kept) < len(text) and key not in self._cut:
            self._cut.add(key)
            self._write(Dropped(self.now(), host, program, OUTPUT_LIMIT))

    def typed(self, host: str, program: str, step: str, kind: str, text: str) -> None:
        """The script gave a program input, a key or a signal."""
        self._write(Input(self.now(), host, program, step, kind, text))

    def exited(self, at: int, host: str, program: str, status: int) -> None:
        """A program ended."""
        self._write(Exited(at, host, program, status))

    def step_ended(self, event: StepEnded) -> None:
        """A step was played."""
        self._write(event)

    def transcript(self) -> Transcript:
        """All that was written down."""
        return Transcript(tuple(self._events), self.unplayed)

    def _write(self, event: TranscriptEvent) -> None:
        if len(self._events) < EVENT_LIMIT or not isinstance(event, Output | Input):
            self._events.append(event)
            self._tell(event)
