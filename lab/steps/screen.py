"""What a program has printed and the script has not consumed yet, and finding something in it."""

from __future__ import annotations

import codecs
import fnmatch
import re
from collections.abc import Callable

from msgspec import Struct, field

from lab.core.quote import quoted
from lab.scenario.steps import Pattern

Wanted = Callable[[str], bool]

KEPT = 256 * 1024
"""Characters that a screen keeps; what is older can no longer be expected."""

_END_OF_LINE = re.compile(r"[ \t]*\r?(\n|\Z)")


class Match(Struct, frozen=True):
    """Where a pattern was found, ``end`` counted from the first output; ``open`` if more may lengthen it."""

    end: int
    groups: dict[str, str] = field(default_factory=dict)
    open: bool = False


class Screen:
    """One stream of output with one cursor: what ``expect`` finds is consumed."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._before = "\n"
        """The character before the cursor."""
        self.rest = ""
        """What is not consumed."""
        self.consumed = 0
        """Characters that were consumed."""
        self.lost = 0
        """Characters that were pushed out unread."""
        self.ended = False

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """Take output in; a character split between two reads is held back until it is whole."""
        text = self._decode(data, last)
        self.rest += text
        self.ended = self.ended or last
        excess = len(self.rest) - KEPT
        if excess > 0:
            self.lost += excess
            self._pass(excess)
        return text

    @property
    def start(self) -> int:
        """How many characters were printed before the first that is not consumed."""
        return self.consumed + self.lost

    @property
    def printed(self) -> int:
        """How many characters were printed."""
        return self.start + len(self.rest)

    @property
    def unread(self) -> str:
        """What nobody has asked for: not the end of the line in which the last match ended."""
        own = _END_OF_LINE.match(self.rest) if self._before != "\n" else None
        return self.rest[own.end() :] if own else self.rest

    def find(self, pattern: Pattern) -> Match | None:
        """The first place where a pattern (its variables filled in) is found, or None.

        Not that of a regular expression: see :mod:`lab.steps.matcher`.
        """
        end = self._find(pattern)
        return None if end is None else Match(self.start + end)

    def consume(self, match: Match) -> str:
        """Move the cursor behind a match; the text that was passed."""
        passed = self.rest[: match.end - self.start] if match.end > self.start else ""
        self.consumed += len(passed)
        self._pass(len(passed))
        return passed

    def _pass(self, count: int) -> None:
        if count:
            self._before, self.rest = self.rest[count - 1], self.rest[count:]

    def _find(self, pattern: Pattern) -> int | None:
        """Where the first match in what is not consumed ends."""
        if pattern.text is not None:
            at = self.rest.find(pattern.text)
            return None if at < 0 else at + len(pattern.text)
        if pattern.bytes is not None:
            return self._bytes(pattern.bytes)
        if pattern.line is not None:
            wanted = pattern.line
            return self._line(lambda line: line == wanted)
        if pattern.glob is not None:
            rule = re.compile(fnmatch.translate(pattern.glob))
            return self._line(lambda line: rule.fullmatch(line) is not None)
        return len(self.rest) if self.ended else None

    def _bytes(self, wanted: bytes) -> int | None:
        """Where bytes end that need not be whole characters: what is cut in two is then two."""
        said = self.rest.encode("utf-8", "surrogateescape")
        at = said.find(wanted)
        if at < 0:
            return None
        before = said[: at + len(wanted)].decode("utf-8", "surrogateescape")
        self.rest = before + said[at + len(wanted) :].decode("utf-8", "surrogateescape")
        return len(before)

    def _line(self, wanted: Wanted) -> int | None:
        start = 0
        while (end := self.rest.find("\n", start)) >= 0:
            if wanted(self.rest[start:end].removesuffix("\r")):
                return end + 1
            start = end + 1
        if self.ended and start < len(self.rest) and wanted(self.rest[start:]):
            return len(self.rest)
        return None


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
            return f"{words} {quoted(value)}"
    if pattern.bytes is not None:
        return f"the bytes {pattern.bytes.hex(' ')}"
    return "the end of the output"
