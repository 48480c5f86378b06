"""``connection``: one TCP connection, from its SYN to its last ACK."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from lab.checks import doubt, ending, passage
from lab.checks.case import Case
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.refusal import listened_then
from lab.checks.select import connections_to, rows_of, went_on
from lab.checks.telling import Teller, counted, named, refused_by
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Count
from lab.scenario.checks import ConnectionCheck, ConnectionRef, ResetSpec


def judge(spec: ConnectionCheck, evidence: Evidence) -> CheckResult:
    """Judge every word of the check on the connection it names."""
    ref = spec.connection
    title = f"connection from {ref.from_} to {ref.to}" + (f", number {ref.nth}" if ref.nth > 1 else "")
    found = connections_to(evidence, ref.to, ref.from_)
    lacking = doubt.of_captures(evidence, ref.to.host, ref.from_)
    if len(found) < ref.nth:
        return conclude(spec, title, [_missing(ref, len(found), evidence, lacking)])
    connection = found[ref.nth - 1]
    if not lacking or doubt.all_before(connection, evidence):
        lacking, certain = doubt.of_connection(connection, evidence), True
    else:
        certain = ref.nth == 1
    case = Case(ref, connection, evidence, Teller(evidence), lacking, certain)
    findings = [replace(found, missing=found.missing or _unfinished(case)) for found in _findings(spec, case)]
    if _unmade(case) and spec.handshake in {None, "complete"} and not isinstance(spec.rst, ResetSpec):
        # There was no connection: that says all, of each word.
        findings = [replace(found, observed=tuple(_handshake_told(case))) for found in findings]
    return conclude(spec, title, findings)


def _unfinished(case: Case) -> bool:
    """Whether the connection never was, or nobody had begun to end it: something did not come."""
    connection = case.connection
    return _unmade(case) or not any(side.fin or side.reset for side in connection.sides)


def _findings(spec: ConnectionCheck, case: Case) -> Iterator[Finding]:
    if spec.handshake is not None:
        yield _handshake(spec.handshake, case)
    yield from _ending(spec, case)
    yield from _passage(spec, case)


def _ending(spec: ConnectionCheck, case: Case) -> Iterator[Finding]:
    if spec.close is not None:
        yield from ending.close(spec.close, case)
    if spec.fin is not None:
        yield ending.fin(spec.fin, case)
    if isinstance(spec.rst, ResetSpec):
        yield from ending.reset_by(spec.rst, case)
    elif spec.rst is not None:
        yield ending.no_reset(case)


def _passage(spec: ConnectionCheck, case: Case) -> Iterator[Finding]:
    if spec.retransmissions is not None:
        yield from passage.resent(spec.retransmissions, case)
    for end, bounds in (spec.bytes or {}).items():
        yield from _bytes(end, bounds, case)
    for end, states in (spec.states or {}).items():
        yield from passage.states(end, states, case)
    if spec.time_wait is not None:
        yield from passage.time_wait(spec.time_wait, case)


def _missing(ref: ConnectionRef, found: int, evidence: Evidence, lacking: str) -> Finding:
    others = [c for c in evidence.connections if c.client.host == ref.from_ and c.client.syn]
    teller = Teller(evidence)
    attempts = [
        teller.frame(c.capture, c.began, f"SYN from {ref.from_} to {named(c.server)}:{c.server.port}")
        for c in others
    ]
    none = (
        f"no SYN from {ref.from_} to {ref.to} was captured"
        if lacking
        else (f"{ref.from_} never sent a SYN to {ref.to}")
    )
    observed = f"there {'was' if found == 1 else 'were'} only {found}" if found else none
    expected = f"a connection from {ref.from_} to {ref.to}" if ref.nth == 1 else f"{ref.nth} of them"
    return find(
        expected,
        observed,
        attempts,
        holds=False,
        doubt=lacking,
        absent=not attempts and went_on(evidence, ref.from_),
        missing=True,
    )


# Handshake


def _handshake(expected: str, case: Case) -> Finding:
    seen = case.connection.handshake
    answered = seen == "half_open" and expected != "complete"
    return find(
        f"handshake {expected}",
        list(_handshake_told(case)),
        list(_handshake_frames(case)),
        holds=seen == expected,
        doubt=case.doubt,
        proven=case.certain and (seen in {"complete", "refused", "simultaneous"} or answered),
        missing=_unmade(case),
    )


def _unmade(case: Case) -> bool:
    """Whether the connection never was: what is said of it lacks it."""
    return case.connection.handshake in {"refused", "no_reply", "half_open"}


def _handshake_told(case: Case) -> Iterator[str]:
    client, server = case.connection.sides
    match case.connection.handshake:
        case "complete":
            yield "the handshake was completed"
        case "simultaneous":
            yield "both sides sent SYN at once"
        case "refused":
            yield f"{case.name(server)} refused: RST answers the SYN to port {server.port}"
            yield from listened_then(server, case)
        case "no_reply":
            again = client.retransmissions.syn
            often = f", which was sent {again + 1} times" if again else ""
            nothing = "no answer to the SYN was captured" if case.doubt else "nothing answered the SYN"
            yield f"{nothing}{often}{_full(case)}"
            yield from _said_by_icmp(case)
        case "half_open":
            name = case.name(client)
            heard = f"no ACK from {name} was captured" if case.doubt else f"{name} never acknowledged it"
            yield f"{case.name(server)} answered SYN-ACK, and {heard}"
        case "unknown":
            begun = client.syn or server.syn
            yield "a part of it was not captured" if begun else "it was under way when the capture began"


def _said_by_icmp(case: Case) -> list[str]:
    """What routers and hosts say by ICMP of the segments of a connection that never was, each thing once."""
    said = {(one.source, one.meaning): one for one in reversed(case.evidence.icmp_about(case.connection))}
    return [refused_by(one, case.evidence) for one in reversed(said.values())]


def _full(case: Case) -> str:
    """Whether the listener's accept queue held more than its limit, so that it took no further connection."""
    server = case.connection.server
    for _, row in rows_of(case.evidence, server.host, TcpState.LISTEN):
        if row.local_port == server.port and row.recv_queue > row.send_queue:
            waiting = (
                f"{counted(row.recv_queue, 'connection')} waited to be accepted (limit {row.send_queue})"
            )
            return f"; the queue of {case.name(server)} was full, {waiting}: its program does not call accept"
    return ""


def _handshake_frames(case: Case) -> Iterator[str]:
    client, server = case.connection.sides
    if client.syn:
        yield case.frame(client.syn.first, f"SYN from {case.name(client)}")
    if server.syn:
        yield case.frame(server.syn.first, f"SYN-ACK from {case.name(server)}")
    if client.ack and server.syn:
        yield case.frame(client.ack.first, f"ACK from {case.name(client)}")
    if not server.syn and server.reset:
        yield case.frame(server.reset.first, f"RST from {case.name(server)}")


# Bytes


def _bytes(end: str, bounds: Count, case: Case) -> Iterator[Finding]:
    side = case.side(end)
    if side is not None:
        yield find(
            f"{counted(bounds, 'byte')} from {case.name(side)}",
            f"{counted(side.bytes, 'byte')} from {case.name(side)}",
            holds=side.bytes in bounds,
            doubt=case.doubt,
            proven=case.certain and (side.exact or decided(side.at_least, bounds)),
            missing=side.bytes < bounds.minimum,
        )
