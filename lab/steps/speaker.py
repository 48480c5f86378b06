"""Somebody the script speaks with: what it says is on a screen, where ``expect`` finds and consumes it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

from lab.evidence.facts import CannotMatch, Described, Life, Noun, StepFact, Verb
from lab.scenario.steps import Pattern
from lab.steps.failure import StepFailure
from lab.steps.matcher import Matcher, MatchError
from lab.steps.screen import Match, Screen, describe

_SETTLE_SECONDS = 0.03
"""A regular expression that reaches to the end of the output is taken when nothing came for so long."""


class Speaker(ABC):
    """What actions know of a program, a connection or several."""

    name: str
    noun: ClassVar[Noun] = "program"
    verb: ClassVar[Verb] = "printed"
    """What was done with what is on the screen."""
    tty: bool = False
    """Whether it is on a terminal."""
    screen: Screen
    matching: bool = False
    """Whether a regular expression is being matched, or was when the step ran out of time."""

    @property
    @abstractmethod
    def takes_input(self) -> bool:
        """Whether it can be given any."""

    @abstractmethod
    async def say(self, data: bytes) -> None:
        """Give it input. StepFailure if it cannot be given."""

    @abstractmethod
    async def expect(self, pattern: Pattern) -> Match | None:
        """Wait for output and consume it; None if the output ended without it. Endless without a time-out."""

    @abstractmethod
    async def until_unread(self) -> str:
        """Wait until it has said what nobody has asked for; what that is. Endless without a time-out."""

    @abstractmethod
    def life(self) -> Life:
        """Whether it is still there."""

    @abstractmethod
    def unsaid(self) -> StepFact:
        """Why it can say no more."""


class OneSpeaker(Speaker):
    """A speaker with one screen."""

    def __init__(self, name: str, matcher: Matcher) -> None:
        self.name = name
        self.screen = Screen()
        self._matcher = matcher
        self._heard = 0
        """How often something was heard of its output."""
        self._changed = asyncio.Event()

    async def expect(self, pattern: Pattern) -> Match | None:
        while True:
            heard, ended, consumed = self._heard, self.screen.ended, self.screen.consumed
            match = await self.find(pattern)
            if self.screen.consumed != consumed:
                continue  # by another branch of the script, while this one looked
            if match is not None and not (match.open and await self._more(heard)):
                self.screen.consume(match)
                return match
            if match is None:
                if ended:
                    return None
                await self._beyond(heard)

    async def find(self, pattern: Pattern) -> Match | None:
        """The first place where a pattern is found in what it has said, or None."""
        if pattern.regex is None:
            return self.screen.find(pattern)
        self.matching = True
        try:
            match = await self._matcher.search(pattern.regex, self.screen)
        except MatchError as error:
            wanted = Described(describe(pattern))
            raise StepFailure(wanted, CannotMatch(error.what), self.screen.rest) from None
        self.matching = False
        return match

    async def until_unread(self) -> str:
        printed = self.screen.printed
        while not self.screen.unread and self.screen.start <= printed:
            await self._beyond(self._heard)
        return self.screen.unread

    def hear(self) -> None:
        """Something has happened to its output."""
        self._heard += 1
        self._changed.set()

    async def _beyond(self, heard: int) -> None:
        """Wait until something more was heard than that."""
        while self._heard == heard:
            self._changed.clear()
            await self._changed.wait()

    async def _more(self, heard: int) -> bool:
        """Whether more output comes within the settling time."""
        try:
            await asyncio.wait_for(self._beyond(heard), _SETTLE_SECONDS)
        except TimeoutError:
            return False
        return True
