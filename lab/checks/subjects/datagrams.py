"""``datagrams``: the UDP datagrams from a host to an endpoint, each as its sender's port saw it (RFC 768)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field

from lab.checks import buffers, completeness
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.payloads import PayloadSpec, shown, wanted_of
from lab.checks.proofs import meaning_of
from lab.checks.select import history_of, went_on
from lab.checks.spans import bounds_told, fits, lateness
from lab.core.durations import nanoseconds
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Count, Counted, Duration, HostName, HostPort, Model, Name
from lab.scenario.checks import Span
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake, Path
from lab.wire.packets.internet import UDP
from lab.wire.tcp import Moment
from lab.wire.udp import Datagram

_NONE = "none"
_MOST_PROOFS = 20
"""Datagrams that are told one by one."""


class AnsweredSpec(Model):
    """How many datagrams were answered, and how soon."""

    heading: ClassVar[str] = "Answers"
    short: ClassVar[str] = "count"

    count: Annotated[Counted, Field(description="How many got an answer that arrived")]
    within: Annotated[Duration | None, Field(description="Only answers that arrive so soon count")] = None


class DatagramsRef(Model):
    """UDP datagrams to one endpoint, and what is said of them."""

    heading: ClassVar[str] = "Which datagrams"

    to: Annotated[HostPort, Field(description="The host they went to, and the port there")]
    from_: Annotated[
        HostName | None, Field(alias="from", description="The host that sent them; any unless given")
    ] = None
    by: Annotated[
        Literal["from", "to"],
        Field(description="Whose datagrams: those to that port, or (to) those that come back from it"),
    ] = "from"
    count: Annotated[Counted | None, Field(description="How many were sent")] = None
    arrived: Annotated[Counted | None, Field(description="How many reached the host")] = None
    size: Annotated[Counted | None, Field(description="Bytes of each payload")] = None
    interval: Annotated[Span | None, Field(description="Between two that follow on each other")] = None
    payload: Annotated[PayloadSpec | None, Field(description="What is in them")] = None
    answered: Annotated[
        AnsweredSpec | None, Field(description="How many got a datagram back, from that port to theirs")
    ] = None
    repeated: Annotated[
        Counted | None, Field(description="How many had the payload of an earlier one: were sent again")
    ] = None
    order: Annotated[Literal["kept"] | None, Field(description="They arrived as they were sent")] = None
    unreachable: Annotated[
        Name | None, Field(description="The host that answered with an ICMP error, or none")
    ] = None


class DatagramsCheck(Check):
    """UDP datagrams, as the ports of their sender and their receiver saw them."""

    subject: ClassVar[str] = "datagrams"
    words: ClassVar[tuple[str, ...]] = (
        "count", "arrived", "size", "interval", "payload", "answered", "repeated", "order", "unreachable",
    )  # fmt: skip

    datagrams: Annotated[DatagramsRef, Field(description="Which ones, and what of them")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        ref = self.datagrams
        if ref.interval is not None:
            yield from ref.interval.mistakes(("datagrams", "interval"))
        if ref.unreachable not in {None, _NONE, *scenario.hosts}:
            what = f': no host is called "{ref.unreachable}"'
            fix = did_you_mean(str(ref.unreachable), scenario.hosts, "hosts")
            yield Mistake("unknown-host", ("datagrams", "unreachable"), what, f"{fix}, or write none")
        for word in ("answered", "unreachable") if ref.by == "to" else ():
            if word in self.given():
                what = f': "{word}" speaks of what was sent to the port, and "by" of what came back'
                fix = f"say `{word}:` in a check of its own, without `by:`"
                yield Mistake("contradiction", ("datagrams", word), what, fix)
        if ref.payload is not None:
            yield from ref.payload.mistakes(("datagrams", "payload"))

    def texts(self) -> Iterator[tuple[Path, str]]:
        payload = self.datagrams.payload
        for kind in ("text", "contains"):
            text = getattr(payload, kind) if payload else None
            if text is not None:
                yield ("datagrams", "payload", kind), text

    def needs_payloads(self) -> bool:
        return self.datagrams.payload is not None or self.datagrams.repeated is not None

    @property
    def title(self) -> str:
        ref = self.datagrams
        if ref.by == "to":
            return f"datagrams from {ref.to}" + (f" to {ref.from_}" if ref.from_ else "")
        return f"datagrams to {ref.to}" + (f" from {ref.from_}" if ref.from_ else "")

    def judge(self, evidence: Evidence) -> CheckResult:
        context = _case(self.datagrams, evidence)
        findings = [_JUDGES[word](self.said(word), context) for word in self.given()]
        if self.datagrams.by == "from":
            findings = [_with_losses(one, self.datagrams.to, evidence) for one in findings]
        return conclude(self, findings)


class _Case(Struct, frozen=True):
    """The datagrams that a check speaks of, in the order they were sent, and what may be missing of them."""

    ref: DatagramsRef
    evidence: Evidence
    sent: Sequence[Datagram]
    doubt: Message | None
    whom: Message
    absent: bool

    def proofs(self, some: Iterable[Datagram] | None = None) -> list[Proof]:
        """The first of some datagrams; of all, unless given."""
        told = list(self.sent if some is None else some)[:_MOST_PROOFS]
        return [_proof(one, one.at) for one in told]


def _case(ref: DatagramsRef, evidence: Evidence) -> _Case:
    found = [one for one in evidence.datagrams if _is_meant(one, ref)]
    sent = [one for one in found if one.sent is not None]
    ends = (ref.to.host, ref.from_) if ref.by == "to" else (ref.from_, ref.to.host)
    lacking = completeness.of_datagrams(evidence, *ends)
    strays = len(found) - len(sent)
    if strays and lacking is None:
        lacking = message("arrived-unsent", number=strays)
    sender = ref.to.host if ref.by == "to" else ref.from_
    absent = not found and (sender is None or went_on(evidence, sender))
    if ref.by == "to":
        whom = message("datagrams-back", to=str(ref.to), host=ref.from_)
    else:
        whom = message("datagrams", host=ref.from_, to=str(ref.to))
    return _Case(ref, evidence, sent, lacking, whom, absent)


def _is_meant(one: Datagram, ref: DatagramsRef) -> bool:
    if ref.by == "to":
        here = one.source == ref.to.host and one.flow.source_port == ref.to.port
        return here and ref.from_ in {None, one.target}
    there = one.target == ref.to.host and one.flow.target_port == ref.to.port
    return there and ref.from_ in {None, one.source}


def _proof(one: Datagram, at: Moment) -> Proof:
    what = message("datagram", host=one.source or one.flow.source, port=one.flow.source_port, size=one.size)
    return Proof("frame", what, one.capture, at.frame, at.time)


def _with_losses(finding: Finding, to: HostPort, evidence: Evidence) -> Finding:
    """The finding, with what the receiver lost in its own buffers: it arrived, and no program read it."""
    full = buffers.full_buffers(evidence, to.host)
    mine = [one for one in full if one.port == to.port]
    here, number = sum(one.number for one in mine), buffers.of_host(evidence, to.host)
    unknown = number - sum(one.number for one in full)
    if here:
        lost = message("datagrams-lost-in-buffer", host=to.host, port=to.port, number=here)
        told = proof(
            "counter", "socket-buffer-full", host=to.host, time=mine[-1].at, port=to.port, number=here
        )
    elif unknown > 0:  # by a socket that was gone before anybody looked
        lost = message("datagrams-lost-in-buffer", host=to.host, port=None, number=unknown)
        at = history_of(evidence, to.host).samples[-1].at
        told = proof("counter", "receive-buffer-full", host=to.host, time=at, number=number)
    else:
        return finding
    return replace(finding, observed=(*finding.observed, lost), evidence=(*finding.evidence, told))


def _count(bounds: Count, context: _Case) -> Finding:
    number = len(context.sent)
    expected = message("datagrams-sent", number=str(bounds), whom=context.whom)
    return _counted(
        bounds, context.sent, expected, message("datagrams-sent", number=number, whom=None), context
    )


def _arrived(bounds: Count, context: _Case) -> Finding:
    some = [one for one in context.sent if one.arrivals]
    expected = message("datagrams-arrived", number=str(bounds), whom=context.whom)
    return _counted(
        bounds, some, expected, message("datagrams-arrived", number=len(some), whom=None), context
    )


def _counted(
    bounds: Count, some: Sequence[Datagram], expected: Message, observed: Message, context: _Case
) -> Finding:
    return find(
        expected,
        observed,
        context.proofs(some),
        holds=len(some) in bounds,
        doubt=context.doubt,
        proven=decided(len(some), bounds),
        absent=context.absent,
        missing=len(some) < bounds.minimum,
    )


def _nothing(expected: Message, context: _Case) -> Finding:
    """What was to be said of datagrams of which there is none."""
    return find(
        expected,
        message("datagrams-none"),
        holds=False,
        doubt=context.doubt,
        absent=context.absent,
        missing=True,
    )


def _sizes(bounds: Count, context: _Case) -> Finding:
    expected = message("datagrams-size", size=str(bounds), whom=context.whom)
    if not context.sent:
        return _nothing(expected, context)
    wrong = [one for one in context.sent if one.size not in bounds]
    sizes = sorted({one.size for one in context.sent})
    return find(
        expected,
        message("datagram-sizes", least=sizes[0], most=sizes[-1], wrong=len(wrong), of=len(context.sent)),
        context.proofs(wrong or None),
        holds=not wrong,
        doubt=context.doubt,
        proven=bool(wrong),
    )


def _intervals(bounds: Span, context: _Case) -> Finding:
    expected = message("datagrams-interval", bounds=bounds_told(bounds), whom=context.whom)
    gaps = [(after.at.time - before.at.time, after) for before, after in pairwise(context.sent)]
    if not gaps:
        return _nothing(expected, context)
    wrong = [(gap, one) for gap, one in gaps if not fits(bounds, gap)]
    unsure = next((late for gap, _ in gaps if (late := lateness(bounds, gap, context.evidence))), None)
    least, most = min(gap for gap, _ in gaps), max(gap for gap, _ in gaps)
    return find(
        expected,
        message("datagram-intervals", least=least, most=most, wrong=len(wrong), of=len(gaps)),
        context.proofs([one for _, one in wrong] or None),
        holds=not wrong,
        doubt=context.doubt or unsure,
    )


def _payloads(spec: PayloadSpec, context: _Case) -> Finding:
    wanted = wanted_of(spec, context.evidence)
    expected = wanted.told
    some = context.sent if spec.nth is None else context.sent[spec.nth - 1 : spec.nth]
    if not some:
        return _nothing(expected, context)
    verdicts = [(one, wanted.has(one)) for one in some]
    wrong = [one for one, has in verdicts if has is False]
    unsure = message("payload-cut") if any(has is None for _, has in verdicts) else None
    first = wrong[0] if wrong else some[0]
    return find(
        expected,
        message("datagram-payloads", payload=shown(first.payload), wrong=len(wrong), of=len(some)),
        context.proofs(wrong or some),
        holds=not wrong,
        doubt=context.doubt or (None if wrong else unsure),
        proven=bool(wrong) and spec.nth is None,
    )


def _answered(spec: AnsweredSpec, context: _Case) -> Finding:
    to = context.ref.to
    answers = [
        one
        for one in context.evidence.datagrams
        if one.source == to.host and one.flow.source_port == to.port and one.sent is not None
    ]
    took = _times_to_answer(context.sent, answers)
    limit = None if spec.within is None else nanoseconds(spec.within)
    number = sum(limit is None or time <= limit for time in took)
    return find(
        message("datagrams-answered", number=str(spec.count), within=spec.within, whom=context.whom),
        message("datagram-answers", number=number, of=len(context.sent), slow=len(took) - number),
        context.proofs(),
        holds=number in spec.count,
        doubt=context.doubt,
        absent=context.absent,
        missing=number < spec.count.minimum,
    )


def _times_to_answer(sent: Sequence[Datagram], answers: Sequence[Datagram]) -> list[int]:
    """How long it took until an answer arrived (ns), of each datagram that got one.

    An answer belongs to the earliest datagram with its payload that waits for one, or else to the latest that
    had arrived before it was sent.
    """
    arrived = sorted((one for one in sent if one.arrivals), key=lambda one: one.arrivals[0].at.time)
    waiting: dict[tuple[str, int], _Waiting] = defaultdict(_Waiting)
    times: list[int] = []
    came = iter(arrived)
    coming = next(came, None)
    for answer in sorted(answers, key=lambda one: one.at.time):
        while coming is not None and coming.arrivals[0].at.time <= answer.at.time:
            waiting[coming.flow.source, coming.flow.source_port].add(coming)
            coming = next(came, None)
        asked = waiting[answer.flow.target, answer.flow.target_port].take(answer)
        if asked is not None and answer.arrivals:
            times.append(answer.arrivals[0].at.time - asked.at.time)
    return times


class _Waiting:
    """The datagrams from one port that have arrived and wait for an answer."""

    def __init__(self) -> None:
        self._all: list[Datagram] = []
        self._by_payload: dict[bytes, deque[Datagram]] = defaultdict(deque)
        self._answered: set[int] = set()

    def add(self, one: Datagram) -> None:
        """One has arrived."""
        self._all.append(one)
        self._by_payload[one.digest].append(one)

    def take(self, answer: Datagram) -> Datagram | None:
        """The one that is answered."""
        same = self._by_payload.get(answer.digest) if answer.digest else None
        while same:
            one = same.popleft()
            if one.at.frame not in self._answered:
                self._answered.add(one.at.frame)
                return one
        while self._all:
            one = self._all.pop()
            if one.at.frame not in self._answered:
                self._answered.add(one.at.frame)
                return one
        return None


def _repeated(bounds: Count, context: _Case) -> Finding:
    expected = message("datagrams-repeated", number=str(bounds), whom=context.whom)
    if not context.sent:
        return _nothing(expected, context)
    seen: set[bytes] = set()
    again = []
    for one in context.sent:
        if one.digest in seen:
            again.append(one)
        elif one.digest:
            seen.add(one.digest)
    unsure = None if all(one.digest for one in context.sent) else message("payload-cut")
    return find(
        expected,
        message("datagram-repeats", number=len(again), of=len(context.sent)),
        context.proofs(again),
        holds=len(again) in bounds,
        doubt=context.doubt or unsure,
        proven=decided(len(again), bounds),
        missing=len(again) < bounds.minimum,
    )


def _in_order(_: str, context: _Case) -> Finding:
    expected = message("datagrams-in-order", whom=context.whom)
    arrived = [one for one in context.sent if one.arrivals]
    if not arrived:
        return _nothing(expected, context)
    overtaken = [
        later for before, later in pairwise(arrived) if later.arrivals[0].at.time < before.arrivals[0].at.time
    ]
    return find(
        expected,
        message("datagrams-overtook", number=len(overtaken), of=len(arrived)),
        context.proofs(overtaken),
        holds=not overtaken,
        doubt=context.doubt,
        proven=bool(overtaken),
    )


def _unreachable(by: str, context: _Case) -> Finding:
    flows = {one.flow for one in context.sent}
    errors = [
        one
        for one in context.evidence.icmp_errors
        if one.about and one.about.protocol == UDP and one.about.flow in flows
    ]
    said = [one.who for one in errors]
    proofs = [
        Proof(
            "frame",
            message("icmp-said", by=one.who, meaning=meaning_of(one)),
            one.capture,
            one.at.frame,
            one.at.time,
        )
        for one in errors[:_MOST_PROOFS]
    ]
    expected = message("unreachable-by", by=by, whom=context.whom)
    if by == _NONE:
        expected = message("unreachable-none", whom=context.whom)
    if by != _NONE and not context.sent:
        return _nothing(expected, context)
    return find(
        expected,
        message("icmp-errors", number=len(said), by=tuple(dict.fromkeys(said))),
        proofs,
        holds=not said if by == _NONE else by in said,
        doubt=context.doubt,
        proven=bool(said) if by == _NONE else by in said,
        missing=by != _NONE,
    )


_JUDGES: Mapping[str, Callable[[Any, _Case], Finding]] = {
    "count": _count,
    "arrived": _arrived,
    "size": _sizes,
    "interval": _intervals,
    "payload": _payloads,
    "answered": _answered,
    "repeated": _repeated,
    "order": _in_order,
    "unreachable": _unreachable,
}
"""Who judges each word."""
