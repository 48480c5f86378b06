"""A run as rows in order of time: packets, states, what programs said, and where checks broke."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from heapq import merge
from operator import attrgetter
from pathlib import Path

from msgspec.structs import replace

from lab.core.endpoint import endpoint
from lab.core.words import TcpState
from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import Evidence
from lab.evidence.history import SocketHistory
from lab.evidence.sockets import SocketSample
from lab.evidence.verdict import Verdict
from lab.output.describe import Teller
from lab.output.ladder.failed_evidence import FailedEvidence
from lab.output.ladder.held import Holds
from lab.output.ladder.labels import datagram_label, icmp_label
from lab.output.ladder.packet_matching import MatchedPacket, matched_packets
from lab.output.ladder.queue import in_time, recorded
from lab.output.ladder.rows import FIRST_BYTES, OUTSIDE, Entered, Fate, Opened, Packet, Row
from lab.output.ladder.said import said
from lab.wire.icmp import Arrival, IcmpMessage
from lab.wire.packets import Reader, Segment, opened
from lab.wire.tcp import Connection, Side
from lab.wire.udp import Datagram

_SOON = 1_000_000
"""ns from a packet's leaving within which its arrival leads to what is shown beside it."""

_MOST_HELD = 256
"""Rows held back meanwhile."""


def segments_of(folder: Path, capture: CaptureFile) -> Iterator[Segment]:
    """The segments of a capture of the record in ``folder``. EvidenceError if it cannot be opened."""
    with opened(folder / capture.path) as stream:
        yield from Reader(stream, kept=FIRST_BYTES)


def story(
    evidence: Evidence,
    segments: Mapping[str, Iterable[Segment]],
    verdict: Verdict | None = None,
    only: int = 0,
) -> Iterator[Row]:
    """The rows of a run, in order of time.

    ``segments`` are those of each capture by its path; they are read as the rows are taken. ``only`` is the
    number of a connection: nothing is told of others and of what other hosts said; 0 tells all. Memory grows
    with connections and the transcript, not with packets.
    """
    blame, holds = FailedEvidence(evidence, verdict), Holds(Teller(evidence.origin).when)
    holds.hear(evidence.info.held)
    packets = [
        _packets(segments.get(capture.path, ()), capture, evidence, blame, holds=holds, only=only)
        for capture in evidence.info.captures
    ]
    packets += [] if only else [_datagrams(evidence, blame), _messages(evidence, blame)]
    sides = evidence.connections[only - 1].sides if only else ()
    hosts = {side.host for side in sides} or evidence.scenario.hosts.keys()
    queued = recorded(evidence, only)
    others = said(evidence, hosts), _states(evidence, only), _listening(evidence, hosts), queued
    rows = merge(*packets, *others, key=attrgetter("time"))
    yield from joined(in_time(rows, queued))
    yield from blame.rest()


def _packets(
    segments: Iterable[Segment],
    capture: CaptureFile,
    evidence: Evidence,
    blame: FailedEvidence,
    *,
    holds: Holds,
    only: int,
) -> Iterator[Row]:
    """Each packet with the connection that it opens before it, and the checks that it decided behind it."""
    opened: set[int] = set()
    for crossing in matched_packets(segments, capture, evidence):
        number = crossing.index + 1
        if only not in {0, number}:
            continue
        connection = evidence.connections[crossing.index]
        if number not in opened:
            opened.add(number)
            yield opening(crossing, connection)
        frames = [(capture.path, moment.frame) for moment in (crossing.sent, crossing.arrived) if moment]
        row = packet(crossing, connection, holds, doubt=bool(capture.doubt))
        yield replace(row, blamed=blame.of(frames))
        yield from blame.decided(frames, crossing.moment.time)


def _datagrams(evidence: Evidence, blame: FailedEvidence) -> Iterator[Row]:
    """Each UDP datagram, to each host that it reached, and the checks that it decided behind it."""
    doubtful = {file.path for file in evidence.info.captures if file.doubt}
    for one in evidence.datagrams:
        frames = _frames(one)
        for row in datagram(one, doubt=one.capture in doubtful):
            yield replace(row, blamed=blame.of(frames))
        yield from blame.decided(frames, one.at.time)


def _messages(evidence: Evidence, blame: FailedEvidence) -> Iterator[Row]:
    """Each ICMP message likewise, except for those by which kernels find each other."""
    doubtful = {file.path for file in evidence.info.captures if file.doubt}
    for one in evidence.icmp:
        if one.upkeep:
            continue
        frames = _frames(one)
        for row in message(one, doubt=one.capture in doubtful):
            yield replace(row, blamed=blame.of(frames))
        yield from blame.decided(frames, one.at.time)


def _frames(one: Datagram | IcmpMessage) -> list[tuple[str, int]]:
    """Where a packet was seen."""
    moments = [*([one.sent] if one.sent else []), *(arrival.at for arrival in one.arrivals)]
    return [(one.capture, moment.frame) for moment in moments]


def datagram(one: Datagram, *, doubt: bool) -> Iterator[Packet]:
    """The rows of a datagram; ``doubt`` says that the capture may lack frames."""
    label = datagram_label(one.flow.target_port, one.size)
    ports = one.flow.source_port, one.flow.target_port
    return _alone(one, ports, label, doubt=doubt, payload=one.payload[:FIRST_BYTES])


def message(one: IcmpMessage, *, doubt: bool) -> Iterator[Packet]:
    """The rows of an ICMP message, likewise."""
    return _alone(one, (0, 0), icmp_label(one), doubt=doubt)


