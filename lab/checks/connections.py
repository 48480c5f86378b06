"""``connections``: how many were made to an endpoint."""

from __future__ import annotations

from lab.checks import doubt
from lab.checks.finding import conclude, decided, find
from lab.checks.select import connections_to, went_on
from lab.checks.telling import Teller, counted, named
from lab.evidence.evidence import Evidence
from lab.evidence.verdict import CheckResult
from lab.scenario.checks import ConnectionsCheck
from lab.wire.tcp import Connection


def judge(spec: ConnectionsCheck, evidence: Evidence) -> CheckResult:
    """Count the completed handshakes. Those within one host count if its loopback was captured."""
    ref = spec.connections
    title = f"connections to {ref.to}" + (f" from {ref.from_}" if ref.from_ else "")
    found = connections_to(evidence, ref.to, ref.from_)
    made = [connection for connection in found if connection.handshake in {"complete", "simultaneous"}]
    others = len(found) - len(made)
    finding = find(
        counted(ref.count, "connection"),
        counted(len(made), "connection")
        + (f", and {others} more without a completed handshake" if others else ""),
        [_told(connection, Teller(evidence)) for connection in found],
        holds=len(made) in ref.count,
        doubt=doubt.of_all(found, evidence, ref.to.host, ref.from_),
        proven=decided(len(made), ref.count),
        absent=not found and (ref.from_ is None or went_on(evidence, ref.from_)),
        missing=len(made) < ref.count.minimum,
    )
    return conclude(spec, title, [finding])


def _told(connection: Connection, teller: Teller) -> str:
    client, server = connection.sides
    ends = f"{named(client)}:{client.port} to {named(server)}:{server.port}"
    what = f"from {ends}, handshake {connection.handshake}"
    return teller.frame(connection.capture, connection.began, what)
