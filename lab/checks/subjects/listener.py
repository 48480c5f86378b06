"""``listener``: a program listens, and how its queues fare, as the host's kernel says."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import accumulate
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import completeness
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.select import connections_to, history_of, listening, rows_of, runs_of, went_on, without_zone
from lab.core.endpoint import endpoint
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import SocketHistory
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.situation import Situation
from lab.evidence.sockets import Instrument, SocketRow, SocketSample
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.addresses import is_address
from lab.scenario.base import Count, Counted, Endpoint, HostName, Model, Port, Text
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake, Path
from lab.scenario.script import line_of, ports_awaited
from lab.scenario.variables import references, substitute

Row = tuple[SocketSample, SocketRow]


class ListenerRef(Model):
    """A socket in LISTEN."""

    heading: ClassVar[str] = "Which listener"

    host: Annotated[HostName, Field(description="The host")]
    port: Annotated[Port, Field(description="The port")]
    address: Annotated[
        Text | None,
        Field(
            description="The address it is bound to: any (0.0.0.0 or ::), loopback, or an address of the host"
        ),
    ] = None
    backlog: Annotated[
        Counted | None, Field(description="What its program gave to listen: the accept queue's limit")
    ] = None
    queue_max: Annotated[
        Counted | None, Field(description="The most finished connections that waited for accept at once")
    ] = None
    syn_queue_max: Annotated[
        Counted | None, Field(description="The most handshakes under way to this port at once")
    ] = None
    overflows: Annotated[
        Counted | None,
        Field(description="How often a full accept queue of the host took no connection (ListenOverflows)"),
    ] = None


class ListenerCheck(Check):
    """A program listens on a port, as the host's kernel says."""

    subject: ClassVar[str] = "listener"

    listener: Annotated[ListenerRef, Field(description="Where")]

    def texts(self) -> Iterator[tuple[Path, str]]:
        """The address."""
        if self.listener.address is not None:
            yield ("listener", "address"), self.listener.address

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """An address that its host does not have."""
        text, host = self.listener.address or "any", self.listener.host
        own = _own_addresses(scenario, host) if host in scenario.hosts else []
        if host in scenario.hosts and not _is_among(own, text):
            what = f': "{text}" is no address of host "{host}"'
            fix = did_you_mean(text, ("any", "loopback", *own), "one of")
            yield Mistake("bad-address", ("listener", "address"), what, fix)

    @property
    def title(self) -> str:
        return f"listener {self.listener.host}:{self.listener.port}"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Look for a socket in LISTEN on the port, on the address if one is asked for, and at its queues."""
        ref = self.listener
        rows = listens(ref, evidence)
        findings = [_listens(ref, _wanted(ref, evidence), rows, evidence)]
        if rows:
            findings += _queues(ref, rows, evidence)
        return conclude(self, findings)


def listens(ref: ListenerRef, evidence: Evidence) -> list[Row]:
    """The sockets in LISTEN that a check speaks of."""
    wanted = _wanted(ref, evidence)
    return [
        (sample, row)
        for sample, row in rows_of(evidence, ref.host, TcpState.LISTEN)
        if row.local_port == ref.port and _bound_to(row.local, wanted)
    ]


def _wanted(ref: ListenerRef, evidence: Evidence) -> str:
    """The address that is asked for; empty for any of them."""
    return substitute(ref.address, evidence.info.variables) if ref.address is not None else ""


def _listens(ref: ListenerRef, wanted: str, rows: list[Row], evidence: Evidence) -> Finding:
    return find(
        message("listens", host=ref.host, port=ref.port, address=wanted),
        _seen(ref.host, evidence),
        _proof(rows),
        holds=bool(rows),
        doubt=completeness.of_sampling(evidence, ref.host),
        proven=bool(rows),
        missing=not rows,
        absent=not listening(evidence, ref.host)
        and went_on(evidence, ref.host)
        and not _was_awaited(ref, evidence),
    )


def _was_awaited(ref: ListenerRef, evidence: Evidence) -> bool:
    """Whether it is decided that nobody listened where somebody should have when the script broke off.

    The step that failed waited for that, a client was refused, or the port is one of UDP.
    """
    step = evidence.transcript.failed
    if step is None or not (runs := runs_of(evidence, ref.host)):
        return False
    line = line_of(evidence.scenario, step.step)
    waits = line is not None and line.host == ref.host and ref.port in ports_awaited(evidence.scenario, line)
    refused = any(
        connection.handshake == "refused" and runs[0].started.at < connection.began.time <= step.at
        for connection in connections_to(evidence, Endpoint(ref.host, ref.port))
    )
    here = (one for one in evidence.situation if isinstance(one, Situation) and one.host == ref.host)
    return waits or refused or any(row.local_port == ref.port for seen in here for row in seen.udp)


def _bound_to(local: str, wanted: str) -> bool:
    """Whether a bound address is the one asked for: any, loopback, or one of its own."""
    address = ip_address(local)
    if wanted in {"", "any"}:
        return not wanted or address.is_unspecified
    return address.is_loopback if wanted == "loopback" else local == without_zone(wanted)


def _seen(host: str, evidence: Evidence) -> Message:
    where = listening(evidence, host)
    if not where:
        return message("never-listened", host=host)
    local = all(ip_address(row.local).is_loopback for _, row in rows_of(evidence, host, TcpState.LISTEN))
    return message("listens-on", host=host, where=where, local=local)


def _proof(rows: list[Row]) -> list[Proof]:
    where = ((sample, endpoint(row.local, row.local_port)) for sample, row in rows[:1])
    return [proof("socket", "shows-listen", host=one.host, time=one.at, where=at) for one, at in where]


# Its queues


def _queues(ref: ListenerRef, rows: list[Row], evidence: Evidence) -> Iterator[Finding]:
    """What is said of the backlog and of the two queues that it is there for."""
    if ref.backlog is not None:
        yield _backlog(ref, ref.backlog, rows)
    if ref.queue_max is not None:
        fullest = max(rows, key=lambda shown: shown[1].recv_queue)
        most = fullest[1].recv_queue, fullest[0]
        yield _most(ref, "accept", ref.queue_max, most, evidence)
    if ref.syn_queue_max is not None:
        most = _half_open(history_of(evidence, ref.host), ref.port)
        yield _most(ref, "syn", ref.syn_queue_max, most, evidence)
    if ref.overflows is not None:
        yield _overflows(ref, ref.overflows, evidence)


def _backlog(ref: ListenerRef, bounds: Count, rows: list[Row]) -> Finding:
    limits = sorted({row.send_queue for _, row in rows})
    return find(
        message("backlog", port=ref.port, limit=str(bounds)),
        message("limits", limits=tuple(limits)),
        _proof(rows),
        holds=all(limit in bounds for limit in limits),
    )


def _half_open(history: SocketHistory, port: int) -> tuple[int, SocketSample]:
    """How many handshakes to a port were under way at the most, and the first sample that shows so many."""
    change = [0] * (len(history.samples) + 1)
    for stand in history.in_state(TcpState.SYN_RECEIVED):
        if stand.row.local_port == port:
            change[stand.first] += 1
            change[stand.last + 1] -= 1
    return max(zip(accumulate(change), history.samples, strict=False), key=lambda shown: shown[0])


def _most(
    ref: ListenerRef, queue: str, bounds: Count, most: tuple[int, SocketSample], evidence: Evidence
) -> Finding:
    """The most that ever waited in a queue; what came and went between two looks is not seen."""
    number, sample = most
    shown, gap = message("in-queue", number=number, queue=queue), evidence.info.sampling.mean_gap
    return find(
        message(
            "at-most-in-queue", shown=message("in-queue", number=str(bounds), queue=queue), port=ref.port
        ),
        message("at-fullest", shown=shown),
        [proof("socket", "queue-shown", host=ref.host, time=sample.at, gap=gap, shown=shown)],
        holds=number in bounds,
        doubt=completeness.of_sampling(evidence, ref.host),
        proven=decided(number, bounds),
    )


def _overflows(ref: ListenerRef, bounds: Count, evidence: Evidence) -> Finding:
    last = history_of(evidence, ref.host).samples[-1]
    number, drops = last.overflows, last.drops
    return find(
        message("found-queue-full", number=str(bounds)),
        message("found-queue-of-host-full", number=last.overflows, host=ref.host),
        [proof("counter", "listen-overflows", host=ref.host, time=last.at, number=number, drops=drops)],
        holds=last.overflows in bounds,
        doubt=completeness.of_sampling(evidence, ref.host)
        or completeness.of_looks(evidence, ref.host, Instrument.COUNTERS),
        proven=decided(last.overflows, bounds),
    )


def _is_among(own: list[str], text: str) -> bool:
    """Whether a text is an address of a host, however it is written, or one of the words for some."""
    if text in ("any", "loopback") or references(text):
        return True
    return is_address(text) and ip_address(text) in map(ip_address, own)


def _own_addresses(scenario: Scenario, name: str) -> list[str]:
    """The addresses of a host that can be read; another rule speaks of the others."""
    host = scenario.hosts[name]
    every = [host.address or "", *(text for texts in host.addresses.values() for text in texts)]
    return [text for text in every if is_address(text)]
