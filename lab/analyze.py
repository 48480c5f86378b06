"""Any capture, told: its connections, what both ends went through, and what is odd about it.

Nothing is known of where it was made. Each direction is judged where it was first seen, and both ends by what
passed there: a state's time is that of the frame that led to it, not of its arrival at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lab.flows import MOST_CONNECTIONS, Connection, Flows, Side, Vantage
from lab.packets import Reader


@dataclass(slots=True)
class Tally:
    """Connections that are only counted, by how they began and ended."""

    count: int = 0
    handshakes: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)

    def add(self, connection: Connection) -> None:
        """Count one."""
        self.count += 1
        self.handshakes[connection.handshake] += 1
        self.closes[connection.close] += 1


@dataclass(frozen=True, slots=True)
class Told:
    """A connection and what is odd about it, a sentence each."""

    connection: Connection
    anomalies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a capture holds. ``began`` and ``ended`` are the times (ns) of its first and last TCP segment.

    ``others`` counts the connections that ``connections`` has no room for. ``unsound`` says what could not
    be read, ``backwards`` how many segments have a time before that of the one in front of them.
    """

    frames: int
    segments: int
    began: int
    ended: int
    backwards: int
    connections: tuple[Told, ...]
    others: Tally
    unsound: tuple[str, ...]


def analyze(stream: BinaryIO, most: int = MOST_CONNECTIONS) -> Analysis:
    """Read a capture to its end. Nothing in it raises; memory does not grow beyond ``most`` connections."""
    others = Tally()
    flows = Flows(Vantage(), most=most, retire=others.add)
    reader = Reader(stream)
    segments = backwards = began = now = 0
    add = flows.add
    for segment in reader:
        time = segment.time
        if time < now:
            backwards += 1
        now = time
        began = began or time
        segments += 1
        add(segment)
    told = tuple(_told(flows.connections()))
    return Analysis(reader.frames, segments, began, now, backwards, told, others, reader.unsound)


def _told(connections: tuple[Connection, ...]) -> Iterator[Told]:
    used: dict[frozenset[tuple[str, int]], int] = {}
    for connection in connections:
        ports = frozenset((side.address, side.port) for side in connection.sides)
        before = used.get(ports)
        used[ports] = connection.began.frame
        reused = [f"the ports were used before, from frame {before} on"] if before is not None else []
        yield Told(connection, (*reused, *_anomalies(connection)))


def _anomalies(connection: Connection) -> Iterator[str]:
    client, server = connection.sides
    if client.syn is None and server.syn is None:
        yield "it began before the capture"
    elif connection.handshake == "unknown":
        yield "the capture lacks a part of its handshake"
    silent = [side for side in connection.sides if side.silent]
    if silent and (connection.handshake == "unknown" or silent == [client]):
        yield f"only one direction was captured: nothing from {end_of(silent[0])}"
    for side in connection.sides:
        yield from _oddities(side)


def _oddities(side: Side) -> Iterator[str]:
    whose = end_of(side)
    if side.gaps:
        yield f"{side.gaps} gaps: segments from or to {whose} are not in the capture"
    if side.reordered:
        yield f"{side.reordered} segments from {whose} were overtaken by later ones"
    if side.isn is not None and side.isn + 1 + side.bytes > 0xFFFFFFFF:
        yield f"the sequence numbers of {whose} wrap around"
    if side.reset and side.reset.cause == "after_close":
        yield f"RST from {whose} after both had closed"


def end_of(side: Side) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``."""
    return f"[{side.address}]:{side.port}" if ":" in side.address else f"{side.address}:{side.port}"


def as_data(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON holds it. Times are nanoseconds since the epoch."""
    return {
        "frames": analysis.frames,
        "segments": analysis.segments,
        "began": analysis.began,
        "ended": analysis.ended,
        "backwards": analysis.backwards,
        "connections": [_connection(told) for told in analysis.connections],
        "others": {
            "count": analysis.others.count,
            "handshakes": dict(sorted(analysis.others.handshakes.items())),
            "closes": dict(sorted(analysis.others.closes.items())),
        },
        "unsound": list(analysis.unsound),
    }


def _connection(told: Told) -> dict[str, Any]:
    connection = told.connection
    return {
        "began": connection.began._asdict(),
        "handshake": connection.handshake,
        "close": connection.close,
        "closed_first": connection.first_closer,
        "client": _side(connection.client),
        "server": _side(connection.server),
        "anomalies": list(told.anomalies),
    }


def _side(side: Side) -> dict[str, Any]:
    reset = side.reset and {
        **(side.reset.first._asdict() if side.reset.first else {}),
        "cause": side.reset.cause,
    }
    return {
        "address": side.address,
        "port": side.port,
        "bytes": side.bytes,
        "retransmissions": side.retransmissions._asdict(),
        "reordered": side.reordered,
        "gaps": side.gaps,
        "reset": reset,
        "states": [{"state": change.state, **change.at._asdict()} for change in side.history],
    }
