"""What the evidence may lack, in words; an empty text where it is proven complete."""

from __future__ import annotations

from collections.abc import Iterable

from lab.checks.telling import counted, span
from lab.evidence import Evidence
from lab.flows import Connection

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
    sampling = evidence.info.sampling
    if evidence.info.trouble or sampling.trouble:
        return evidence.info.trouble or sampling.trouble
    if host not in evidence.sockets:
        return f"the sockets of {host} were never sampled"
    if sampling.worst_gap > LONGEST_GAP:
        return f"for {span(sampling.worst_gap)} the sockets were not looked at"
    return ""
