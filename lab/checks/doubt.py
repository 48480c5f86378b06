"""What the evidence may lack, in words; an empty text where it is proven complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.checks.telling import counted, span
from lab.evidence import Evidence
from lab.flows import Connection
from lab.sockets import Instrument, Loss

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
        return file.doubt
    return next((text for text in evidence.unsound if text.startswith(f"{file.path}: ")), "")


def of_captures(evidence: Evidence, host: str, peer: str | None) -> str:
    """What the captures of connections between two hosts may lack; with a host's own, if ``peer`` is None."""
    if peer == host:
        return of_capture(evidence, host)
    within = peer is None and any(file.host == host for file in evidence.info.captures)
    return of_capture(evidence) or (of_capture(evidence, host) if within else "")


def of_connections(connections: Iterable[Connection]) -> str:
    """What the capture certainly lacks of some connections."""
    for connection in connections:
        if connection.handshake == "unknown":
            return "the connection was under way when the capture began"
        if connection.unpaired:
            frame, *others = connection.unpaired
            more = f" (and {len(others)} more)" if others else ""
            return f"frame {frame} was seen at one port of the switch only{more}"
        if gaps := connection.client.gaps + connection.server.gaps:
            return f"the capture lacks segments of the connection in {counted(gaps, 'place')}"
    return ""


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
    if evidence.info.trouble:
        return evidence.info.trouble
    loss = evidence.info.sampling.lost_of(host, *instruments)
    return _told(loss) if loss else ""


def losses(evidence: Evidence) -> Iterator[str]:
    """What could not be observed, whether a check needs it or not."""
    return map(_told, evidence.info.sampling.lost)


_LOST = {
    Instrument.SOCKETS: "the sockets{whose} could not be looked at {times}",
    Instrument.COUNTERS: "the TCP counters{whose} could not be read {times}",
    Instrument.PROCESSES: "the processes{whose} could not be looked at {times}",
    Instrument.CAPTURE: "the size of the captures could not be watched {times}",
    Instrument.HOLD: "segments{whose} could not be passed on {times}",
    Instrument.EVENTS: "the sidecar told {times} of what is not known here",
}


def _told(loss: Loss) -> str:
    whose = f" of {loss.host}" if loss.host else ""
    what = _LOST[loss.instrument].format(whose=whose, times=counted(loss.count, "time"))
    return f"{what}: {loss.why}"