def _alone(
    one: Datagram | IcmpMessage,
    ports: tuple[int, int],
    label: str,
    *,
    doubt: bool,
    payload: bytes = b"",
) -> Iterator[Packet]:
    """The rows of a packet that belongs to no connection: one for each host that it reached."""
    lost: Fate = "unseen" if doubt else "lost"
    nowhere = [Arrival(one.target, one.at)]
    for arrival in one.arrivals or nowhere:
        yield Packet(
            time=one.at.time,
            number=0,
            source=one.source or OUTSIDE,
            target=arrival.host or OUTSIDE,
            ports=ports,
            flags=0,
            seq=0,
            ack=0,
            length=one.size,
            fate="arrived" if one.arrivals else lost,
            delay=arrival.at.time - one.at.time,
            datagram=label,
            payload=payload,
        )


def opening(crossing: MatchedPacket, connection: Connection) -> Opened:
    """The row before a connection's first packet."""
    client, server = connection.sides
    return Opened(crossing.moment.time, crossing.index + 1, _end(client), _end(server))


def packet(crossing: MatchedPacket, connection: Connection, holds: Holds, *, doubt: bool) -> Packet:
    """A packet's row; ``doubt`` says that the capture may lack frames."""
    client, server = connection.sides
    sender, receiver = (client, server) if crossing.from_client else (server, client)
    held = holds.told(crossing.segment) if crossing.sent else ""
    return Packet(
        time=crossing.moment.time,
        number=crossing.index + 1,
        source=sender.host or OUTSIDE,
        target=receiver.host or OUTSIDE,
        ports=(sender.port, receiver.port),
        flags=crossing.segment.flags,
        seq=crossing.seq,
        ack=crossing.ack,
        length=crossing.segment.length,
        fate=_fate(crossing, doubt=doubt or bool(held)),
        mark=crossing.mark if crossing.sent else "",
        delay=crossing.arrived.time - crossing.sent.time if crossing.sent and crossing.arrived else 0,
        held=held,
        payload=crossing.segment.payload,
    )


def _fate(crossing: MatchedPacket, *, doubt: bool) -> Fate:
    if crossing.settled:
        return "arrived"
    return "unseen" if doubt else "lost"


def _end(side: Side) -> str:
    return endpoint(side.host or side.address, side.port)


# States


def _states(evidence: Evidence, only: int) -> list[Entered]:
    """The states of both ends of each connection."""
    found = [
        row
        for number, connection in enumerate(evidence.connections, start=1)
        if only in {0, number}
        for side in connection.sides
        for row in entered(number, side)
    ]
    return sorted(found, key=attrgetter("time"))


def entered(number: int, side: Side) -> list[Entered]:
    """The states of one end, in order."""
    host = side.host or OUTSIDE
    return [Entered(change.at.time, number, host, side.port, change.state) for change in side.history]


def _listening(evidence: Evidence, hosts: Collection[str]) -> Iterator[Entered]:
    """When the kernel's samples first show a listener, and first show it no more."""
    sampled = [evidence.sockets[host] for host in evidence.sockets if host in hosts]
    changes = [change for history in sampled for change in _changes(history)]
    for sample, before, now in sorted(changes, key=lambda change: change[0].at):
        yield from listeners(sample.at, sample.host, before, now)


def _changes(history: SocketHistory) -> Iterator[tuple[SocketSample, AbstractSet[int], AbstractSet[int]]]:
    """The samples from which on other listeners stand: on which ports they did before, and do now."""
    ports: Counter[int] = Counter()
    starting: dict[int, list[int]] = {}
    ending: dict[int, list[int]] = {}
    for stand in history.in_state(TcpState.LISTEN):
        starting.setdefault(stand.first, []).append(stand.row.local_port)
        ending.setdefault(stand.last + 1, []).append(stand.row.local_port)
    for number in sorted({*starting, *ending} - {len(history.samples)}):
        before = {*+ports}
        ports.update(starting.get(number, ()))
        ports.subtract(ending.get(number, ()))
        yield history.samples[number], before, {*+ports}


def listeners(at: int, host: str, before: AbstractSet[int], now: AbstractSet[int]) -> Iterator[Entered]:
    """What became of the ports on which a host listened and listens."""
    for port in sorted(now ^ before):
        yield Entered(at, 0, host, port, TcpState.LISTEN if port in now else TcpState.CLOSED)


def joined(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, with the states that a packet led to put into it if they followed soon."""
    held: deque[Row] = deque()
    for row in rows:
        if isinstance(row, Entered) and _put_into_packet(row, held):
            continue
        held.append(row)
        while row.time - held[0].time > _SOON or len(held) > _MOST_HELD:
            yield held.popleft()
    yield from held


def _put_into_packet(entered: Entered, held: deque[Row]) -> bool:
    """Put a state beside the packet that brought it about, if that is the last of its connection."""
    for position in reversed(range(len(held))):
        packet = held[position]
        if isinstance(packet, Packet) and packet.number == entered.number:
            joined = _with_state(packet, entered)
            held[position] = joined or packet
            return joined is not None
    return False


def _with_state(packet: Packet, entered: Entered) -> Packet | None:
    """The packet with a state at one of its ends; None if it did not bring that about, or long ago."""
    sent, arrived = packet.states
    if entered.time - packet.time > _SOON:
        return None
    if (packet.ports[0], packet.time) == (entered.port, entered.time):
        return replace(packet, states=((*sent, entered.state), arrived))
    if (packet.ports[1], packet.time + packet.delay) == (entered.port, entered.time):
        return replace(packet, states=(sent, (*arrived, entered.state)))
    return None
