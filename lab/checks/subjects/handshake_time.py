"""``handshake_time``: how long the three-way handshake of a connection took (RFC 9293, section 3.5)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks.check import Check
from lab.checks.context import CheckContext, context_of
from lab.checks.finding import Finding, conclude, find
from lab.checks.subjects.connection import handshake_seen
from lab.core.durations import nanoseconds
from lab.evidence.evidence import Evidence
from lab.evidence.message import message
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

    @property
    def title(self) -> str:
        return f"handshake time of the {self.handshake_time}"

    def judge(self, evidence: Evidence) -> CheckResult:
        ref = self.handshake_time
        context = context_of(ref, evidence)
        return conclude(self, [context if isinstance(context, Finding) else _finding(ref, context)])


def _finding(ref: HandshakeTimeRef, context: CheckContext) -> Finding:
    client = context.connection.client
    syn = client.syn.sent if client.syn else None
    ack = client.ack.sent if client.ack else None
    expected = message("handshake-within", max=ref.max)
    if context.connection.handshake != "complete":
        return find(expected, list(handshake_seen(context)), holds=False, doubt=context.doubt, missing=True)
    if syn is None or ack is None:
        unseen = message("not-captured-where-sent", host=context.name(client))
        return find(expected, (), holds=False, doubt=context.doubt or unseen)
    frames = [context.frame(syn, "opening-syn"), context.frame(ack, "completing-ack")]
    took = ack.time - syn.time
    holds = took <= nanoseconds(ref.max)
    return find(expected, message("took", took=took), frames, holds=holds, doubt=context.doubt)
