"""``protocols``: which protocols of IP a host speaks, by what the switch's port of it saw it send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import completeness
from lab.checks.check import Check
from lab.checks.finding import conclude, find
from lab.checks.select import went_on
from lab.evidence.evidence import Evidence
from lab.evidence.message import Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import HostName, Model, OneOrMany
from lab.scenario.mistake import Mistake
from lab.scenario.protocols import IpProtocol, name_of, number_of
from lab.wire.spoken import Spoken


class ProtocolsRef(Model):
    """What a host may speak."""

    heading: ClassVar[str] = "Which protocols"

    host: Annotated[HostName, Field(description="The host that speaks")]
    only: Annotated[
        tuple[IpProtocol, ...] | None,
        OneOrMany(),
        Field(min_length=1, description="It sends packets of these protocols, and of no other"),
    ] = None


class ProtocolsCheck(Check):
    """The protocols of IP that a host speaks, as the switch's ports of it saw them."""

    subject: ClassVar[str] = "protocols"
    words: ClassVar[tuple[str, ...]] = ("only",)

    protocols: Annotated[ProtocolsRef, Field(description="Which host, and what it may speak")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        only = self.protocols.only or ()
        if len({number_of(one) for one in only}) < len(only):
            yield Mistake(
                "contradiction", ("protocols", "only"), " names a protocol twice", "keep one of them"
            )
        host = scenario.hosts.get(self.protocols.host)
        if host is not None and host.forward and host.raw:
            what = ": what a router with raw sockets sends cannot be told from what it forwards"
            yield Mistake("contradiction", ("protocols", "host"), what, "take `raw:` or `forward:` away")

    @property
    def title(self) -> str:
        return f"protocols of {self.protocols.host}"

    def judge(self, evidence: Evidence) -> CheckResult:
        ref = self.protocols
        allowed = {number_of(one) for one in ref.only or ()}
        spoken = [one for one in evidence.spoken if one.host == ref.host]
        others = [one for one in spoken if one.protocol not in allowed]
        lacking = completeness.of_capture(evidence)
        finding = find(
            message(
                "speaks-only",
                host=ref.host,
                protocols=tuple(name_of(number_of(one)) for one in ref.only or ()),
            ),
            message("speaks", protocols=tuple(sorted({name_of(one.protocol) for one in spoken}))),
            [_proof(one) for one in others],
            holds=bool(spoken) and not others,
            doubt=lacking,
            proven=bool(others),
            absent=not spoken and went_on(evidence, ref.host),
            missing=not spoken,
        )
        return conclude(self, [finding])


def _proof(one: Spoken) -> Proof:
    what = message(
        "first-spoken", protocol=name_of(one.protocol), host=one.host, to=one.target, number=one.packets
    )
    return Proof("frame", what, one.capture, one.first.frame, one.first.time)
