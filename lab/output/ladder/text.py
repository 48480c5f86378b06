"""The ladder as plain text: a column a host, time downwards.

::

     ms            server              client_a
    0.000          │◀────── SYN 0 ─────┤ SYN_SENT

States stand beside the end that comes into them. Where the hosts are too many for the screen, the columns
move together and the words stand to the right of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from lab.core.escape import one_line
from lab.output.ladder import labels
from lab.output.ladder.canvas import ASCII, STATE, Layout, Line, Signs
from lab.output.ladder.rows import Broke, Entered, Folded, Opened, Packet, Row, Said
from lab.output.style import Ink, Style, columns, cut, wrap

_WORDY = 34
"""Columns between hosts from which on packets are told in Wireshark's words."""

_SHORT_OF = 3
"""Columns before its target at which the arrow of a lost packet ends."""

_LONGEST = 120
"""Columns of what is shown of a line that a program printed, where it is broken into several."""


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
            case Said():
                yield from self._beside(row.host, labels.spoken(row), row)
            case Entered():
                yield from self._beside(row.host, labels.entered(row), row)
            case Opened():
                told = labels.opened(row, self._signs.towards)
                yield self._style.paint(" " * self._layout.left + one_line(told), Ink.FAINT)
            case Folded():
                yield from self._between(f"... {row.what}")
            case Broke():
                yield from self._broke(row)

    # Above

    def head(self) -> Iterator[str]:
        """The hosts over their columns."""
        names = [name for name, _ in self._hosts]
        if not self._layout.words:
            yield self._titles(names, self._unit.name)
            yield self._titles([address for _, address in self._hosts])
        elif max(map(len, names)) <= self._layout.gap:
            yield self._titles(names, self._unit.name)
        else:
            legend = "  ".join(f"{number}={name}" for number, name in enumerate(names, start=1))
            yield from self._style.paragraph(legend, indent=self._layout.left)
            yield self._titles([str(number) for number in range(1, len(names) + 1)], self._unit.name)

    def _titles(self, titles: Sequence[str], clock: str = "") -> str:
        """Texts over the lanes: in their middle where there is room, else from there on."""
        line = Line(self._layout, " ")
        line.write(0, clock.rjust(self._clock))
        for at, title in zip(self._layout.lanes.values(), map(one_line, titles), strict=True):
            line.write(at if self._layout.words else max(at - len(title) // 2, 0), title)
        return str(line)

    # Packets

    def _packet(self, packet: Packet) -> Iterator[str]:
        layout = self._layout
        label = labels.long(packet) if layout.gap >= _WORDY and not layout.words else labels.short(packet)
        line = self._line(packet)
        self._arrow(line, packet)
        if layout.words:
            yield from self._worded(line, self._told(label, packet))
            return
        if not self._inscribed(line, packet, label):
            yield self._above(packet, label)
        yield from self._with_states(line, packet)

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
        """Write the label onto the arrow, before the first lane it crosses if it can be; False if nowhere."""
        source, target = self._ends(packet)
        head = 1 if packet.fate == "arrived" else 1 + _SHORT_OF
        shaft, text = abs(target - source) - 1 - head, f" {label} "
        for room in (min(shaft, self._layout.gap - 1), shaft):
            if len(text) < room:
                free = (room - len(text)) // 2
                line.write(source + 1 + free if source < target else source - free - len(text), text)
                return True
        return False

    def _above(self, packet: Packet, label: str) -> str:
        """The label on a line of its own, where the arrow has no room for it."""
        line = Line(self._layout, self._signs.lane)
        first, last = sorted(self._ends(packet))
        line.write(first + 1 + max((last - first - 1 - len(label)) // 2, 0), label)
        return str(line)

    def _with_states(self, line: Line, packet: Packet) -> Iterator[str]:
        """The line with the states on the far sides of the lanes, where no arrow is; further ones below."""
        leftmost = min(self._ends(packet))
        for states in zip_longest(*packet.states, fillvalue=""):
            for at, state in zip(self._ends(packet), states, strict=True):
                line.write(at - 1 - len(state) if at == leftmost else at + 2, state)
            yield str(line)
            line = Line(self._layout, self._signs.lane)
        if packet.states == ((), ()):
            yield str(line)

    def _told(self, label: str, packet: Packet) -> str:
        """The label with the states in words."""
        ends = zip((packet.source, packet.target), packet.states, strict=True)
        states = "; ".join(f"{host} {', '.join(states)}" for host, states in ends if states)
        return f"{label}  {states}" if states else label

    def _to_itself(self, packet: Packet) -> str:
        """A packet from a host to itself: ``40000 SYN_SENT ─ SYN 0 ▶ 80 SYN_RECEIVED``."""
        ends = zip(packet.ports, packet.states, strict=True)
        source, target = (" ".join([str(port), ",".join(states)]).strip() for port, states in ends)
        body, head = self._signs.body, self._signs.to_right if packet.fate == "arrived" else self._signs.lost
        return f"{source} {body} {labels.short(packet)} {body}{head} {target}"

    # What is told beside a lane

    def _beside(self, host: str, text: str, row: Row) -> Iterator[str]:
        line, at = self._line(row), self._layout.lanes[host]
        shown = one_line(text)
        if self._layout.words:
            line.write(at, self._signs.event)
            yield from self._worded(line, cut(f"{host} {shown}", _LONGEST))
            return
        before, after = at - self._layout.left - 1, self._layout.width - at - 2
        shown = cut(shown, max(before, after))
        line.write(at + 2 if after >= before else at - 1 - columns(shown), shown)
        yield str(line)

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
        line.write(self._layout.left + STATE + 2, text)
        yield str(line)

    def _broke(self, row: Broke) -> Iterator[str]:
        style, ink, indent = self._style, self._style.ink(row.outcome), self._layout.left
        sign = f"{self._when(row.time):>{self._clock}}{style.sign(row.outcome)}"
        yield from style.paragraph(
            f"{row.outcome.value}: {row.title}", ink, indent=indent, label=sign, label_ink=ink
        )
        for name, text in row.fields.items():
            if text:
                yield from style.paragraph(text, indent=indent + 10, label=" " * indent + name)

    # The left edge

    def _line(self, row: Row) -> Line:
        """A line with the lanes, the time, a sign where checks blame the packet, and its connection."""
        line = Line(self._layout, self._signs.lane)
        line.write(0, self._when(row.time).rjust(self._clock))
        if isinstance(row, Packet) and row.blamed is not None:
            line.write(self._clock, self._style.sign(row.blamed))
        if isinstance(row, Packet | Entered) and self._numbers and row.number:
            line.write(self._clock + 1, str(row.number))
        return line

    def _when(self, time: int) -> str:
        return f"{(time - self._origin) / self._unit.ns:.3f}"
