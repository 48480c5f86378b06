"""Writes the transcript down as things happen, within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import attrgetter

from lab.transcript import Dropped, Exited, Input, Output, Started, StepEnded, Transcript, TranscriptEvent

OUTPUT_LIMIT = 1024 * 1024
"""Characters of one program's output that are kept; the rest is only counted."""

EVENT_LIMIT = 200_000
"""Events of a run that are kept: a script that loops must not eat the memory."""


class Scribe:
    """Takes events as they are heard of and tells them on.

    An act is stamped before it is done, a start with the kernel's time, an end as it happens, and output when
    it is heard: so a cause is never stamped later than its effect.
    """

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

    def note(self, event: Started | Input | Exited | StepEnded) -> None:
        """Something was started, done or ended."""
        self._write(event)

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

    def transcript(self) -> Transcript:
        """All that was written down, in order of time."""
        return Transcript(tuple(sorted(self._events, key=attrgetter("at"))), self.unplayed)

    def _write(self, event: TranscriptEvent) -> None:
        if len(self._events) < EVENT_LIMIT or not isinstance(event, Output | Input):
            self._events.append(event)
            self._tell(event)
