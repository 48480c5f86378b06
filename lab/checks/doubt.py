"""What the evidence may lack, in words; an empty text where it is proven complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.checks.telling import counted, span
from lab.core.words import TcpState
from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import Evidence
from lab.evidence.sockets import Instrument, Loss
from lab.wire.tcp import Connection, Forged

_UNDER_WAY = 100_000_000
"""ns before the end of a run within which a frame that was sent may have arrived unseen."""

_AFTERMATH = 250_000_000
"""ns after both ends have closed within which something may be sent again."""

_OVER = frozenset({TcpState.CLOSED, TcpState.TIME_WAIT})

LONGEST_GAP = 1_000_000_000
"""ns between two looks at the kernel's sockets beyond which a listener or a state may have come and gone."""


def of_capture(evidence: Evidence, loopback: str = "") -> str:
    """What the switch's capture may lack, or that of a host's ``loopback``."""
    if evidence.info.trouble:
        return evidence.info.trouble
    file = next((file for file in evidence.info.captures if file.host == loopback), None)
    if file is None:
        return (
            f"the loopback of {loopback} was not captured (capture: lo)"
            if loopback
            else "there is no capture"
        )
    if file.doubt:
        return file.doubt + _open_meanwhile(file, evidence)
    return _unsound(file, evidence)


def _unsound(file: CaptureFile, evidence: Evidence) -> str:
    return next((text for text in evidence.unsound if text.startswith(f"{file.path}: ")), "")


def of_captures(evidence: Evidence, host: str, peer: str | None) -> str:
    """What the captures of connections between two hosts may lack; with a host's own, if ``peer`` is None."""
    if peer == host:
        return of_capture(evidence, host)
    within = peer is None and any(file.host == host for file in evidence.info.captures)
    return of_capture(evidence) or (of_capture(evidence, host) if within else "")


def of_connection(connection: Connection, evidence: Evidence) -> str:
    """What the capture may lack of one connection: nothing, where frames were lost at other times only."""
    file = _file_of(connection, evidence)
    host = file.host if file else ""
    if file and not evidence.info.trouble and file.bounded and not _was_open(connection, file, evidence):
        lacking = _unsound(file, evidence)
    else:
        lacking = of_capture(evidence, host)
    return lacking or of_connections([connection], evidence)


def of_all(connections: Iterable[Connection], evidence: Evidence, host: str, peer: str | None) -> str:
    """What the captures may lack of some connections, which are all that a check speaks of at a host.

    Where frames were lost at known times, each that was open then is in doubt, and whether there was another
    of which no frame is left: the kernels have counted them.
    """
    if not (lacking := of_captures(evidence, host, peer)):
        return of_connections(connections, evidence)
    if evidence.info.trouble or not all(file.bounded or not file.doubt for file in evidence.info.captures):
        return lacking
    each = (of_connection(connection, evidence) for connection in connections)
    return next(filter(None, each), "" if _none_is_missing(evidence) else lacking)


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


def of_connections(connections: Iterable[Connection], evidence: Evidence) -> str:
    """What a capture that may be complete certainly lacks of some connections.

    A frame that entered the switch and never left it was lost on its way, and the capture shows just that;
    only at the very end it may have been under way still, if none that was sent later has arrived.
    """
    for connection in connections:
        if connection.handshake == "unknown":
            return "the connection was under way when the capture began"
        if connection.forged:
            return forgery(connection.forged[0], evidence)
        since = evidence.info.ended - _UNDER_WAY
        lost = {one.at.frame for one in connection.lost if one.overtaken or one.at.time < since}
        if alone := [frame for frame in connection.unpaired if frame not in lost]:
            frame, *others = alone
            more = f" (and {len(others)} more)" if others else ""
            return f"frame {frame} was seen at one port of the switch only{more}"
        if gaps := connection.client.gaps + connection.server.gaps:
            return f"the capture lacks segments of the connection in {counted(gaps, 'place')}"
    return ""


def _file_of(connection: Connection, evidence: Evidence) -> CaptureFile | None:
    return next((file for file in evidence.info.captures if file.path == connection.capture), None)


def _was_open(connection: Connection, file: CaptureFile, evidence: Evidence) -> bool:
    """Whether a connection may have sent something while frames were lost."""
    states = [side.history[-1] for side in connection.sides if side.history]
    closed = len(states) == 2 and all(change.state in _OVER for change in states)
    until = max(change.at.time for change in states) + _AFTERMATH if closed else evidence.info.ended
    return any(connection.began.time <= drop.ended and drop.began <= until for drop in file.drops)


def _open_meanwhile(file: CaptureFile, evidence: Evidence) -> str:
    """Which connections may lack the frames that were lost, as ``lab flow`` numbers them."""
    if not file.bounded:
        return ""
    numbered = enumerate(evidence.connections, start=1)
    known = [number for number, one in numbered if one.capture == file.path]
    some = [number for number in known if _was_open(evidence.connections[number - 1], file, evidence)]
    if not some:
        return ", while none of the connections was open"
    which = f"number {some[0]}" if len(some) == 1 else f"between number {some[0]} and {some[-1]}"
    were = "was" if len(some) == 1 else "were"
    return f", while {len(some)} of the {counted(len(known), 'connection')} {were} open ({which})"


def of_sampling(evidence: Evidence, host: str) -> str:
    """What the samples of a host's sockets may lack."""
    if lacking := of_looks(evidence, host, Instrument.SOCKETS):
        return lacking
    if host not in evidence.sockets:
        return f"the sockets of {host} were never sampled"
    gap = evidence.info.sampling.worst_gap
    if gap > LONGEST_GAP:
        return f"for {span(gap)} the sockets were not looked at"
    return ""


def of_looks(evidence: Evidence, host: str, *instruments: Instrument) -> str:
    """What could not be seen of a host with some instruments."""
    return evidence.info.trouble or of_losses(evidence, host, *instruments)


def of_losses(evidence: Evidence, host: str, *instruments: Instrument) -> str:
    """What some instruments missed of a host while the run went well."""
    loss = evidence.info.sampling.lost_of(host, *instruments)
    return _told(loss) if loss else ""


def losses(evidence: Evidence) -> Iterator[str]:
    """What could not be observed and what was forged, whether a check needs it or not."""
    yield from map(_told, evidence.info.sampling.lost)
    for forged in evidence.forged:
        yield f"{forgery(forged, evidence)}: it counts for nobody else"


def forgery(forged: Forged, evidence: Evidence) -> str:
    """What a host has sent in the name of another."""
    owner = evidence.info.hosts_by_address.get(forged.address, "nobody")
    first = (
        f", frame {forged.first.frame} the first" if forged.frames > 1 else f" (frame {forged.first.frame})"
    )
    return (
        f"{forged.host} forged {counted(forged.frames, 'frame')} in the name of {owner} "
        f"({forged.address}){first}"
    )


_LOST = {
    Instrument.SOCKETS: "the sockets{whose} could not be looked at {times}",
    Instrument.COUNTERS: "the TCP counters{whose} could not be read {times}",
    Instrument.PROCESSES: "the processes{whose} could not be looked at {times}",
    Instrument.ENDS: "ends of processes{whose} were missed {times}",
    Instrument.CAPTURE: "the size of the captures could not be watched {times}",
    Instrument.HOLD: "segments{whose} could not be passed on {times}",
    Instrument.EVENTS: "the sidecar told {times} of what is not known here",
}


def _told(loss: Loss) -> str:
    whose = f" of {loss.host}" if loss.host else ""
    what = _LOST[loss.instrument].format(whose=whose, times=counted(loss.count, "time"))
    return f"{what}: {loss.why}"
