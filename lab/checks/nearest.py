"""What was printed that is most like a text that was expected and is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from lab.evidence.verdict import Difference

_ALIKE = 0.75
"""From so much likeness on (of 1) a text counts as meant to be the other."""

_BARE = 0.95
"""How alike texts are of which only case, spaces and punctuation differ, at the least."""

_SHORT = 4
"""Letters and digits below which a text is like a great many: then only such texts are shown."""

_EFFORT = 300_000
"""Pairs of characters that are compared at the most, from the last line back: work of a moment."""

_LONGEST = 300
"""Characters of a line, and of an expected text, that are compared."""


def nearest(text: str, lines: Iterable[str], *, whole: bool) -> Difference | None:
    """The line, or unless it is to be ``whole`` the part of one, that is most like a text but not the same.

    None if nothing is like it. Case, spaces and punctuation count least.
    """
    wanted = text[:_LONGEST]
    best, likeness, effort = "", _ALIKE, 0
    for line in reversed(list(dict.fromkeys(lines))):
        effort += len(wanted) * min(len(line), _LONGEST)
        if effort > _EFFORT:
            break
        for candidate in [line] if whole else _parts(wanted, line[:_LONGEST]):
            found = _likeness(wanted, candidate[:_LONGEST], likeness)
            if candidate != text and (found > likeness or (found == likeness and not best)):
                best, likeness = candidate, found
    return Difference(text, best) if best else None


def _parts(wanted: str, line: str) -> Iterator[str]:
    """The parts of a line that lie beside the text where most of it agrees; all of a short one."""
    if len(line) <= len(wanted):
        yield line
        return
    for one, other in ((wanted, line), (wanted.casefold(), line.casefold())):
        match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
        start = max(0, min(match.b - match.a, len(line) - len(wanted)))
        yield line[start : start + len(wanted)]


def _likeness(one: str, other: str, least: float) -> float:
    """How alike two texts are, from 0 to 1; less than ``least`` need not be exact."""
    letters = _bare(one)
    bare = _BARE if letters and letters == _bare(other) else 0.0
    if len(letters) < _SHORT:
        return bare
    return max(bare, _ratio(one, other, least), _BARE * _ratio(one.casefold(), other.casefold(), least))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _ratio(one: str, other: str, least: float) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= least else 0.0
