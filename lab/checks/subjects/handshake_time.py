"""``handshake_time``: how long the three-way handshake of a connection took (RFC 9293, section 3.5)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks.case import Case, case_of
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, find
from lab.checks.subjects.connection import handshake_told
from lab.checks.telling import seconds, span
from lab.core.durations import format_duration
from lab.evidence.evidence import Evidence
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Duration
from lab.scenario.checks import ConnectionRef


class HandshakeTimeRef(ConnectionRef):
    """A connection, and how long its handshake may take."""

    heading: ClassVar[str] = "Which handshake"

    max: Annotated[Duration, Field(description="The longest it may take")]


class HandshakeTimeCheck(Check):
    """The time from the first SYN to the ACK that completes the handshake, as the client's port saw it."""

    subject: ClassVar[str] = "handshake_time"

    handshake_time: Annotated[HandshakeTimeRef, Field(description="Which connection, and how long")]

    def judge(self, evidence: Evidence) -> CheckResult:
        ref = self.handshake_time
        case = case_of(ref, evidence)
        finding = case if isinstance(case, Finding) else _finding(ref, case)
        return conclude(self, f"handshake time of the {ref}", [finding])


def _finding(ref: HandshakeTimeRef, case: Case) -> Finding:
    client = case.connection.client
    syn = client.syn.sent if client.syn else None
    ack = client.ack.sent if client.ack else None
    expected = f"a handshake within {format_duration(ref.max)}"
    if case.connection.handshake != "complete":
        told = list(handshake_told(case))
        return find(expected, told, holds=False, doubt=case.doubt, missing=True)
    if syn is None or ack is None:
        unseen = f"a segment of the handshake was not captured where {case.name(client)} sent it"
        return find(expected, (), holds=False, doubt=case.doubt or unseen)
    frames = [case.frame(syn, "SYN"), case.frame(ack, "ACK that completes the handshake")]
    took = ack.time - syn.time
    return find(expected, f"it took {span(took)}", frames, holds=took <= seconds(ref.max), doubt=case.doubt)
