"""The ladder as SVG 1.1, for slides: its text is text, which can be selected, searched and restyled.

Text of programs stands in it escaped, and there is no script, link or style from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from lab.core.escape import one_line
from lab.core.words import Outcome
from lab.output.ladder import labels
from lab.output.ladder.rows import Accepted, Broke, Entered, Folded, Opened, Packet, Queued, Row, Said
from lab.output.style import columns, cut, wrap

_LEFT, _GAP, _RIGHT = 210, 360, 210
"""Pixels before the first host, from one to the next, and behind the last: states and texts stand there."""

_ROW, _HEAD, _FONT = 24, 64, 13
_CHARACTER = 7.9
"""Pixels of a column of text in that size."""

_FITTING = int((_GAP - 16) / _CHARACTER)
"""Columns of text that have room between two hosts."""

_SHORT_OF = 40
"""Pixels before its target at which the arrow of a lost packet ends."""

_LONGEST = 120
_FAILED, _UNSURE = "#b00020", "#8a5a00"
_STYLE = (
    f"text{{font:{_FONT}px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1b1b}}"
    ".host{font-weight:bold}.faint{fill:#666}.state{fill:#00529b}"
    f".fail{{fill:{_FAILED};font-weight:bold}}.unsure{{fill:{_UNSURE};font-weight:bold}}"
    "line,path{stroke:#1b1b1b;fill:none}.lane{stroke:#aaa}"
    f"line.fail{{stroke:{_FAILED};stroke-width:2}}line.unsure{{stroke:{_UNSURE};stroke-width:2}}"
    ".lost{stroke-dasharray:5 4}"
)


class Drawing:
    """Draws rows; ``hosts`` are the columns, each with an address, ``origin`` (ns) is the time that is 0."""

    def __init__(self, hosts: Sequence[tuple[str, str]], origin: int, title: str) -> None:
        self._hosts = hosts
        self._origin = origin
        self._title = title
        self._lanes = {host: _LEFT + number * _GAP for number, (host, _) in enumerate(hosts)}
        self._width = _LEFT + _GAP * max(len(hosts) - 1, 1) + _RIGHT
        self._y = _HEAD

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The whole document."""
        body = [line for row in rows for line in self._row(row)]
        height = self._y + _ROW
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{height}" '
            f'viewBox="0 0 {self._width} {height}" role="img">'
        )
        yield f"<title>{_safe(self._title)}</title>"
        yield f"<style>{_STYLE}</style>"
        yield (
            '<defs><marker id="head" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" '
            'orient="auto"><path d="M0,1 L10,5 L0,9"/></marker></defs>'
        )
        yield f'<rect width="{self._width}" height="{height}" fill="#fff"/>'
        for host, address in self._hosts:
            x = self._lanes[host]
            yield _text(x, 22, host, "host", "middle")
            yield _text(x, 40, address, "faint", "middle")
            yield f'<line class="lane" x1="{x}" y1="50" x2="{x}" y2="{height - 8}"/>'
        yield from body
        yield "</svg>"

    def _row(self, row: Row) -> Iterator[str]:
        self._y += _ROW
        match row:
            case Packet() if row.source != row.target:
                yield self._when(row.time)
                yield from self._packet(row)
            case Packet():
                yield self._when(row.time)
                told = f"{row.ports[0]} to {row.ports[1]}: {labels.short(row)} {labels.beginning(row)}"
                yield from self._beside(row.source, told.rstrip(), "")
            case Said() | Entered() | Queued() | Accepted():
                yield self._when(row.time)
                told, kind = labels.event(row, numbered=True), "" if isinstance(row, Said) else "state"
                yield from self._beside(row.host, told, kind)
            case Opened():
                yield _text(_LEFT - 190, self._y, labels.opened(row, "→"), "faint")
            case Folded():
                yield _text(_LEFT + 8, self._y, f"... {row.what}", "faint")
            case Broke():
                yield from self._broke(row)

    def _packet(self, packet: Packet) -> Iterator[str]:
        source, target = self._lanes[packet.source], self._lanes[packet.target]
        towards = 1 if target > source else -1
        kinds = [_ink(packet.blamed), "" if packet.fate == "arrived" else "lost"]
        end = target if packet.fate == "arrived" else target - towards * _SHORT_OF
        self._y += _ROW // 3
        start = labels.beginning(packet)
        told = f"{labels.long(packet)} {start}".rstrip()
        inscribed = self._fits(told)
        label = told if inscribed else labels.long(packet)
        middle = source + towards * _GAP // 2
        for part in wrap(label if self._fits(label) else labels.short(packet), _FITTING):
            yield _text(middle, self._y - 10, part, _ink(packet.blamed), "middle")
            self._y += _ROW - 6
        self._y -= _ROW - 6
        head = ' marker-end="url(#head)"' if packet.fate == "arrived" else ""
        named = " ".join(filter(None, kinds))
        yield f'<line class="{named}" x1="{source}" y1="{self._y - 4}" x2="{end}" y2="{self._y - 4}"{head}/>'
        if packet.fate != "arrived":
            yield _text(end, self._y, "✗", "fail", "middle")
        for host, states, side in zip((packet.source, packet.target), packet.states, (-1, 1), strict=True):
            if states:
                outside = towards * side
                anchor = "start" if outside > 0 else "end"
                yield _text(self._lanes[host] + 8 * outside, self._y, ", ".join(states), "state", anchor)
        if start and not inscribed:
            self._y += _ROW - 10
            yield _text(middle, self._y, labels.beginning(packet, _FITTING), "", "middle")

    def _fits(self, label: str) -> bool:
        return columns(label) <= _FITTING

    def _beside(self, host: str, text: str, kind: str) -> Iterator[str]:
        """A text beside a lane, on its right; of the last one on its left, where there is more room."""
        x = self._lanes[host]
        right = len(self._lanes) == 1 or x != max(self._lanes.values())
        at, anchor = (x + 8, "start") if right else (x - 8, "end")
        for number, part in enumerate(wrap(cut(one_line(text), _LONGEST), _FITTING)):
            self._y += (_ROW - 6) * bool(number)
            yield _text(at, self._y, part, kind, anchor)

    def _broke(self, row: Broke) -> Iterator[str]:
        yield self._when(row.time)
        told = [f"{row.outcome.value}: {row.title}"]
        told += [f"{name}: {text}" for name, text in row.fields.items() if text]
        room = int((self._width - _LEFT + 80) / _CHARACTER)
        for number, text in enumerate(told):
            x = _LEFT - 80 if number else _LEFT - 100
            for part in wrap(one_line(text), room):
                yield _text(x, self._y, part, _ink(row.outcome))
                self._y += _ROW - 6
        self._y -= _ROW - 6

    def _when(self, time: int) -> str:
        return _text(88, self._y, f"{(time - self._origin) / 1e6:.3f} ms", "faint", "end")


def _ink(outcome: Outcome | None) -> str:
    """The class of what a check speaks of."""
    if outcome is None:
        return ""
    return "fail" if outcome is Outcome.FAIL else "unsure"


def _text(x: int, y: int, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f" class={quoteattr(kind)}" if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{named}>{_safe(text)}</text>'


def _safe(text: str) -> str:
    return escape(cut(one_line(text), _LONGEST))
