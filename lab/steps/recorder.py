"""Writes the transcript down as things happen, within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import attrgetter

from lab.core import limits
from lab.evidence.transcript import (
    Dropped,
    Exited,
    Input,
    InputEnded,
    Opened,
    Output,
    Started,
    StepEnded,
    Transcript,
    TranscriptEvent,
)


class Recorder:
    """Takes events as they are heard of and tells them on.

    An act is stamped before it is done, a start with the kernel's time, an end as it happens, and output when
    it is heard: so a cause is never stamped later than its effect.
    """

    def __init__(self, clock: Callable[[], int], tell: Callable[[TranscriptEvent], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._events: list[TranscriptEvent] = []
        self._kept = 0
        self._printed: Counter[tuple[str, str]] = Counter()
        self._cut: set[tuple[str, str]] = set()
        self.unplayed = ""

    def now(self) -> int:
        """Nanoseconds since the epoch, on the capture's clock."""
        return self._clock()

    def note(self, event: Started | Opened | Input | InputEnded | Exited | StepEnded) -> None:
        """Something was started, done or ended."""
        self._write(event)

    def printed(self, host: str, program: str, text: str) -> None:
        """A program printed something."""
        key = (host, program)
        kept = text[: self._room(key)]
        self._printed[key] += len(text)
        self._kept += len(kept)
        now = self.now()
        for first in range(0, len(kept), limits.PIECE):
            self._write(Output(now, host, program, kept[first : first + limits.PIECE]))
        if len(kept) < len(text) and key not in self._cut:
            self._cut.add(key)
            self._write(Dropped(now, host, program, limits.PROGRAM_OUTPUT))

    def _room(self, key: tuple[str, str]) -> int:
        """How much more output of a program is kept; what there was is counted in full."""
        if self._is_full:
            return 0
        return max(0, min(limits.PROGRAM_OUTPUT - self._printed[key], limits.OUTPUT - self._kept))

    def transcript(self) -> Transcript:
        """All that was written down, in order of time."""
        return Transcript(tuple(sorted(self._events, key=attrgetter("at"))), self.unplayed)

    def _write(self, event: TranscriptEvent) -> None:
        if not isinstance(event, Input) or not self._is_full:
            self._events.append(event)
            self._tell(event)

    @property
    def _is_full(self) -> bool:
        """Whether there is no room for all the events that are made of one piece of output."""
        return len(self._events) + limits.PROGRAM_OUTPUT // limits.PIECE >= limits.EVENTS
