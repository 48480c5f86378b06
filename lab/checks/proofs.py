"""What the wire shows, as evidence."""

from __future__ import annotations

from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, Value, message
from lab.wire.icmp import IcmpMessage
from lab.wire.tcp import Connection, Moment, Side


def frame(
    evidence: Evidence, connection: Connection, moment: Moment | None, key: str, **parameters: Value
) -> Proof:
    """A frame of a connection, and what it is; without a moment it is not known which."""
    what, number = Message(key, parameters), evidence.number_of(connection)
    if moment is None:
        return Proof("frame", what, connection.capture, connection=number)
    return Proof("frame", what, connection.capture, moment.frame, moment.time, connection=number)


def refused_by(error: IcmpMessage) -> Message:
    """Who did not pass a segment on, and why."""
    return message("refused-by-icmp", host=error.who, meaning=meaning_of(error), frame=error.at.frame)


def meaning_of(error: IcmpMessage) -> Message:
    """What an ICMP error says of the packet that it quotes."""
    return message("icmp-means", what=error.meaning, mtu=error.mtu)


def named(side: Side) -> str:
    """A side by its host, or by its address where no host has that."""
    return side.host or side.address
