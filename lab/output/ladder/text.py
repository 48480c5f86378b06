"""The ladder as plain text: a column a host, time downwards.

::

     ms            server              client_a
    0.000          │◀────── SYN 0 ─────┤ SYN_SENT

States stand beside the end that comes into them, the first bytes of data on the arrow, or below it where it
has no room. No text stands on a column of a host. Where the hosts are too many for the screen, the columns
move together and the words stand to the right of them; where they are too many for that, there are no columns
and each row names its hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from lab.core.escape import one_line
from lab.output.ladder import labels
from lab.output.ladder.canvas import ASCII, Layout, Line, Signs
from lab.output.ladder.rows import (
    Accepted,
    Broke,
    Entered,
    Folded,
    Numbered,
    Opened,
    Packet,
    Queued,
    Row,
    Said,
)
from lab.output.style import NARROWEST, Ink, Style, columns, cut, wrap

_WORDY = 34
"""Columns between hosts from which on packets are told in Wireshark's words."""

_SHORT_OF = 3
"""Columns before its target at which the arrow of a lost packet ends."""

_LONGEST = 120
"""Columns of what is shown of a line that a program printed: it may be broken into several."""

_FIELD = 10
"""Columns for the names of what a check expected and observed."""

_MOST_BYTES = 48
"""Columns for the first bytes of data where they stand among words."""


class Unit(NamedTuple):
    """What times are told in: its name and how many ns it is."""

    name: str
    ns: float


MILLISECONDS = Unit("ms", 1e6)
SECONDS = Unit("s", 1e9)


