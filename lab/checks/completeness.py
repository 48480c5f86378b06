"""What the evidence may lack; None where it is proven complete."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from lab.core.words import TcpState
from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import Evidence, Unsound
from lab.evidence.message import Message, message
from lab.evidence.sockets import Instrument, Loss
from lab.wire.tcp import Connection, Forged

_UNDER_WAY = 100_000_000
"""ns before the end of a run within which a frame that was sent may have arrived unseen."""

_AFTERMATH = 250_000_000
"""ns after both ends have closed within which something may be sent again."""

_OVER = frozenset({TcpState.CLOSED, TcpState.TIME_WAIT})

LONGEST_GAP = 1_000_000_000
"""ns between two looks at the kernel's sockets beyond which a listener or a state may have come and gone."""


_OF_SEGMENTS = frozenset({
    "ends-in-tcp-header", "bad-tcp-header", "fragments-missing", "fragments-overlap", "fragments-crowded"
})  # fmt: skip
"""Damage of what was read as TCP that no datagram and no ICMP message has; theirs is told by itself."""


def of_capture(
    evidence: Evidence, loopback: str = "", hosts: Collection[str] = (), *, segments: bool = True
) -> Message | None:
    """What the switch's capture may lack of what these hosts sent, or that of a host's ``loopback``.

    Damaged ``segments`` count only where segments are asked for.
    """
    file = next((file for file in evidence.info.captures if file.host == loopback), None)
    if file is None:
        return message("loopback-not-captured", host=loopback) if loopback else message("no-capture")
    if file.doubt:
        return message("frames-lost", why=file.doubt, meanwhile=_open_meanwhile(file, evidence))
    return _unsound(file, evidence, hosts, segments=segments)


def _unsound(
    file: CaptureFile, evidence: Evidence, hosts: Collection[str], *, segments: bool = True
) -> Message | None:
    here = [one for one in evidence.unsound if one.capture == file.path]
    return _unread([one for one in here if segments or one.kind not in _OF_SEGMENTS], hosts)


def of_captures(evidence: Evidence, host: str, peer: str | None, *, segments: bool = True) -> Message | None:
    """What the captures of connections between two hosts may lack; with a host's own, if ``peer`` is None."""
    if peer == host:
        return of_capture(evidence, host, segments=segments)
    within = peer is None and any(file.host == host for file in evidence.info.captures)
    hosts = [one for one in (host, peer) if one]
    own = of_capture(evidence, host, segments=segments) if within else None
    return of_capture(evidence, hosts=hosts, segments=segments) or own


def of_datagrams(evidence: Evidence, sender: str | None, receiver: str | None) -> Message | None:
    """What the captures of datagrams from a host to another may lack; from any, or to any, if it is None."""
    (host, *peer) = [one for one in (sender, receiver) if one]
    lacking = of_captures(evidence, host, peer[0] if peer else None, segments=False)
    unread = (one for one in evidence.unsound_datagrams if one.may_be_sent(sender, receiver))
    return lacking or next((one.message for one in unread), None)


def of_icmp(evidence: Evidence, host: str | None, peer: str | None) -> Message | None:
    """What the captures of ICMP messages between two hosts, or between any, may lack."""
    ends = [one for one in (host, peer) if one]
    captured = of_captures(evidence, ends[0], (*ends, None)[1]) if ends else of_capture(evidence)
    return captured or _unread(evidence.unsound_icmp, ends)


def _unread(unsound: Iterable[Unsound], hosts: Collection[str]) -> Message | None:
    return next((one.message for one in unsound if one.concerns(hosts)), None)


def of_connection(connection: Connection, evidence: Evidence) -> Message | None:
    """What the capture may lack of one connection: nothing, where frames were lost at other times only."""
    file = _file_of(connection, evidence)
    host = file.host if file else ""
    hosts = {side.host for side in connection.sides if side.host}
    if file and file.bounded and not _was_open(connection, file, evidence):
        lacking = _unsound(file, evidence, hosts)
    else:
        lacking = of_capture(evidence, host, hosts)
    return lacking or of_connections([connection], evidence)


def of_all(
    connections: Iterable[Connection], evidence: Evidence, host: str, peer: str | None
) -> Message | None:
    """What the captures may lack of some connections, which are all that a check speaks of at a host.

    Where frames were lost at known times, each that was open then is in doubt, and whether there was another
    of which no frame is left: the kernels have counted them.
    """
    if not (lacking := of_captures(evidence, host, peer)):
        return of_connections(connections, evidence)
    if not all(file.bounded or not file.doubt for file in evidence.info.captures):
        return lacking
    each = (of_connection(connection, evidence) for connection in connections)
    return next(filter(None, each), None if _none_is_missing(evidence) else lacking)


