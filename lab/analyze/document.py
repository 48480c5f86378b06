"""An analysis as JSON. There may be thousands of connections, so their text is written directly."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from lab.analyze.told import Analysis, Told, anomalies, end_text
from lab.flows import Connection, Reset, Said, Shape, Shapes, Side, way_from_client
from lab.flows.serial import MASK
from lab.packets import Bare, flow_of
from lab.packets.segment import FLAGS, FRAME, SEQ, TIME, WAY


def as_data(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON holds it. Times are nanoseconds since the epoch."""
    data: dict[str, Any] = json.loads(as_json(analysis))
    return data


def as_json(analysis: Analysis, **more: str) -> str:
    """The analysis as a JSON document on one line; ``more`` stands at its beginning.

    Connections of one shape are written into the same form.
    """
    texts = _Texts(analysis.shapes)
    beginning = {
        **more,
        "frames": analysis.frames,
        "segments": analysis.segments,
        "began": analysis.began,
        "ended": analysis.ended,
        "backwards": analysis.backwards,
    }
    rest = {
        "others": {
            "count": analysis.others.count,
            "handshakes": dict(sorted(analysis.others.handshakes.items())),
            "closes": dict(sorted(analysis.others.closes.items())),
        },
        "unsound": list(analysis.unsound),
    }
    connections = ", ".join(map(texts.of, analysis.connections))
    return f'{json.dumps(beginning)[:-1]}, "connections": [{connections}], {json.dumps(rest)[1:]}'


def _connection(connection: Connection, before: int = 0) -> str:
    frame, time = connection.began
    odd = anomalies(connection, before)
    client, server = _side(connection.client), _side(connection.server)
    return (
        f'{{"began": {{"frame": {frame}, "time": {time}}}, "handshake": "{connection.handshake}", '
        f'"close": "{connection.close}", "closed_first": "{connection.first_closer}", '
        f'"client": {client}, "server": {server}, "anomalies": {json.dumps(odd) if odd else "[]"}}}'
    )


def _side(side: Side) -> str:
    syn, data, fin = side.retransmissions
    states = ", ".join(
        [f'{{"state": "{state}", "frame": {frame}, "time": {time}}}' for state, (frame, time) in side.history]
    )
    return (
        f'{{"address": "{side.address}", "port": {side.port}, "bytes": {side.bytes}, '
        f'"retransmissions": {{"syn": {syn}, "data": {data}, "fin": {fin}}}, '
        f'"reordered": {side.reordered}, "gaps": {side.gaps}, '
        f'"reset": {_reset(side.reset) if side.reset else "null"}, "states": [{states}]}}'
    )


def _reset(reset: Reset) -> str:
    first = reset.first
    where = f'"frame": {first.frame}, "time": {first.time}, ' if first else ""
    return f'{{{where}"cause": "{reset.cause}"}}'


_frame, _time = itemgetter(FRAME), itemgetter(TIME)


class _Texts:
    """The JSON of connections, one after the other."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._forms: dict[Shape, _Form | None] = {}

    def of(self, told: Told) -> str:
        """The JSON of one; the form for a shape is made when that comes for the second time."""
        shaped = None if told.before else told.talk.shaped(self._shapes)
        if shaped is not None:
            shape, said = shaped
            form = self._forms.get(shape)
            if form is None and shape in self._forms:
                form = _Form(shape)
            self._forms[shape] = form
            if form is not None and (text := form.filled(told.talk.kept, said)):
                return text
        return _connection(told.connection, told.before)


_BLANK = re.compile(
    r'"frame": (?P<index>\d+), "time": 0'
    r'|"address": "(?P<side>client|server)", "port": 0, "bytes": 0'
    r"|(?P<end>client|server):0"
)
_NAMED = {"client": 0, "server": 4}
"""Where the values of an end begin: its address, port and bytes, and what it is called in a sentence."""

_MOMENTS = 8
"""Where the frames of all segments begin; their times come after them."""


class _Form:
    """The JSON of the connections of one shape, with blanks for what differs between them."""

    def __init__(self, shape: Shape) -> None:
        pattern = shape.pattern
        self._syns = [side.syn.first if side.syn and side.isn is not None else None for side in pattern.sides]
        client, server = (
            replace(side, address=name, port=0, bytes=0, isn=None)
            for name, side in zip(_NAMED, pattern.sides, strict=True)
        )
        self._segments = shape.segments
        self._values: list[int] = []
        text = _connection(replace(pattern, client=client, server=server)).replace("%", "%%")
        self._text = _BLANK.sub(self._blanks, text)
        self._pick = itemgetter(*self._values)

    def _blanks(self, found: re.Match[str]) -> str:
        """What stands in place of a moment or an end, noting which values belong there."""
        if index := found["index"]:
            frame = _MOMENTS + int(index)
            self._values += frame, frame + self._segments
            return '"frame": %d, "time": %d'
        if side := found["side"]:
            first = _NAMED[side]
            self._values += first, first + 1, first + 2
            return '"address": "%s", "port": %d, "bytes": %d'
        self._values.append(_NAMED[found["end"]] + 3)
        return "%s"

    def filled(self, segments: Sequence[Bare], said: Said) -> str:
        """The JSON of a connection; an empty text if its sequence numbers wrap, which is to be told."""
        for syn, count in zip(self._syns, said, strict=True):
            if syn is not None and segments[syn.frame][SEQ] + 1 + count > MASK:
                return ""
        first = segments[0]
        source, source_port, target, target_port = flow_of(way_from_client(first[WAY], first[FLAGS]))
        client, server = end_text(source, source_port), end_text(target, target_port)
        ends = source, source_port, said[0], client, target, target_port, said[1], server
        values: tuple[str | int, ...] = self._pick((*ends, *map(_frame, segments), *map(_time, segments)))
        return self._text % values