class Ladder:
    """Draws rows.

    ``hosts`` are the columns, each with an address; ``origin`` is the time (ns) that counts as 0, ``span``
    the times of the first and the last row, ``connections`` how many there are,
    ``unit`` what times are told in.
    """

    def __init__(
        self,
        hosts: Sequence[tuple[str, str]],
        origin: int,
        span: tuple[int, int],
        connections: int,
        style: Style,
        *,
        unit: Unit = MILLISECONDS,
    ) -> None:
        self._hosts = hosts
        self._origin = origin
        self._unit = unit
        self._style = style
        self._signs = Signs() if style.unicode else ASCII
        self._clock = max(len(self._when(time)) for time in span)
        # A connection's number is told where there are several.
        self._numbers = len(str(connections)) + 1 if connections > 1 else 0
        left = self._clock + 1 + self._numbers
        self._layout = Layout.of([name for name, _ in hosts], style.width, left)

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The whole drawing."""
        yield from self.head()
        for row in rows:
            yield from self.row(row)

    def row(self, row: Row) -> Iterator[str]:
        """A row, in a line or several."""
        match row:
            case Packet() if row.source == row.target:
                yield from self._beside(row.source, self._to_itself(row), row)
            case Packet():
                yield from self._packet(row)
            case Said() | Entered() | Queued() | Accepted():
                yield from self._beside(row.host, labels.event(row), row)
            case Opened():
                told = one_line(labels.opened(row, self._signs.towards))
                yield from self._style.paragraph(told, Ink.FAINT, indent=self._layout.left)
            case Folded():
                yield from self._between(f"... {row.what}")
            case Broke():
                yield from self._broke(row)

    # Above

    def head(self) -> Iterator[str]:
        """The hosts over their columns; those whose name or address is too long are told above them."""
        names = {name: one_line(name) for name, _ in self._hosts}
        addresses = {name: one_line(address) for name, address in self._hosts}
        named, addressed = self._fit(names.values()), self._fit(addresses.values())
        if not self._layout.lanes:
            yield self._unit.name.rjust(self._clock)
            return
        if not named:
            names = {name: str(number) for number, name in enumerate(names, start=1)}
        told = {name: addresses[name] for name in names if not (addressed or self._layout.words)}
        if told or not named:
            legend = (
                " ".join(filter(None, [f"{short}={one_line(name)}" if not named else short, told.get(name)]))
                for name, short in names.items()
            )
            yield from self._style.paragraph("  ".join(legend), indent=self._layout.left)
        yield self._titles(names, self._unit.name)
        if addressed and not self._layout.words:
            yield self._titles(addresses)

    def _fit(self, titles: Iterable[str]) -> bool:
        return all(columns(title) <= self._layout.title for title in titles)

    def _titles(self, titles: Mapping[str, str], clock: str = "") -> str:
        """Texts over the lanes: in their middle where there is room, else from there on."""
        line = Line(self._layout, " ")
        line.write(0, clock.rjust(self._clock))
        for host, at in self._layout.lanes.items():
            title = titles[host]
            line.write(at if self._layout.words else at - columns(title) // 2, title)
        return str(line)

    # Packets

    def _packet(self, packet: Packet) -> Iterator[str]:
        layout = self._layout
        line = self._line(packet)
        if layout.words:
            if layout.lanes:
                self._arrow(line, packet)
            yield from self._worded(line, self._told(packet))
            return
        self._arrow(line, packet)
        long, short = labels.long(packet), labels.short(packet)
        start, told = labels.beginning(packet), [long, short] if layout.gap >= _WORDY else [short]
        whole = [f"{label} {start}" for label in told[:1]] if start else []
        inscribed = next((one for one in [*whole, *told] if self._inscribed(line, packet, one)), None)
        if inscribed is None:
            for part in wrap(short, layout.gap):
                yield self._in_gap(packet, part)
        below = start and inscribed not in whole
        if columns(start) > layout.gap:
            start = labels.beginning(packet, layout.gap - 2)
        yield from self._with_states(line, packet, start if below else "")

    def _ends(self, packet: Packet) -> tuple[int, int]:
        return self._layout.lanes[packet.source], self._layout.lanes[packet.target]

    def _arrow(self, line: Line, packet: Packet) -> None:
        source, target = self._ends(packet)
        signs, right = self._signs, source < target
        first, last = min(source, target) + 1, max(source, target) - 1
        if packet.fate != "arrived":
            short = min(_SHORT_OF, (last - first) // 2)
            first, last = (first, last - short) if right else (first + short, last)
        line.fill(range(first, last + 1), signs.body, signs.crossing)
        line.write(source, signs.from_left if right else signs.from_right)
        head = signs.to_right if right else signs.to_left
        line.write(last if right else first, head if packet.fate == "arrived" else signs.lost)

    def _inscribed(self, line: Line, packet: Packet, label: str) -> bool:
        """Write the label onto the arrow, before the first lane it crosses; False if it has no room there."""
        source, target = self._ends(packet)
        head = 1 if packet.fate == "arrived" else 1 + _SHORT_OF
        room = min(abs(target - source) - 1 - head, self._layout.gap - 1)
        text = f" {label} "
        if columns(text) >= room:
            return False
        free = (room - columns(text)) // 2
        line.write(source + 1 + free if source < target else source - free - columns(text), text)
        return True

    def _in_gap(self, packet: Packet, text: str, line: Line | None = None) -> str:
        """Words about a packet on a line of their own, in the middle of where its arrow begins."""
        line = line or Line(self._layout, self._signs.lane)
        if text:
            source, target = self._ends(packet)
            gap = self._layout.gap
            line.write((source + 1 if source < target else source - gap) + (gap - columns(text)) // 2, text)
        return str(line)

    def _with_states(self, line: Line, packet: Packet, below: str) -> Iterator[str]:
        """The line with the states on the far sides of the lanes, where no arrow is.

        Further states stand below, and the first bytes of what it brings.
        """
        leftmost = min(self._ends(packet))
        under = ["", below] if below else [""]
        for sent, arrived, text in zip_longest(*packet.states, under, fillvalue=""):
            for at, state in zip(self._ends(packet), (sent, arrived), strict=True):
                line.write(at - 1 - len(state) if at == leftmost else at + 2, state)
            yield self._in_gap(packet, text, line)
            line = Line(self._layout, self._signs.lane)

    def _told(self, packet: Packet) -> str:
        """A packet in words: where there are no lanes also from where to where it goes."""
        label = labels.short(packet)
        if not self._layout.lanes:
            label = f"{one_line(packet.source)} {self._signs.towards} {one_line(packet.target)}: {label}"
        start = labels.beginning(packet, min(_MOST_BYTES, self._layout.width - self._layout.words))
        ends = zip((packet.source, packet.target), packet.states, strict=True)
        states = "; ".join(f"{host} {', '.join(states)}" for host, states in ends if states)
        return "  ".join(filter(None, [f"{label} {start}".rstrip(), states]))

    def _to_itself(self, packet: Packet) -> str:
        """A packet from a host to itself: ``40000 SYN_SENT ─ SYN 0 ▶ 80 SYN_RECEIVED``."""
        ends = zip(packet.ports, packet.states, strict=True)
        source, target = (" ".join([str(port), ",".join(states)]).strip() for port, states in ends)
        body, head = self._signs.body, self._signs.to_right if packet.fate == "arrived" else self._signs.lost
        told = f"{labels.short(packet)} {labels.beginning(packet, _MOST_BYTES)}".rstrip()
        return f"{source} {body} {told} {body}{head} {target}"

    # What is told beside a lane

    def _beside(self, host: str, text: str, row: Row) -> Iterator[str]:
        line = self._line(row)
        shown = cut(one_line(text), _LONGEST)
        if self._layout.words:
            if self._layout.lanes:
                line.write(self._layout.lanes[host], self._signs.event)
            yield from self._worded(line, f"{one_line(host)} {shown}")
            return
        first, end, right = self._layout.beside(host)
        parts = list(wrap(shown, end - first))
        at = first if right else end - max(map(columns, parts))
        for part in parts:
            line.write(at, part)
            yield str(line)
            line = Line(self._layout, self._signs.lane)

    def _worded(self, line: Line, text: str) -> Iterator[str]:
        """A line with words to the right of the lanes, and as many more as they need."""
        for part in wrap(text, self._layout.width - self._layout.words):
            line.write(self._layout.words, part)
            yield str(line)
            line = Line(self._layout, self._signs.lane)

    def _between(self, text: str) -> Iterator[str]:
        line = Line(self._layout, self._signs.folded)
        if self._layout.words:
            yield from self._worded(line, text)
            return
        first, end, _ = self._layout.beside(self._hosts[0][0])
        for part in wrap(text, end - first):
            line.write(first, part)
            yield str(line)
            line = Line(self._layout, self._signs.folded)

    def _broke(self, row: Broke) -> Iterator[str]:
        style, ink, indent = self._style, self._style.ink(row.outcome), self._layout.left
        sign = f"{self._when(row.time):>{self._clock}}{style.sign(row.outcome)}"
        yield from style.paragraph(
            f"{row.outcome.value}: {row.title}", ink, indent=indent, label=sign, label_ink=ink
        )
        # On a very narrow screen they begin further to the left.
        before = max(0, min(indent, style.width - NARROWEST - _FIELD))
        for name, text in row.fields.items():
            if text:
                yield from style.paragraph(text, indent=before + _FIELD, label=" " * before + name)

    # The left edge

    def _line(self, row: Row) -> Line:
        """A line with the lanes, the time, a sign where checks blame the packet, and its connection."""
        line = Line(self._layout, self._signs.lane)
        line.write(0, self._when(row.time).rjust(self._clock))
        if isinstance(row, Packet) and row.blamed is not None:
            line.write(self._clock, self._style.sign(row.blamed))
        if isinstance(row, Numbered) and self._numbers and row.number:
            line.write(self._clock + 1, str(row.number))
        return line

    def _when(self, time: int) -> str:
        return f"{(time - self._origin) / self._unit.ns:.3f}"
