"""Long conversations made short: runs of rows that say the same again become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.output.ladder.labels import ICMP
from lab.output.ladder.rows import Folded, Packet, Row, Said
from lab.wire.packets import ACK, PSH

_SHOWN_FIRST, _SHOWN_LAST = 4, 2
"""Rows of a run that stay at its beginning and its end."""

_WORTH = 3
"""Rows that are at least put away: a row that says so stands in their place."""


def folded(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with the middle of each run of plain segments, or of printed lines of a host, counted only."""
    run: _Run | None = None
    for row in rows:
        kind = _kind(row)
        if run and run.kind != kind:
            yield from run.close()
            run = None
        if not kind:
            yield row
            continue
        run = run or _Run(kind)
        yield from run.take(row)
    if run:
        yield from run.close()


class _Run:
    """Rows of a kind, one after another: the first go through, the last are kept, the others counted."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._taken = 0
        self._count = self._bytes = 0
        self._time = 0
        self._last: list[Row] = []

    def take(self, row: Row) -> Iterator[Row]:
        """The row, if it is one of the first."""
        self._taken += 1
        if self._taken <= _SHOWN_FIRST:
            yield row
            return
        self._last.append(row)
        if len(self._last) >= _SHOWN_LAST + _WORTH:
            self._put_away(self._last.pop(0))

    def _put_away(self, row: Row) -> None:
        self._time = self._time or row.time
        self._count += 1
        self._bytes += row.length if isinstance(row, Packet) else 0

    def close(self) -> Iterator[Row]:
        """What is left: how many are not shown, and the last."""
        while self._count and len(self._last) > _SHOWN_LAST:
            self._put_away(self._last.pop(0))
        if self._count:
            yield Folded(self._time, self._told())
        yield from self._last

    def _told(self) -> str:
        if self.kind not in {"segments", "datagrams", "ICMP messages"}:
            return f"{self._count} more lines printed"
        return f"{self._count} more {self.kind}" + (f", {self._bytes} bytes" if self._bytes else "")


def _kind(row: Row) -> str:
    """What runs a row may be part of, empty if it must be seen."""
    if isinstance(row, Said) and row.kind == "printed":
        return f"lines of {row.host}"
    if not isinstance(row, Packet) or not _is_plain(row):
        return ""
    if row.datagram.startswith(ICMP):
        return "ICMP messages"
    return "datagrams" if row.datagram else "segments"


def _is_plain(packet: Packet) -> bool:
    """Whether it is data or an acknowledgement to which nothing happened."""
    ordinary = not packet.flags & ~(ACK | PSH) and packet.fate == "arrived" and not packet.mark
    return ordinary and packet.blamed is None and packet.states == ((), ())
