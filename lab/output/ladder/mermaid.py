"""The ladder as a sequence diagram of Mermaid (mermaid.js.org, "Sequence diagrams").

Text of programs stands in it as letters, digits and a few harmless signs; all else as Mermaid's codes for
characters (``#59;``), so that no text can end a line, a note or the diagram.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lab.core.escape import one_line
from lab.core.words import Outcome
from lab.output.ladder import labels
from lab.output.ladder.rows import Accepted, Broke, Entered, Folded, Opened, Packet, Queued, Row, Said
from lab.output.style import cut

_PLAIN = frozenset(" .,_/'!?")
_WORD_END = re.compile(r"\bend\b", re.IGNORECASE)
"""A word of Mermaid's own that breaks diagrams wherever it stands."""

_LONGEST = 120
_COLOURS = {Outcome.FAIL: "rgb(255, 214, 214)"}
_UNSURE = "rgb(255, 240, 200)"


class Diagram:
    """Draws rows; ``hosts`` are the participants, in order."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._names = {host: f"h{number}" for number, host in enumerate(hosts, start=1)}
        self._all = ",".join(dict.fromkeys((self._names[hosts[0]], self._names[hosts[-1]])))

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The whole diagram."""
        yield "sequenceDiagram"
        for host, name in self._names.items():
            yield f"    participant {name} as {_safe(host)}"
        for row in rows:
            for line in self._row(row):
                yield f"    {line}"

    def _row(self, row: Row) -> Iterator[str]:
        match row:
            case Packet():
                yield from self._packet(row)
            case Said() | Entered() | Queued() | Accepted():
                yield f"Note over {self._names[row.host]}: {_safe(labels.event(row, numbered=True))}"
            case Opened():
                yield f"Note over {self._all}: {_safe(labels.opened(row, '→'))}"
            case Folded():
                yield f"Note over {self._all}: {_safe(f'... {row.what}')}"
            case Broke():
                yield from self._broke(row)

    def _packet(self, packet: Packet) -> Iterator[str]:
        source, target = self._names[packet.source], self._names[packet.target]
        arrow = "->>" if packet.fate == "arrived" else "-x"
        told = f"{labels.long(packet)} {labels.beginning(packet)}".rstrip()
        yield f"{source}{arrow}{target}: {_safe(told)}"
        for name, states in zip((source, target), packet.states, strict=True):
            if states:
                yield f"Note over {name}: {_safe(', '.join(states))}"

    def _broke(self, row: Broke) -> Iterator[str]:
        fields = [f"{name} {text}" for name, text in row.fields.items() if text]
        told = "<br/>".join(map(_safe, [f"{row.outcome.value}: {row.title}", *fields]))
        yield f"rect {_COLOURS.get(row.outcome, _UNSURE)}"
        yield f"Note over {self._all}: {told}"
        yield "end"


def _safe(text: str) -> str:
    """The text as Mermaid shows it, without acting on it."""
    shown = cut(one_line(text), _LONGEST)
    coded = "".join(one if one.isalnum() or one in _PLAIN else f"#{ord(one)};" for one in shown)
    return _WORD_END.sub(lambda found: f"#{ord(found[0][0])};{found[0][1:]}", coded)
