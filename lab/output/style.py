"""How text is laid out: colours, signs, and the width of a screen, which Chinese fills twice as fast."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from lab.core.escape import escape
from lab.core.words import Outcome

NARROWEST = 20
"""Columns that a paragraph is given at least, however narrow the screen."""

LONGEST = 4000
"""Characters of a paragraph that are shown."""


class Ink(StrEnum):
    """Colours by their meaning, as SGR parameters (ECMA-48, 8.3.117)."""

    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    BAD = "31"
    UNSURE = "33"


_SIGNS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.INCONCLUSIVE: "?", Outcome.SKIPPED: "-"}
_INKS = {
    Outcome.PASS: Ink.GOOD,
    Outcome.FAIL: Ink.BAD,
    Outcome.INCONCLUSIVE: Ink.UNSURE,
    Outcome.SKIPPED: Ink.FAINT,
}
_PLAIN_SIGNS = {"✓": "+", "✗": "x"}


class Style(Struct, frozen=True):
    """What the screen can do: its columns, and whether it shows colours and characters beyond ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, *inks: Ink) -> str:
        """The text in a colour, where there are any."""
        if not self.colour or not inks or not text:
            return text
        return f"\x1b[{';'.join(inks)}m{text}\x1b[0m"

    def sign(self, outcome: Outcome) -> str:
        """The outcome in one character."""
        sign = _SIGNS[outcome]
        return sign if self.unicode else _PLAIN_SIGNS.get(sign, sign)

    def ink(self, outcome: Outcome) -> Ink:
        """The colour of an outcome."""
        return _INKS[outcome]

    def paragraph(
        self, text: str, *inks: Ink, indent: int = 0, label: str = "", label_ink: Ink | None = None
    ) -> Iterator[str]:
        """Text of any origin, made harmless and broken to the screen's width.

        ``label`` stands before its first line, in the ``indent`` columns that the others leave free.
        """
        room = max(self.width - indent, NARROWEST)
        margin = label + " " * (indent - columns(label))
        if label and not margin.endswith(" "):
            margin += " "
        if label_ink is not None:
            margin = self.paint(margin, label_ink)
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]} ... ({len(text) - LONGEST} more characters)"
        for line in wrap(escape(text).expandtabs(4), room):
            yield (margin + self.paint(line, *inks)).rstrip()
            margin = " " * indent

    def table(self, rows: Iterable[tuple[str, ...]], headings: tuple[str, ...]) -> Iterator[str]:
        """Rows under headings, two blanks apart; where the screen is too narrow, a block for each row."""
        shown = [tuple(escape(cell).replace("\n", " ") for cell in row) for row in rows]
        widths = [max(map(columns, column)) for column in zip(headings, *shown, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= self.width:
            yield self.paint(_row(headings, widths), Ink.FAINT)
            yield from (_row(row, widths) for row in shown)
            return
        label = max(map(columns, headings)) + 2
        for row in shown:
            for heading, cell in zip(headings, row, strict=True):
                yield from self.paragraph(cell, indent=label, label=heading)
            yield ""


def _row(cells: Iterable[str], widths: Iterable[int]) -> str:
    filled = (cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(filled).rstrip()


def columns(text: str) -> int:
    """The columns a text takes on a screen (Unicode, annex 11: wide and full-width characters take two)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most ``width`` columns, broken at blanks where there are any."""
    for line in text.split("\n"):
        while columns(line) > width and len(line) > 1:
            end = _fitting(line, width)
            blank = line.rfind(" ", 1, end + 1)
            cut = blank if blank > 0 and line[:blank].strip() else end
            yield line[:cut].rstrip()
            line = line[cut:].lstrip(" ")  # noqa: PLW2901 - the loop eats the line from its left
        yield line


def _fitting(line: str, width: int) -> int:
    """How many characters of a line fit, at least one."""
    used = 0
    for position, character in enumerate(line):
        used += _columns(character)
        if used > width:
            return max(position, 1)
    return len(line)


def cut(line: str, width: int) -> str:
    """As much of a line as fits, with three dots where that is not all of it."""
    return line if columns(line) <= width else f"{line[: _fitting(line, max(width - 3, 1))]}..."
