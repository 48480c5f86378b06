"""A ladder without an end: rows are appended, so that any terminal and any pipe will do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lab.output.ladder.rows import OUTSIDE, Entered, Numbered, Packet, Row
from lab.output.ladder.text import SECONDS, Ladder
from lab.output.style import Style

_LONGEST = 9_999 * 10**9
"""Nanoseconds for which times keep their column."""

_MANY = 99
"""Connections for whose numbers there is room at first."""


class Scroll:
    """Draws rows as they come, in seconds since ``origin`` (ns).

    ``hosts`` are the columns, each with an address. A column for strangers is added when the first comes, and
    one for the next digit of connections' numbers; the hosts' names are then shown again.
    """

    def __init__(self, hosts: Sequence[tuple[str, str]], origin: int, style: Style) -> None:
        self._hosts = list(hosts)
        self._origin = origin
        self._style = style
        self._many = _MANY
        self._ladder: Ladder | None = None

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The next lines."""
        for row in rows:
            stranger = OUTSIDE in _hosts_of(row)
            if stranger and (OUTSIDE, "") not in self._hosts:
                self._hosts.append((OUTSIDE, ""))
                self._ladder = None
            while isinstance(row, Numbered) and row.number > self._many:
                self._many = 10 * self._many + 9
                self._ladder = None
            if self._ladder is None:
                span = self._origin, self._origin + _LONGEST
                self._ladder = Ladder(self._hosts, self._origin, span, self._many, self._style, unit=SECONDS)
                yield from self._ladder.head()
            yield from self._ladder.row(row)


def _hosts_of(row: Row) -> tuple[str, ...]:
    if isinstance(row, Packet):
        return row.source, row.target
    return (row.host,) if isinstance(row, Entered) else ()
