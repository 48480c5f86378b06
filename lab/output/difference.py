"""Two texts one below the other, with a mark under each character that is different."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from lab.core.quote import quoted
from lab.evidence.verdict import Difference
from lab.output.style import columns

_AROUND = 30
"""Characters shown before the first difference and after the last, of longer texts."""

_MARK = "^"


def side_by_side(difference: Difference) -> Iterator[tuple[str, str]]:
    """Lines, each with its label: what was expected and what was there, as they are written in Python.

    A line without a label marks what is different in the one above.
    """
    expected, observed = _excerpts(quoted(difference.expected), quoted(difference.observed))
    marks = _marks(expected, observed)
    for label, text, marked in zip(("expected", "observed"), (expected, observed), marks, strict=True):
        yield label, text
        if marked:
            yield "", _below(text, marked)


def _marks(expected: str, observed: str) -> tuple[set[int], set[int]]:
    """The places in each of the texts that the other has not."""
    there: set[int] = set()
    here: set[int] = set()
    matcher = SequenceMatcher(None, expected, observed, autojunk=False)
    for tag, first, last, begin, end in matcher.get_opcodes():
        if tag != "equal":
            there.update(range(first, last))
            here.update(range(begin, end))
    return there, here


def _below(text: str, marked: set[int]) -> str:
    """Marks below the places of a text, as wide as its characters."""
    return "".join(
        (_MARK if place in marked else " ") * columns(character) for place, character in enumerate(text)
    ).rstrip()


def _excerpts(one: str, other: str) -> tuple[str, str]:
    """The texts without what they have in common long before and long after they differ."""
    head = _common(one, other)
    tail = min(_common(one[::-1], other[::-1]), min(len(one), len(other)) - head)
    skip, drop = max(0, head - _AROUND), max(0, tail - _AROUND)
    return _cut(one, skip, drop), _cut(other, skip, drop)


def _cut(text: str, skip: int, drop: int) -> str:
    return ("..." if skip else "") + text[skip : len(text) - drop] + ("..." if drop else "")


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
