"""Where everything of a ladder stands on a screen, and the lines it is drawn on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from msgspec import Struct

from lab.output.style import NARROWEST, columns

STATE = 13
"""Columns of the widest state, SYN_RECEIVED, and a blank."""

_ROOMY = 19
"""Columns between hosts from which on an arrow can carry words."""

_WIDEST = 48
"""Columns between hosts at most: the eye has to find its way."""

_WORDS = 36
"""Columns for the words beside columns that are too narrow for any."""

_NARROWEST = 4
"""Columns from one host to the next at least."""

_TITLE = 2 * (STATE - 1)
"""Columns of a title over a lane at most: half of it stands where states do beside the outermost lanes."""


class Signs(Struct, frozen=True):
    """What lines are drawn with."""

    lane: str = "│"
    folded: str = "┊"
    body: str = "─"
    crossing: str = "┼"
    to_left: str = "◀"
    to_right: str = "▶"
    lost: str = "✗"
    from_left: str = "├"
    from_right: str = "┤"
    event: str = "●"
    towards: str = "→"


ASCII = Signs("|", ":", "-", "+", "<", ">", "x", "|", "|", "*", "->")


class Layout(Struct, frozen=True):
    """The columns of a ladder.

    ``lanes`` are the hosts' columns, ``left`` is where they may begin, ``gap`` the columns between two of
    them. ``words`` is where words stand that have no room between the lanes; 0 where they have. Where the
    screen has no room for lanes and words there are no lanes.
    """

    width: int
    left: int
    gap: int
    lanes: Mapping[str, int]
    words: int = 0

    @classmethod
    def of(cls, hosts: Sequence[str], width: int, left: int) -> Self:
        """The layout for a screen of that width; ``left`` columns are taken."""
        beside = width - left - 2 * STATE - len(hosts)
        gap = min(beside // max(len(hosts) - 1, 1), _WIDEST)
        if gap >= _ROOMY:
            lanes = {host: left + STATE + number * (gap + 1) for number, host in enumerate(hosts)}
            return cls(width, left, gap, lanes)
        longest = max(map(len, hosts)) + 2
        step = max(_NARROWEST, min((width - left - _WORDS) // len(hosts), longest))
        words = left + step * len(hosts)
        if words + NARROWEST > width:
            return cls(max(width, left + NARROWEST), left, 0, {}, left)
        lanes = {host: left + number * step for number, host in enumerate(hosts)}
        return cls(width, left, step - 1, lanes, words)

    @property
    def title(self) -> int:
        """Columns that a title over a lane may take."""
        return self.gap if self.words else min(self.gap, _TITLE)

    def beside(self, host: str) -> tuple[int, int, bool]:
        """Where a text beside a lane may stand, from and to; whether that is on the right of the lane.

        It is there that more room is up to the next lane.
        """
        at, lanes = self.lanes[host], [*self.lanes.values()]
        before = max((lane + 1 for lane in lanes if lane < at), default=self.left)
        after = min((lane for lane in lanes if lane > at), default=self.width)
        right = after - at - 2 >= at - 1 - before
        return (at + 2, after, True) if right else (before, at - 1, False)


class Line:
    """A line of the screen, the lanes drawn; a wide character takes two of its cells."""

    def __init__(self, layout: Layout, lane: str) -> None:
        self._cells = [" "] * layout.width
        for at in layout.lanes.values():
            self._cells[at] = lane

    def write(self, at: int, text: str) -> None:
        """Put text over what is there; what does not fit is left out."""
        for character in text:
            size = columns(character)
            if at < 0 or at + size > len(self._cells):
                return
            if size:
                self._cells[at : at + size] = [character, *[""] * (size - 1)]
                at += size
            elif at:  # it combines with the one before
                self._cells[at - 1] += character

    def fill(self, cells: Iterable[int], sign: str, crossing: str) -> None:
        """Draw a line through cells; where it meets a lane it crosses it."""
        for at in cells:
            self._cells[at] = sign if self._cells[at] == " " else crossing

    def __str__(self) -> str:
        return "".join(self._cells).rstrip()
