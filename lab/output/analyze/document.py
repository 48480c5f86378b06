"""An analysis as JSON: format 1, of ``scenarios/analysis.schema.json``. Times are ns since the epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from msgspec import Struct, to_builtins
from msgspec.json import encode

from lab.core.words import TcpState
from lab.output.analyze.told import Analysis, Choice, Told
from lab.wire.tcp import CloseKind, Handshake, ResetCause, Side
from lab.wire.tcp.facts import Measured, Moment, RoundTrips
from lab.wire.udp.flows import UdpFlow, UdpSide

FORMAT = 1

_AT_ONCE = 64
"""Connections, or UDP flows, in one part of the document."""


class At(Struct, frozen=True, forbid_unknown_fields=True):
    """A frame and its time."""

    frame: int
    time: int


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """An end came into a state with that frame."""

    state: TcpState
    frame: int
    time: int


class ResetSent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first RST of a side; without a frame where only its effect was seen."""

    cause: ResetCause
    frame: int = 0
    time: int = 0


class SentAgain(Struct, frozen=True, forbid_unknown_fields=True):
    """Segments that were sent again, by what they held."""

    syn: int
    data: int
    fin: int


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a SYN offered."""

    mss: int | None
    window_scale: int | None
    sack_permitted: bool
    timestamps: bool


class Trips(Struct, frozen=True, forbid_unknown_fields=True):
    """Round trips (ns), from data of a side to its acknowledgement."""

    count: int
    shortest: int
    mean: int
    longest: int


class TcpEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """One end of a connection, and what it sent."""

    address: str
    port: int
    segments: int
    bytes: int
    captured: int
    inferred: int
    throughput: int | None
    options: Options | None
    round_trips: Trips | None
    retransmissions: SentAgain
    reordered: int
    duplicate_acks: int
    zero_windows: int
    zero_window_probes: int
    full_windows: int
    keep_alives: int
    gaps: int
    reset: ResetSent | None
    states: list[State]


class TcpConnection(Struct, frozen=True, forbid_unknown_fields=True):
    """A TCP connection, or an attempt at one."""

    number: int
    began: At
    ended: int
    duration: int
    handshake: Handshake
    handshake_time: int | None
    close: CloseKind
    closed_first: Literal["", "client", "server"]
    trouble: int
    client: TcpEnd
    server: TcpEnd
    anomalies: list[str]


class UdpEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """One end of a UDP flow, and what it sent."""

    address: str
    port: int
    datagrams: int
    bytes: int
    smallest: int
    largest: int
    mean_gap: int
    longest_gap: int


class Datagrams(Struct, frozen=True, forbid_unknown_fields=True):
    """A UDP flow."""

    began: At
    ended: int
    duration: int
    client: UdpEnd
    server: UdpEnd


class Others(Struct, frozen=True, forbid_unknown_fields=True):
    """Connections and UDP flows that are only counted."""

    count: int
    handshakes: dict[str, int]
    closes: dict[str, int]
    udp_flows: int


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``lab analyze --json`` prints."""

    format: Literal[1]
    exit: int
    file: str
    frames: int
    segments: int
    began: int
    ended: int
    backwards: int
    unsound: list[str]
    not_tcp: dict[str, int]
    tunnels: dict[str, int]
    icmp: dict[str, int]
    others: Others
    connections: list[TcpConnection]
    udp_flows: list[Datagrams]


def as_data(analysis: Analysis, choice: Choice | None = None) -> dict[str, Any]:
    """The analysis as JSON holds it."""
    data: dict[str, Any] = json.loads("".join(as_json(analysis, choice)))
    return data


def as_json(analysis: Analysis, choice: Choice | None = None, *, file: str = "") -> Iterator[str]:
    """The analysis as a JSON document on one line, in parts: there may be thousands of connections."""
    others = analysis.others
    beginning = {
        "format": FORMAT,
        "exit": 0,
        "file": file,
        "frames": analysis.frames,
        "segments": analysis.segments,
        "began": analysis.began,
        "ended": analysis.ended,
        "backwards": analysis.backwards,
        "unsound": list(analysis.unsound),
        "not_tcp": dict(sorted(analysis.not_tcp.items())),
        "tunnels": dict(sorted(analysis.tunnels.items())),
        "icmp": dict(sorted(analysis.icmp.items())),
        "others": to_builtins(
            Others(
                others.count,
                dict(sorted(others.handshakes.items())),
                dict(sorted(others.closes.items())),
                analysis.udp.forgotten,
            )
        ),
    }
    yield f'{json.dumps(beginning)[:-1]}, "connections": ['
    yield from _listed(_connection(told) for told in analysis.connections(choice))
    yield '], "udp_flows": ['
    yield from _listed(_flow(flow) for flow in analysis.datagrams(choice))
    yield "]}"


def _listed(items: Iterator[Struct]) -> Iterator[str]:
    comma = ""
    while some := list(islice(items, _AT_ONCE)):
        yield comma + encode(some)[1:-1].decode()
        comma = ","


def _connection(told: Told) -> TcpConnection:
    connection, duration = told.connection, told.duration
    began, measures = connection.began, connection.measures
    return TcpConnection(
        told.number,
        At(*began),
        began.time + duration,
        duration,
        connection.handshake,
        measures.handshake if measures else None,
        connection.close,
        connection.first_closer,
        told.trouble,
        _end(told, connection.client, measures.client if measures else NOTHING),
        _end(told, connection.server, measures.server if measures else NOTHING),
        list(told.anomalies),
    )


NOTHING = Measured(0, None, 0, 0, 0, 0, 0, 0, None)
"""Where nothing was counted."""


def _end(told: Told, side: Side, measured: Measured) -> TcpEnd:
    inferred, reset = told.inferred(side), side.reset
    return TcpEnd(
        side.address,
        side.port,
        measured.segments,
        side.bytes,
        side.bytes - inferred,
        inferred,
        told.throughput(side),
        None if measured.options is None else Options(*measured.options),
        _trips(measured.round_trips),
        SentAgain(*side.retransmissions),
        side.reordered,
        measured.duplicate_acks,
        measured.zero_windows,
        measured.zero_window_probes,
        measured.full_windows,
        measured.keep_alives,
        side.gaps,
        None if reset is None else ResetSent(reset.cause, *(reset.first or Moment(0, 0))),
        [State(state, *at) for state, at in side.history],
    )


def _trips(trips: RoundTrips | None) -> Trips | None:
    return None if trips is None else Trips(trips.count, trips.shortest, trips.mean, trips.longest)


def _flow(flow: UdpFlow) -> Datagrams:
    duration = max(0, flow.ended - flow.began.time)
    return Datagrams(At(*flow.began), flow.began.time + duration, duration, *map(_udp_end, flow.sides))


def _udp_end(side: UdpSide) -> UdpEnd:
    return UdpEnd(
        side.address,
        side.port,
        side.datagrams,
        side.bytes,
        side.smallest,
        side.largest,
        side.mean_gap,
        side.longest_gap,
    )
