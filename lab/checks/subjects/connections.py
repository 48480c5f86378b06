"""``connections``: how many were made to an endpoint."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import completeness
from lab.checks.check import Check
from lab.checks.finding import conclude, decided, find
from lab.checks.proofs import frame, named
from lab.checks.select import connections_to, went_on
from lab.evidence.evidence import Evidence
from lab.evidence.message import Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Counted, HostName, HostPort, Model
from lab.wire.tcp import Connection


class ConnectionsRef(Model):
    """Connections to one endpoint, or from one host to it."""

    heading: ClassVar[str] = "Which connections"

    to: Annotated[HostPort, Field(description="The host it went to, and the port there")]
    from_: Annotated[
        HostName | None, Field(alias="from", description="The host that sent the SYN; any unless given")
    ] = None
    count: Annotated[Counted, Field(description="How many completed the handshake")]


class ConnectionsCheck(Check):
    """How many connections there were."""

    subject: ClassVar[str] = "connections"

    connections: Annotated[ConnectionsRef, Field(description="Which ones, and how many")]

    @property
    def title(self) -> str:
        ref = self.connections
        return f"connections to {ref.to}" + (f" from {ref.from_}" if ref.from_ else "")

    def judge(self, evidence: Evidence) -> CheckResult:
        """Count the completed handshakes. Those within one host count if its loopback was captured."""
        ref = self.connections
        found = connections_to(evidence, ref.to, ref.from_)
        made = [connection for connection in found if connection.handshake in {"complete", "simultaneous"}]
        finding = find(
            message("connections", number=str(ref.count), others=0),
            message("connections", number=len(made), others=len(found) - len(made)),
            [_frame(connection, evidence) for connection in found],
            holds=len(made) in ref.count,
            doubt=completeness.of_all(found, evidence, ref.to.host, ref.from_),
            proven=decided(len(made), ref.count),
            absent=not found and (ref.from_ is None or went_on(evidence, ref.from_)),
            missing=len(made) < ref.count.minimum,
        )
        return conclude(self, [finding])


def _frame(connection: Connection, evidence: Evidence) -> Proof:
    client, server = (f"{named(side)}:{side.port}" for side in connection.sides)
    return frame(
        evidence,
        connection,
        connection.began,
        "connection-began",
        client=client,
        server=server,
        handshake=connection.handshake,
    )
