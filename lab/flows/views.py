"""Where a connection is seen decides what its frames tell: both ends at once, or one end at its own port."""

from __future__ import annotations

from typing import Protocol

from lab.flows.end import End
from lab.flows.pairs import Pairs
from lab.packets.segment import Bare, Place, Segment


class View(Protocol):
    """How a connection's segments reach its ends."""

    def take(self, bare: Bare) -> None:
        """Tell the ends of a segment of either direction; they come in order."""

    def unpaired(self) -> set[int]:
        """Frames seen where they entered or left the switch, and not at the other end of their way."""


class OneView:
    """Each direction is seen at one place: each frame was sent and has arrived.

    The place is where the direction was first seen: on an ``any`` capture other interfaces give copies.
    """

    __slots__ = ("_client", "_places", "_server", "_there")

    def __init__(self, there: bytes, client: End, server: End) -> None:
        self._there = there
        self._client = client
        self._server = server
        self._places: dict[bytes, Place] = {}

    def take(self, bare: Bare) -> None:
        """Tell both ends of a segment."""
        segment = Segment._make(bare)
        if self._places.setdefault(segment.way, segment.place) != segment.place:
            return
        there = segment.way == self._there
        sender, receiver = (self._client, self._server) if there else (self._server, self._client)
        sender.sent(segment)
        receiver.received(segment)

    def unpaired(self) -> set[int]:
        """None: no frame is to be seen twice."""
        return set()


class TwoViews:
    """Frames are seen where they enter the switch, at the sender's port, and leave it, at the receiver's.

    Frames at other ports are on their way through a router or flooded by the switch: they tell nothing.
    """

    __slots__ = ("_client", "_client_ports", "_pairs", "_server", "_server_ports", "_there")

    def __init__(
        self, there: bytes, ends: tuple[End, End], client_ports: frozenset[int], server_ports: frozenset[int]
    ) -> None:
        self._there = there
        self._client, self._server = ends
        self._client_ports = client_ports
        self._server_ports = server_ports
        self._pairs = (Pairs(), Pairs()) if client_ports and server_ports else None

    def take(self, bare: Bare) -> None:
        """Tell the end at whose port a segment was seen."""
        segment = Segment._make(bare)
        interface, leaving = segment.place
        there = segment.way == self._there
        if interface not in (self._client_ports if there is not bool(leaving) else self._server_ports):
            return
        if self._pairs is not None:
            self._pairs[there].see(segment)
        if leaving:
            (self._server if there else self._client).received(segment)
        else:
            (self._client if there else self._server).sent(segment)

    def unpaired(self) -> set[int]:
        """Frames seen at one of two ports only."""
        return {frame for pairs in self._pairs or () for frame in pairs.unpaired()}
