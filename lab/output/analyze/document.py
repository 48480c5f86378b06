"""An analysis as JSON. There may be thousands of connections, so their text is written directly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lab.output.analyze.told import Analysis, Told
from lab.wire.tcp import Reset, Side


def as_data(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON holds it. Times are nanoseconds since the epoch."""
    data: dict[str, Any] = json.loads("".join(as_json(analysis)))
    return data


def as_json(analysis: Analysis, **more: str) -> Iterator[str]:
    """The analysis as a JSON document on one line, in parts; ``more`` stands at its beginning."""
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
        "not_tcp": dict(sorted(analysis.not_tcp.items())),
        "unsound": list(analysis.unsound),
    }
    yield f'{json.dumps(beginning)[:-1]}, "connections": ['
    for number, told in enumerate(analysis.connections()):
        yield f"{', ' if number else ''}{_connection(told)}"
    yield f"], {json.dumps(rest)[1:]}"


def _connection(told: Told) -> str:
    connection = told.connection
    frame, time = connection.began
    odd = told.anomalies
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
