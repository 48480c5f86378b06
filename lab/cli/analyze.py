"""``lab analyze``: any capture, from anywhere."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.screen import Screen
from lab.core.errors import ExitCode
from lab.output.style import Ink, Style
from lab.output.telling import span

if TYPE_CHECKING:
    from lab.output.analyze import Analysis, Told
    from lab.wire.tcp import Connection, Moment, Side

_MOST_DETAILED = 50
"""Connections whose states are shown; the table and --json hold all."""

_MOST_KINDS = 12
"""Protocols other than TCP whose frames are counted one by one."""

_HEADINGS = ("#", "client", "server", "handshake", "close")
_INDENT = 14


def analyze(file: Path, screen: Screen) -> ExitCode:
    """Tell the connections of a capture; what of it cannot be read is a warning."""
    from lab.output.analyze import analyze as analysis_of
    from lab.output.analyze import as_json
    from lab.wire.packets import opened

    # What is read makes no circles: looking for some among millions of objects takes half of the time.
    gc.disable()
    try:
        with opened(file) as stream:
            analysis = analysis_of(stream)
        screen.show(_lines(analysis, screen.style))
        if screen.json:  # on one line: there may be thousands of connections
            screen.document(as_json(analysis, file=str(file)))
        unsound = analysis.unsound
        del analysis
    finally:
        gc.enable()
    for sentence in unsound:
        screen.warn(sentence)
    return ExitCode.PASSED


def _lines(analysis: Analysis, style: Style) -> Iterator[str]:
    rows = [_row(number, one.connection) for number, one in enumerate(analysis.connections(), start=1)]
    if rows:
        yield from style.table(rows, _HEADINGS)
        yield ""
    for number, one in enumerate(islice(analysis.connections(), _MOST_DETAILED), start=1):
        for label, text in _details(one, analysis.began):
            ink = Ink.UNSURE if label == "odd" else None
            yield from style.paragraph(text, indent=_INDENT, label=f"{number:>4}  {label}", label_ink=ink)
    yield from _summary(analysis, len(rows))


def _row(number: int, connection: Connection) -> tuple[str, ...]:
    from lab.output.analyze import end_of

    client, server = connection.sides
    first = f" ({connection.first_closer})" if connection.first_closer else ""
    return str(number), end_of(client), end_of(server), connection.handshake, connection.close + first


def _details(told: Told, origin: int) -> Iterator[tuple[str, str]]:
    """What there is to say of a connection: a label and a text each."""
    connection = told.connection
    client, server = connection.sides
    numbers = f"{client.bytes} bytes from the client, {server.bytes} from the server"
    yield "began", f"{_at(connection.began, origin)}; {numbers}"
    for role, side in (("client", client), ("server", server)):
        if side.history:
            yield (
                role,
                ", ".join(f"{change.state} {_when(change.at.time, origin)}" for change in side.history),
            )
    for side in connection.sides:
        yield from _mishaps(side, origin)
    for sentence in told.anomalies:
        yield "odd", sentence


def _mishaps(side: Side, origin: int) -> Iterator[tuple[str, str]]:
    from lab.output.analyze import end_of

    for again in side.resent:
        yield "resent", f"{_at(again.at, origin)}: {again.what} from {end_of(side)}"
    if more := sum(side.retransmissions) - len(side.resent):
        yield "resent", f"and {more} more from {end_of(side)}"
    if side.reset and side.reset.first:
        cause = side.reset.cause.replace("_", " ")
        yield "RST", f"{_at(side.reset.first, origin)}: from {end_of(side)}, cause: {cause}"


def _at(moment: Moment, origin: int) -> str:
    return f"frame {moment.frame}, {_when(moment.time, origin)}"


def _summary(analysis: Analysis, kept: int) -> Iterator[str]:
    others = analysis.others.count
    count = kept + others
    counts = (analysis.frames, "frame"), (analysis.segments, "TCP segment"), (count, "connection")
    yield ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts)
    if analysis.not_tcp:
        most = sorted(analysis.not_tcp.items(), key=lambda one: (-one[1], one[0]))
        told = [f"{number} {kind}" for kind, number in most[:_MOST_KINDS]]
        told += [f"{len(most) - _MOST_KINDS} more kinds"] if len(most) > _MOST_KINDS else []
        yield f"other frames, only counted: {', '.join(told)}"
    if others:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(analysis.others.handshakes.items()))
        yield f"the first {others} are only counted, by their handshakes: {kinds}"
    if analysis.backwards:
        yield f"{analysis.backwards} segments stand behind one with a later time"


def _when(time: int, origin: int) -> str:
    after = time - origin
    return f"{'-' if after < 0 else '+'}{span(abs(after))}"
