"""Telling a person what goes on while a run goes on."""

from __future__ import annotations

from collections.abc import Iterable

from lab.cli.screen import Screen
from lab.evidence.transcript import StepEnded, TranscriptEvent
from lab.output.transcript import step


class Progress:
    """The listener of one run (lab.run.pipeline.ProgressListener): tells it on a screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began: int | None = None

    def say(self, text: str) -> None:
        """Progress in words."""
        self._screen.say(text)

    def event(self, event: TranscriptEvent) -> None:
        """The conversation as it happens: a line for each step, where somebody watches."""
        if self._began is None:
            self._began = event.at
        if self._screen.live and isinstance(event, StepEnded):
            self._screen.tell(step(event, self._began, self._screen.aside))

    def draw(self, lines: Iterable[str]) -> None:
        """The next lines of a drawing."""
        self._screen.show(lines)
