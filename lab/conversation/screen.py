"""What a program has printed and the script has not consumed yet, and finding something in it."""

from __future__ import annotations

import codecs
import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.scenario.steps import Pattern

Wanted = Callable[[str], bool]

KEPT = 256 * 1024
"""Characters that a screen keeps; what is older can no longer be expected."""

_REGEX_REACH = 64 * 1024
"""Characters a regular expression is tried on: a bound on what a hostile output can make it cost."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern was found in the unconsumed text; ``open`` if more output could make it longer."""

    end: int
    groups: dict[str, str] = field(default_factory=dict)
    open: bool = False


class Screen:
    """One stream of output with one cursor: what ``expect`` finds is consumed."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self.rest = ""
        """What is not consumed."""
        self.ended = False
        self.lost = 0
        """Characters that were pushed out unread."""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """Take output in; a character split between two reads is held back until it is whole."""
        text = self._decode(data, last)
        self.rest += text
        self.ended = self.ended or last
        if len(self.rest) > KEPT:
            self.lost += len(self.rest) - KEPT
            self.rest = self.rest[-KEPT:]
        return text

    def find(self, pattern: Pattern) -> Match | None:
        """The first place where a pattern (its variables filled in) is found, or None."""
        if pattern.text is not None:
            return self._text(pattern.text)
        if pattern.line is not None:
            wanted = pattern.line
            return self._line(lambda line: line == wanted)
        if pattern.glob is not None:
            rule = re.compile(fnmatch.translate(pattern.glob))
            return self._line(lambda line: rule.fullmatch(line) is not None)
        if pattern.regex is not None:
            return self._regex(pattern.regex)
        return Match(len(self.rest)) if self.ended else None

    def consume(self, match: Match) -> str:
        """Move the cursor behind a match; the text that was passed."""
        passed, self.rest = self.rest[: match.end], self.rest[match.end :]
        return passed

    def _text(self, text: str) -> Match | None:
        at = self.rest.find(text)
        return None if at < 0 else Match(at + len(text))

    def _line(self, wanted: Wanted) -> Match | None:
        start = 0
        while (end := self.rest.find("\n", start)) >= 0:
            if wanted(self.rest[start:end].removesuffix("\r")):
                return Match(end + 1)
            start = end + 1
        if self.ended and start < len(self.rest) and wanted(self.rest[start:]):
            return Match(len(self.rest))
        return None

    def _regex(self, expression: str) -> Match | None:
        skipped = max(0, len(self.rest) - _REGEX_REACH)
        found = re.compile(expression, re.MULTILINE).search(self.rest, skipped)
        if found is None:
            return None
        groups = {name: value for name, value in found.groupdict().items() if value is not None}
        return Match(found.end(), groups, open=found.end() == len(self.rest) and not self.ended)


def describe(pattern: Pattern) -> str:
    """A pattern in words."""
    for kind, words in (
        ("text", "the text"),
        ("line", "the line"),
        ("regex", "a match of"),
        ("glob", "a line like"),
    ):
        value = getattr(pattern, kind)
        if value is not None:
            return f"{words} {value!r}"
    return "the end of the output"
