"""``datagrams``: the UDP datagrams from a host to an endpoint, each as its sender's port saw it (RFC 768)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Struct
from pydantic import Field

from lab.checks import doubt
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.select import went_on
from lab.checks.spans import bounds_told, fits, lateness
from lab.core.durations import nanoseconds
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Bytes, Count, Counted, Duration, HostName, HostPort, Model, Name, Text
from lab.scenario.checks import Span
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake, Path
from lab.scenario.variables import substitute
from lab.wire.packets.internet import UDP
from lab.wire.tcp import Moment
from lab.wire.udp import Datagram

_NONE = "none"
_MOST_PROOFS = 20
"""Datagrams that are told one by one."""


class PayloadSpec(Model):
    """What the payload of datagrams is."""

    heading: ClassVar[str] = "A payload"
    short: ClassVar[str] = "text"

    text: Annotated[str | None, Field(description="Exactly this text")] = None
    bytes: Annotated[Bytes | None, Field(description="Exactly these bytes")] = None
    contains: Annotated[Text | None, Field(description="This text, anywhere in it")] = None
    nth: Annotated[int | None, Field(ge=1, description="Of this datagram only; of each unless given")] = None


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
        kinds = [kind for kind in _PAYLOADS if ref.payload and getattr(ref.payload, kind) is not None]
        if ref.payload is not None and len(kinds) != 1:
            what = f': "payload" says {" and ".join(kinds) if kinds else "nothing"}'
            yield Mistake(
                "bad-pattern", ("datagrams", "payload"), what, f"write one of: {', '.join(_PAYLOADS)}"
            )

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
        return f"datagrams to {ref.to}" + (f" from {ref.from_}" if ref.from_ else "")

    def judge(self, evidence: Evidence) -> CheckResult:
        case = _case(self.datagrams, evidence)
        return conclude(self, [_JUDGES[word](self.said(word), case) for word in self.given()])


_PAYLOADS = ("text", "bytes", "contains")


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
    lacking = doubt.of_datagrams(evidence, ref.to.host, ref.from_)
    strays = len(found) - len(sent)
    if strays and lacking is None:
        lacking = message("arrived-unsent", number=strays)
    absent = not found and (ref.from_ is None or went_on(evidence, ref.from_))
    whom = message("datagrams", host=ref.from_, to=str(ref.to))
    return _Case(ref, evidence, sent, lacking, whom, absent)


def _is_meant(one: Datagram, ref: DatagramsRef) -> bool:
    there = one.target == ref.to.host and one.flow.target_port == ref.to.port
    return there and ref.from_ in {None, one.source}


def _proof(one: Datagram, at: Moment) -> Proof:
    what = message("datagram", host=one.source or one.flow.source, port=one.flow.source_port, size=one.size)
    return Proof("frame", what, one.capture, at.frame, at.time)


def _count(bounds: Count, case: _Case) -> Finding:
    number = len(case.sent)
    expected = message("datagrams-sent", number=str(bounds), whom=case.whom)
    return _counted(bounds, case.sent, expected, message("datagrams-sent", number=number, whom=None), case)


def _arrived(bounds: Count, case: _Case) -> Finding:
    some = [one for one in case.sent if one.arrivals]
    expected = message("datagrams-arrived", number=str(bounds), whom=case.whom)
    return _counted(bounds, some, expected, message("datagrams-arrived", number=len(some), whom=None), case)


def _counted(
    bounds: Count, some: Sequence[Datagram], expected: Message, observed: Message, case: _Case
) -> Finding:
    return find(
        expected,
        observed,
        case.proofs(some),
        holds=len(some) in bounds,
        doubt=case.doubt,
        proven=decided(len(some), bounds),
        absent=case.absent,
        missing=len(some) < bounds.minimum,
    )


def _nothing(expected: Message, case: _Case) -> Finding:
    """What was to be said of datagrams of which there is none."""
    return find(
        expected, message("datagrams-none"), holds=False, doubt=case.doubt, absent=case.absent, missing=True
    )


def _sizes(bounds: Count, case: _Case) -> Finding:
    expected = message("datagrams-size", size=str(bounds), whom=case.whom)
    if not case.sent:
        return _nothing(expected, case)
    wrong = [one for one in case.sent if one.size not in bounds]
    sizes = sorted({one.size for one in case.sent})
    return find(
        expected,
        message("datagram-sizes", least=sizes[0], most=sizes[-1], wrong=len(wrong), of=len(case.sent)),
        case.proofs(wrong or None),
        holds=not wrong,
        doubt=case.doubt,
        proven=bool(wrong),
    )


def _intervals(bounds: Span, case: _Case) -> Finding:
    expected = message("datagrams-interval", bounds=bounds_told(bounds), whom=case.whom)
    gaps = [(after.at.time - before.at.time, after) for before, after in pairwise(case.sent)]
    if not gaps:
        return _nothing(expected, case)
    wrong = [(gap, one) for gap, one in gaps if not fits(bounds, gap)]
    unsure = next((late for gap, _ in gaps if (late := lateness(bounds, gap, case.evidence))), None)
    least, most = min(gap for gap, _ in gaps), max(gap for gap, _ in gaps)
    return find(
        expected,
        message("datagram-intervals", least=least, most=most, wrong=len(wrong), of=len(gaps)),
        case.proofs([one for _, one in wrong] or None),
        holds=not wrong,
        doubt=case.doubt or unsure,
    )


def _payloads(spec: PayloadSpec, case: _Case) -> Finding:
    wanted, contains = _wanted(spec, case.evidence)
    expected = message("datagram-payload", payload=_shown(wanted), nth=spec.nth)
    if contains:
        expected = message("datagram-contains", payload=_shown(wanted), nth=spec.nth)
    some = case.sent if spec.nth is None else case.sent[spec.nth - 1 : spec.nth]
    if not some:
        return _nothing(expected, case)
    verdicts = [(one, _has(one, wanted, contains=contains)) for one in some]
    wrong = [one for one, has in verdicts if has is False]
    unsure = message("payload-cut") if any(has is None for _, has in verdicts) else None
    shown = wrong[0] if wrong else some[0]
    return find(
        expected,
        message("datagram-payloads", payload=_shown(shown.payload), wrong=len(wrong), of=len(some)),
        case.proofs(wrong or some),
        holds=not wrong,
        doubt=case.doubt or (None if wrong else unsure),
        proven=bool(wrong) and spec.nth is None,
    )


def _wanted(spec: PayloadSpec, evidence: Evidence) -> tuple[bytes, bool]:
    """The bytes that are looked for, and whether there may be others around them."""
    if spec.bytes is not None:
        return spec.bytes, False
    text = spec.text if spec.text is not None else spec.contains or ""
    return substitute(text, evidence.info.variables).encode(), spec.contains is not None


def _has(one: Datagram, wanted: bytes, *, contains: bool) -> bool | None:
    """Whether a datagram has a payload; None if too little of it was captured to know."""
    if contains:
        return wanted in one.payload or (False if one.whole else None)
    if one.size != len(wanted) or not wanted.startswith(one.payload):
        return False
    return True if one.whole else None


def _shown(payload: bytes) -> str:
    return payload[:200].decode("utf-8", "backslashreplace")


def _answered(spec: AnsweredSpec, case: _Case) -> Finding:
    to = case.ref.to
    answers = [
        one for one in case.evidence.datagrams if one.source == to.host and one.flow.source_port == to.port
    ]
    took = _times_to_answer(case.sent, answers)
    limit = None if spec.within is None else nanoseconds(spec.within)
    number = sum(limit is None or time <= limit for time in took)
    return find(
        message("datagrams-answered", number=str(spec.count), within=spec.within, whom=case.whom),
        message("datagram-answers", number=number, of=len(case.sent), slow=len(took) - number),
        case.proofs(),
        holds=number in spec.count,
        doubt=case.doubt,
        absent=case.absent,
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


def _repeated(bounds: Count, case: _Case) -> Finding:
    expected = message("datagrams-repeated", number=str(bounds), whom=case.whom)
    if not case.sent:
        return _nothing(expected, case)
    seen: set[bytes] = set()
    again = []
    for one in case.sent:
        if one.digest in seen:
            again.append(one)
        elif one.digest:
            seen.add(one.digest)
    unsure = None if all(one.digest for one in case.sent) else message("payload-cut")
    return find(
        expected,
        message("datagram-repeats", number=len(again), of=len(case.sent)),
        case.proofs(again),
        holds=len(again) in bounds,
        doubt=case.doubt or unsure,
        proven=decided(len(again), bounds),
        missing=len(again) < bounds.minimum,
    )


def _in_order(_: str, case: _Case) -> Finding:
    expected = message("datagrams-in-order", whom=case.whom)
    arrived = [one for one in case.sent if one.arrivals]
    if not arrived:
        return _nothing(expected, case)
    overtaken = [
        later for before, later in pairwise(arrived) if later.arrivals[0].at.time < before.arrivals[0].at.time
    ]
    return find(
        expected,
        message("datagrams-overtook", number=len(overtaken), of=len(arrived)),
        case.proofs(overtaken),
        holds=not overtaken,
        doubt=case.doubt,
        proven=bool(overtaken),
    )


def _unreachable(by: str, case: _Case) -> Finding:
    flows = {one.flow for one in case.sent}
    errors = [one for one in case.evidence.icmp if one.protocol == UDP and one.flow in flows]
    hosts = case.evidence.info.hosts_by_address
    said = [hosts.get(one.source, one.source) for one in errors]
    proofs = [
        Proof("frame", message("icmp-said", by=who, meaning=one.meaning), frame=one.frame, time=one.time)
        for one, who in zip(errors[:_MOST_PROOFS], said, strict=False)
    ]
    expected = message("unreachable-by", by=by, whom=case.whom)
    if by == _NONE:
        expected = message("unreachable-none", whom=case.whom)
    if by != _NONE and not case.sent:
        return _nothing(expected, case)
    return find(
        expected,
        message("icmp-errors", number=len(said), by=tuple(dict.fromkeys(said))),
        proofs,
        holds=not said if by == _NONE else by in said,
        doubt=case.doubt,
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
