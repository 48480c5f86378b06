"""``throughput``: how many bytes a second a connection, or the datagrams to a port, have carried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import completeness
from lab.checks.check import Check
from lab.checks.context import CheckContext, context_of
from lab.checks.ends import End, not_ends
from lab.checks.finding import Finding, conclude, find
from lab.checks.select import went_on
from lab.checks.spans import how_late
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Amount, ServiceName, Text
from lab.scenario.checks import ConnectionRef
from lab.scenario.mistake import Mistake
from lab.wire.tcp import Side
from lab.wire.udp import Datagram

_SECOND = 1_000_000_000


class ThroughputRef(ConnectionRef):
    """A connection, or the datagrams to a port, and how many bytes a second may come that way."""

    heading: ClassVar[str] = "Which throughput"

    to: Annotated[
        ServiceName,
        Field(description="The host it went to, and the port there; of datagrams with udp: before it"),
    ]
    by: Annotated[Text, Field(description="Whose bytes: the host that sent them, or `from` or `to`")] = "from"
    min: Annotated[Amount | None, Field(description="At least so many bytes a second")] = None
    max: Annotated[Amount | None, Field(description="At most so many bytes a second")] = None


class ThroughputCheck(Check):
    """The payload that one end sent, by the time from the first SYN to the last of it that arrived.

    Of datagrams it is that of all that arrived after the first, by the time from the first to the last.
    """

    subject: ClassVar[str] = "throughput"
    words: ClassVar[tuple[str, ...]] = ("min", "max")

    throughput: Annotated[ThroughputRef, Field(description="Which connection, and how much")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        ref = self.throughput
        yield from not_ends(ref, [End(("throughput", "by"), ref.by)])
        if ref.min is not None and ref.max is not None and ref.min > ref.max:
            what = ": nothing is at least `min` and at most `max`"
            yield Mistake("contradiction", ("throughput", "min"), what, "swap the two")
        if ref.to.transport == "udp" and ref.nth > 1:
            what = ": datagrams are no connections of which there may be several"
            yield Mistake("contradiction", ("throughput", "nth"), what, "leave it out: all of them count")

    @property
    def title(self) -> str:
        ref = self.throughput
        return (
            f"throughput of the datagrams from {ref.from_} to {ref.to}"
            if ref.to.transport == "udp"
            else f"throughput of the {ref}"
        )

    def judge(self, evidence: Evidence) -> CheckResult:
        ref = self.throughput
        if ref.to.transport == "udp":
            return conclude(self, [_of_datagrams(ref, evidence)])
        context = context_of(ref, evidence)
        if isinstance(context, Finding):
            return conclude(self, [context])
        side = context.side(ref.by)
        return conclude(self, [_finding(ref, context, side or context.connection.client)])


def _finding(ref: ThroughputRef, context: CheckContext, side: Side) -> Finding:
    expected = message("throughput", min=ref.min, max=ref.max, host=context.name(side))
    peer, syn = context.connection.peer_of(side), context.connection.client.syn
    began = syn.first if syn else None
    if began is None or peer.heard is None or not side.bytes:
        none = message("throughput-none", host=context.name(side))
        return find(expected, none, holds=not ref.min, doubt=context.doubt, missing=True)
    took = max(1, peer.heard.time - began.time)
    rate = side.bytes * _SECOND // took
    late = how_late(context.evidence)
    # The frames' times are the kernel's. But on a machine with time for it, all may have been faster.
    at_best = side.bytes * _SECOND // max(1, took - late)
    is_slow = ref.min is not None and rate < ref.min
    unsure = is_slow and ref.min is not None and at_best >= ref.min
    return find(
        expected,
        message("throughput-was", rate=rate, bytes=side.bytes, took=took),
        [
            context.frame(began, "opening-syn"),
            context.frame(peer.heard, "last-data", host=context.name(side)),
        ],
        holds=_fits(ref, rate),
        doubt=context.doubt or (message("sidecar-late", late=late) if unsure else None),
        missing=is_slow,
    )


def _of_datagrams(ref: ThroughputRef, evidence: Evidence) -> Finding:
    ends = (ref.from_, ref.to.host) if "from" in ref.roles(ref.by) else (ref.to.host, ref.from_)
    expected = message("throughput", min=ref.min, max=ref.max, host=ends[0])
    found = [one for one in evidence.datagrams if _is_meant(one, ends, ref)]
    strays = sum(one.sent is None for one in found)
    lacking = completeness.of_datagrams(evidence, *ends)
    if strays and lacking is None:
        lacking = message("arrived-unsent", number=strays)
    arrivals = sorted((one.arrivals[0].at.time, one.size, one) for one in found if one.sent and one.arrivals)
    if len(arrivals) < 2 or arrivals[0][0] == arrivals[-1][0]:
        few = message("datagrams-arrived", number=len(arrivals), whom=None)
        absent = not found and went_on(evidence, ends[0])
        return find(expected, few, holds=not ref.min, doubt=lacking, absent=absent, missing=True)
    took, size = arrivals[-1][0] - arrivals[0][0], sum(size for _, size, _ in arrivals[1:])
    rate, late = size * _SECOND // took, how_late(evidence)
    # Either of the two may have arrived so much later than on a machine with time for it.
    sure = len({_fits(ref, size * _SECOND // max(1, one)) for one in (took - late, took, took + late)}) == 1
    return find(
        expected,
        message("throughput-was", rate=rate, bytes=size, took=took),
        [
            _proof(arrivals[0][2], message("first-datagram", host=ends[0])),
            _proof(arrivals[-1][2], message("last-datagram", host=ends[0])),
        ],
        holds=_fits(ref, rate),
        doubt=lacking or (None if sure else message("sidecar-late", late=late)),
        missing=ref.min is not None and rate < ref.min,
    )


def _is_meant(one: Datagram, ends: tuple[str, str], ref: ThroughputRef) -> bool:
    port = one.flow.target_port if ends[0] == ref.from_ else one.flow.source_port
    return (one.source, one.target) == ends and port == ref.to.port


def _proof(one: Datagram, what: Message) -> Proof:
    at = one.arrivals[0].at
    return Proof("frame", what, one.capture, at.frame, at.time)


def _fits(ref: ThroughputRef, rate: int) -> bool:
    return (ref.min is None or rate >= ref.min) and (ref.max is None or rate <= ref.max)
