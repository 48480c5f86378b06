"""An analysis for people: a table of the connections, the worst first, what each went through, and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import islice

from lab.core.endpoint import endpoint
from lab.output.analyze.told import Analysis, Choice, Told, end_of
from lab.output.describe import counted, span
from lab.output.style import Ink, Style
from lab.wire.packets.options import SynOptions
from lab.wire.tcp import Connection, Moment, Side
from lab.wire.tcp.facts import Measured, Measures, RoundTrips
from lab.wire.udp.flows import UdpFlow, UdpSide

_MOST_DETAILED = 50
"""Connections, and UDP flows, of which details are shown; the table and --json hold all."""

_MOST_KINDS = 12
"""Protocols other than TCP whose frames are counted one by one."""

_HEADINGS = ("#", "client", "server", "handshake", "close", "trouble")
_INDENT = 14
_SECOND = 1_000_000_000

Row = tuple[int, int, tuple[str, ...]]


def lines(analysis: Analysis, choice: Choice, style: Style) -> Iterator[str]:
    """All of it."""
    rows: list[Row] = []
    worst = nsmallest(
        _MOST_DETAILED, _seen(analysis, choice, rows), key=lambda one: (-one.trouble, one.number)
    )
    if rows:
        yield from style.table([row for _, _, row in sorted(rows)], _HEADINGS)
        yield ""
    for one in worst:
        for label, text in _details(one, analysis.began):
            ink = Ink.UNSURE if label == "odd" else None
            yield from style.paragraph(text, indent=_INDENT, label=f"{one.number:>4}  {label}", label_ink=ink)
    yield from _flows(analysis, choice, style)
    yield from _summary(analysis)


def _seen(analysis: Analysis, choice: Choice, rows: list[Row]) -> Iterator[Told]:
    """The connections; of each there is a row then, which sorts the worst to the front."""
    for told in analysis.connections(choice):
        connection, trouble = told.connection, told.trouble
        first = f" ({connection.first_closer})" if connection.first_closer else ""
        ends = map(end_of, connection.sides)
        cells = str(told.number), *ends, connection.handshake, connection.close + first, str(trouble or "")
        rows.append((-trouble, told.number, cells))
        yield told


# Connections


def _details(told: Told, origin: int) -> Iterator[tuple[str, str]]:
    """What there is to say of a connection: a label and a text each."""
    connection = told.connection
    yield "began", f"{_at(connection.began, origin)}, {_clock(connection.began.time)}"
    yield "lasted", span(told.duration)
    yield "bytes", "; ".join(_bytes(told, role, side) for role, side in _roles(connection))
    if connection.measures:
        yield from _measures(connection.measures)
    for role, side in _roles(connection):
        if side.history:
            yield (
                role,
                ", ".join(f"{change.state} {_when(change.at.time, origin)}" for change in side.history),
            )
    for side in connection.sides:
        yield from _mishaps(side, origin)
    for sentence in told.anomalies:
        yield "odd", sentence


def _roles(connection: Connection) -> tuple[tuple[str, Side], tuple[str, Side]]:
    return ("client", connection.client), ("server", connection.server)


def _bytes(told: Told, role: str, side: Side) -> str:
    inferred, rate = told.inferred(side), told.throughput(side)
    speed = f" ({rate} a second)" if rate is not None and side.bytes else ""
    lacking = f", {inferred} of them only inferred" if inferred else ""
    return f"{counted(side.bytes, 'byte')} from the {role}{speed}{lacking}"


def _measures(measures: Measures) -> Iterator[tuple[str, str]]:
    both = ("client", measures.client), ("server", measures.server)
    trips = [f"handshake {span(measures.handshake)}"] if measures.handshake is not None else []
    trips += [f"{role}'s data {_trips(of.round_trips)}" for role, of in both if of.round_trips]
    if trips:
        yield "trips", "; ".join(trips)
    offered = [f"{role}: {_options(of.options)}" for role, of in both if of.options is not None]
    if offered:
        yield "SYN", "; ".join(offered)
    counts = [f"{role}: {text}" for role, of in both if (text := _counts(of))]
    if counts:
        yield "counts", "; ".join(counts)


def _trips(trips: RoundTrips) -> str:
    if trips.count == 1:
        return f"{span(trips.mean)} (1 timed)"
    shortest, longest, mean = map(span, (trips.shortest, trips.longest, trips.mean))
    return f"{shortest} to {longest}, {mean} on average ({trips.count} timed)"


def _options(options: SynOptions) -> str:
    said = [f"MSS {options.mss}"] if options.mss is not None else []
    said += [f"window scale {options.window_scale}"] if options.window_scale is not None else []
    said += ["SACK permitted"] if options.sack_permitted else []
    said += ["timestamps"] if options.timestamps else []
    return ", ".join(said) or "no options"


def _counts(of: Measured) -> str:
    each = (
        (of.zero_windows, "zero window"),
        (of.zero_window_probes, "zero window probe"),
        (of.full_windows, "full window"),
        (of.keep_alives, "keep-alive"),
        (of.duplicate_acks, "duplicate ACK"),
    )
    return ", ".join(counted(number, noun) for number, noun in each if number)


def _mishaps(side: Side, origin: int) -> Iterator[tuple[str, str]]:
    for again in side.resent:
        yield "resent", f"{_at(again.at, origin)}: {again.what} from {end_of(side)}"
    if more := sum(side.retransmissions) - len(side.resent):
        yield "resent", f"and {more} more from {end_of(side)}"
    if side.reset and side.reset.first:
        cause = side.reset.cause.replace("_", " ")
        yield "RST", f"{_at(side.reset.first, origin)}: from {end_of(side)}, cause: {cause}"


# UDP


def _flows(analysis: Analysis, choice: Choice, style: Style) -> Iterator[str]:
    count = 0

    def seen() -> Iterator[UdpFlow]:
        nonlocal count
        for flow in analysis.datagrams(choice):
            count += 1
            yield flow

    for flow in nsmallest(_MOST_DETAILED, seen(), key=lambda one: (-one.datagrams, one.began.frame)):
        yield from style.paragraph(_flow(flow), indent=_INDENT, label="      UDP")
    if count > _MOST_DETAILED:
        yield f"and {count - _MOST_DETAILED} more UDP flows with fewer datagrams: --json tells them"


def _flow(flow: UdpFlow) -> str:
    client, server = (endpoint(side.address, side.port) for side in flow.sides)
    lasted = f"lasted {span(max(0, flow.ended - flow.began.time))}"
    back = f"; back {_sent(flow.server)}" if flow.server.datagrams else "; nothing back"
    return f"{client} to {server}: {_sent(flow.client)}{back}; {_clock(flow.began.time)}, {lasted}"


def _sent(side: UdpSide) -> str:
    sizes = str(side.largest) if side.smallest == side.largest else f"{side.smallest} to {side.largest}"
    said = f"{counted(side.datagrams, 'datagram')} of {sizes} bytes"
    if side.datagrams > 1:
        said += f", {span(side.mean_gap)} apart on average, {span(side.longest_gap)} at most"
    return said


# All of the capture


def _summary(analysis: Analysis) -> Iterator[str]:
    others = analysis.others.count
    count = analysis.flows.count + others
    counts = (analysis.frames, "frame"), (analysis.segments, "TCP segment"), (count, "connection")
    yield ", ".join(counted(number, noun) for number, noun in counts)
    if analysis.not_tcp:
        most = sorted(analysis.not_tcp.items(), key=lambda one: (-one[1], one[0]))
        told = [f"{number} {kind}" for kind, number in most[:_MOST_KINDS]]
        told += [f"{len(most) - _MOST_KINDS} more kinds"] if len(most) > _MOST_KINDS else []
        yield f"other frames: {', '.join(told)}"
    if analysis.tunnels:
        yield f"packets read within others: {', '.join(_sorted(analysis.tunnels))}"
    if analysis.icmp:
        told = list(islice(_sorted(analysis.icmp), _MOST_KINDS + 1))
        yield f"ICMP messages: {', '.join(told[:_MOST_KINDS])}{' ...' if len(told) > _MOST_KINDS else ''}"
    if others:
        kinds = ", ".join(_sorted(analysis.others.handshakes))
        yield f"the first {others} are only counted, by their handshakes: {kinds}"
    if analysis.udp.forgotten:
        yield f"the first {counted(analysis.udp.forgotten, 'UDP flow')} are only counted"
    if analysis.backwards:
        yield f"{counted(analysis.backwards, 'segment')} with an earlier time than the one before"


def _sorted(numbers: Mapping[str, int]) -> Iterator[str]:
    for kind, number in sorted(numbers.items()):
        yield f"{number} {kind}"


# Times


def _clock(time: int) -> str:
    """The time of day, to the microsecond; of what is no date the number."""
    seconds, rest = divmod(time, _SECOND)
    try:
        day = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time} ns"
    return f"{day:%Y-%m-%d %H:%M:%S}.{rest // 1000:06} UTC"


def _at(moment: Moment, origin: int) -> str:
    return f"frame {moment.frame}, {_when(moment.time, origin)}"


def _when(time: int, origin: int) -> str:
    after = time - origin
    return f"{'-' if after < 0 else '+'}{span(abs(after))}"