def _none_is_missing(evidence: Evidence) -> bool:
    """Whether the kernels of all hosts together have begun as many connections as the captures show."""
    histories = [evidence.sockets.get(host) for host in evidence.scenario.hosts]
    opens = [one.samples[-1].opens if one and one.samples else -1 for one in histories]
    lost = any(
        of_looks(evidence, host, Instrument.SOCKETS, Instrument.COUNTERS) for host in evidence.scenario.hosts
    )
    return not lost and min(opens, default=-1) >= 0 and sum(opens) == len(evidence.connections)


def all_before(connection: Connection, evidence: Evidence) -> bool:
    """Whether no frame was lost before a connection began: no earlier one is missing."""
    file = _file_of(connection, evidence)
    began = connection.began.time
    return file is not None and file.bounded and all(began < drop.began for drop in file.drops)


def of_connections(connections: Iterable[Connection], evidence: Evidence) -> Message | None:
    """What a capture that may be complete certainly lacks of some connections.

    A frame that entered the switch and never left it was lost on its way, and the capture shows just that;
    only at the very end it may have been under way still, if none that was sent later has arrived.
    """
    for connection in connections:
        if connection.handshake == "unknown":
            return message("was-under-way")
        if connection.forged:
            return forgery(connection.forged[0], evidence)
        since = evidence.info.ended - _UNDER_WAY
        lost = {one.at.frame for one in connection.lost if one.overtaken or one.at.time < since}
        if alone := [frame for frame in connection.unpaired if frame not in lost]:
            return message("frame-at-one-port", frame=alone[0], others=len(alone) - 1)
        if gaps := connection.client.gaps + connection.server.gaps:
            return message("gaps", places=gaps)
    return None


def _file_of(connection: Connection, evidence: Evidence) -> CaptureFile | None:
    return next((file for file in evidence.info.captures if file.path == connection.capture), None)


def _was_open(connection: Connection, file: CaptureFile, evidence: Evidence) -> bool:
    """Whether a connection may have sent something while frames were lost."""
    states = [side.history[-1] for side in connection.sides if side.history]
    closed = len(states) == 2 and all(change.state in _OVER for change in states)
    until = max(change.at.time for change in states) + _AFTERMATH if closed else evidence.info.ended
    return any(connection.began.time <= drop.ended and drop.began <= until for drop in file.drops)


def _open_meanwhile(file: CaptureFile, evidence: Evidence) -> Message | None:
    """Which connections may lack the frames that were lost, as ``lab flow`` numbers them."""
    if not file.bounded:
        return None
    numbered = enumerate(evidence.connections, start=1)
    known = [number for number, one in numbered if one.capture == file.path]
    some = [number for number in known if _was_open(evidence.connections[number - 1], file, evidence)]
    if not some:
        return message("none-open")
    return message("some-open", open=len(some), of=len(known), first=some[0], last=some[-1])


def of_sampling(evidence: Evidence, host: str) -> Message | None:
    """What the samples of a host's sockets may lack."""
    if lacking := of_looks(evidence, host, Instrument.SOCKETS):
        return lacking
    if host not in evidence.sockets:
        return message("never-sampled", host=host)
    gap = evidence.info.sampling.worst_gap
    return message("not-looked-at", gap=gap) if gap > LONGEST_GAP else None


def of_looks(evidence: Evidence, host: str, *instruments: Instrument) -> Message | None:
    """What could not be seen of a host with some instruments."""
    loss = evidence.info.sampling.lost_of(host, *instruments)
    return _said(loss) if loss else None


def losses(evidence: Evidence) -> Iterator[Message]:
    """What could not be observed and what was forged, whether a check needs it or not."""
    yield from map(_said, evidence.info.sampling.lost)
    for forged in evidence.forged:
        yield message("counts-for-nobody", what=forgery(forged, evidence))


def forgery(forged: Forged, evidence: Evidence) -> Message:
    """What a host has sent in the name of another."""
    owner = evidence.info.hosts_by_address.get(forged.address, "")
    return message(
        "forged",
        host=forged.host,
        frames=forged.frames,
        owner=owner,
        address=forged.address,
        first=forged.first.frame,
    )


def _said(loss: Loss) -> Message:
    return message(
        "lost", instrument=loss.instrument, host=loss.host, count=loss.count, why=loss.why, limit=loss.limit
    )
