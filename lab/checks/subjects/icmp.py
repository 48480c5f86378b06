"""``icmp``: ICMP and ICMPv6 messages of one type, each as its sender's port saw it (RFC 792, RFC 4443)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Struct
from pydantic import Field

from lab.checks import completeness
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.select import went_on
from lab.core.durations import nanoseconds
from lab.core.icmp import ECHO_REQUEST, NAMES
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Count, Counted, Duration, HostName, Model
from lab.scenario.icmp import IcmpType
from lab.scenario.mistake import Mistake
from lab.wire.icmp import IcmpMessage, answers
from lab.wire.packets.internet import TCP, UDP

_MOST_PROOFS = 20
"""Messages that are told one by one."""


class EchoAnswers(Model):
    """How many echo requests got their reply, and how soon."""

    heading: ClassVar[str] = "Echo replies"
    short: ClassVar[str] = "count"

    count: Annotated[
        Counted, Field(description="How many got their reply, by identifier and sequence number")
    ]
    within: Annotated[Duration | None, Field(description="Only replies that arrive so soon count")] = None


class IcmpRef(Model):
    """ICMP messages of one type, and what is said of them."""

    heading: ClassVar[str] = "Which ICMP messages"

    type: Annotated[IcmpType, Field(description="Their type, by name or by number")]
    from_: Annotated[
        HostName | None, Field(alias="from", description="The host that sent them; any unless given")
    ] = None
    to: Annotated[HostName | None, Field(description="The host they went to; any unless given")] = None
    count: Annotated[Counted | None, Field(description="How many were sent")] = None
    answered: Annotated[
        EchoAnswers | None, Field(description="Of echo requests: how many got their reply")
    ] = None
    ttl: Annotated[
        Counted | None, Field(description="Time to live (IPv6: hop limit) that each had left when it arrived")
    ] = None


class IcmpCheck(Check):
    """ICMP and ICMPv6 messages, as the ports of their sender and their receiver saw them."""

    subject: ClassVar[str] = "icmp"
    words: ClassVar[tuple[str, ...]] = ("count", "answered", "ttl")

    icmp: Annotated[IcmpRef, Field(description="Which ones, and what of them")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        ref = self.icmp
        requests = {ECHO_REQUEST, *(number for names in NAMES.values() for number in _numbers(names))}
        if ref.answered is not None and ref.type not in requests:
            what = f': "{ref.type}" has no answer'
            yield Mistake("contradiction", ("icmp", "answered"), what, f"write type: {ECHO_REQUEST}")

    def needs_payloads(self) -> bool:
        return True  # the checksum is one of all bytes

    @property
    def title(self) -> str:
        ref = self.icmp
        ends = (f" from {ref.from_}" if ref.from_ else "") + (f" to {ref.to}" if ref.to else "")
        return f"ICMP {ref.type}{ends}"

    def judge(self, evidence: Evidence) -> CheckResult:
        context = _case(self.icmp, evidence)
        return conclude(self, [_JUDGES[word](self.said(word), context) for word in self.given()])


def _numbers(names: Mapping[int, str]) -> Iterator[int]:
    return (number for number, name in names.items() if name == ECHO_REQUEST)


class _Case(Struct, frozen=True):
    """The messages that a check speaks of, in the order they were sent, and what may be missing of them.

    ``wrong`` are those with a wrong checksum: they count as nothing, for who receives them drops them.
    """

    ref: IcmpRef
    evidence: Evidence
    sent: Sequence[IcmpMessage]
    wrong: Sequence[IcmpMessage]
    doubt: Message | None
    whom: Message
    absent: bool

    def proofs(self, some: Iterable[IcmpMessage] | None = None) -> list[Proof]:
        """The first of some messages; of all, unless given. Those with a wrong checksum stand behind them."""
        told = [*(self.sent if some is None else some), *self.wrong][:_MOST_PROOFS]
        return [proof_of(one, self.evidence) for one in told]

    def nothing(self, expected: Message) -> Finding:
        """What was to be said of messages of which there is none."""
        return find(
            expected,
            message("icmp-none", wrong=len(self.wrong)),
            self.proofs(),
            holds=False,
            doubt=self.doubt,
            absent=self.absent,
            missing=True,
        )


def _case(ref: IcmpRef, evidence: Evidence) -> _Case:
    found = [one for one in evidence.icmp if _is_meant(one, ref)]
    sent = [one for one in found if one.sent is not None]
    lacking = completeness.of_icmp(evidence, ref.from_, ref.to)
    strays = len(found) - len(sent)
    if strays and lacking is None:
        lacking = message("icmp-arrived-unsent", number=strays)
    absent = not found and (ref.from_ is None or went_on(evidence, ref.from_))
    whom = message("icmp-messages", type=str(ref.type), host=ref.from_, to=ref.to)
    right, wrong = [one for one in sent if not one.wrong], [one for one in sent if one.wrong]
    return _Case(ref, evidence, right, wrong, lacking, whom, absent)


def _is_meant(one: IcmpMessage, ref: IcmpRef) -> bool:
    return (
        ref.type in {one.name, one.type} and ref.from_ in {None, one.source} and ref.to in {None, one.target}
    )


def proof_of(one: IcmpMessage, evidence: Evidence) -> Proof:
    """A message, with what an error speaks of."""
    what = message(
        "icmp",
        type=one.name,
        host=one.who,
        to=one.target or one.addresses[1],
        echo=message("icmp-echo", ident=one.ident, seq=one.seq) if one.numbered else None,
        about=_about(one, evidence),
        wrong=one.wrong,
    )
    return Proof("frame", what, one.capture, one.at.frame, one.at.time)


def _about(one: IcmpMessage, evidence: Evidence) -> Message | None:
    """The connection, the datagram or the echo that an error quotes."""
    if one.about is None:
        return None
    flow, hosts = one.about.flow, evidence.info.hosts_by_address
    here, there = hosts.get(flow.source, flow.source), hosts.get(flow.target, flow.target)
    if one.about.protocol in {TCP, UDP}:
        number = _connection(one, evidence)
        kind = "about-segment" if one.about.protocol == TCP else "about-datagram"
        ports = flow.source_port, flow.target_port
        return message(kind, host=here, to=there, ports=ports, connection=number)
    if one.about.protocol == one.protocol:
        return message("about-echo", host=here, to=there, ident=one.about.ident, seq=one.about.seq)
    return message("about-protocol", host=here, to=there, protocol=one.about.protocol)


def _connection(one: IcmpMessage, evidence: Evidence) -> int:
    """The number of the connection whose segment an error quotes; 0 for none."""
    if one.about is None or one.about.protocol != TCP:
        return 0
    said = (each for each in evidence.connections if one in evidence.icmp_about(each))
    return next(map(evidence.number_of, said), 0)


def _count(bounds: Count, context: _Case) -> Finding:
    number = len(context.sent)
    return find(
        message("icmp-count", number=str(bounds), whom=context.whom),
        message("icmp-sent", number=number, wrong=len(context.wrong)),
        context.proofs(),
        holds=number in bounds,
        doubt=context.doubt,
        proven=decided(number, bounds),
        absent=context.absent,
        missing=number < bounds.minimum and not context.wrong,
    )


def _answered(spec: EchoAnswers, context: _Case) -> Finding:
    expected = message("icmp-answered", number=str(spec.count), within=spec.within, whom=context.whom)
    times: dict[tuple[object, ...], int | None] = {}
    replies = answers(context.evidence.icmp)
    for one in context.sent:
        reply = replies.get((one.capture, one.at.frame))
        took = reply.arrivals[0].at.time - one.at.time if reply and reply.arrivals else None
        times.setdefault(_named(one), took)
        if times[_named(one)] is None:
            times[_named(one)] = took
    limit = None if spec.within is None else nanoseconds(spec.within)
    answered = [took for took in times.values() if took is not None]
    number = sum(limit is None or took <= limit for took in answered)
    return find(
        expected,
        message(
            "icmp-answers",
            number=number,
            of=len(context.sent),
            slow=len(answered) - number,
            again=len(context.sent) - len(times),
            wrong=len(context.wrong),
        ),
        context.proofs(),
        holds=number in spec.count,
        doubt=context.doubt,
        absent=context.absent,
        missing=number < spec.count.minimum,
    )


def _named(one: IcmpMessage) -> tuple[object, ...]:
    """What a reply names the request by: of two with the same nobody can tell which was answered."""
    return one.capture, one.addresses, one.ident, one.seq


def _ttl(bounds: Count, context: _Case) -> Finding:
    expected = message("icmp-ttl", ttl=str(bounds), whom=context.whom)
    arrived = [(one, arrival.ttl) for one in context.sent for arrival in one.arrivals]
    if not arrived:
        return context.nothing(expected)
    wrong = [one for one, ttl in arrived if ttl not in bounds]
    found = sorted({ttl for _, ttl in arrived})
    return find(
        expected,
        message("icmp-ttls", least=found[0], most=found[-1], wrong=len(wrong), of=len(arrived)),
        context.proofs(wrong or None),
        holds=not wrong,
        doubt=context.doubt,
        proven=bool(wrong),
    )


_JUDGES: Mapping[str, Callable[[Any, _Case], Finding]] = {"count": _count, "answered": _answered, "ttl": _ttl}
"""Who judges each word."""
