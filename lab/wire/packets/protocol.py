"""Packets of one protocol in the frames of a capture, fragmented ones too. UDP and ICMP share it."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from lab.wire.packets.fragments import WHOLE, Fragment, Fragments, where
from lab.wire.packets.internet import Framed, content_of, content_of_fragments, next_header
from lab.wire.packets.problems import Damage, Problems, Unread, Where

P = TypeVar("P")

_BOTH_ADDRESSES = (8, 32)
"""Bytes of both addresses of an IPv4 and an IPv6 packet."""


class Content(NamedTuple):
    """What an IP packet holds: it begins at ``begin`` in the captured ``data`` and ends at ``last``."""

    ends: bytes
    data: bytes
    begin: int
    last: int


class ProtocolReader(ABC, Generic[P]):
    """The packets of one protocol.

    What is damaged says nothing of TCP: it is told by itself, in ``unsound``.
    """

    def __init__(self) -> None:
        self._problems = Problems()
        self._fragments = Fragments(self._problems, WHOLE)

    @property
    def unsound(self) -> tuple[Unread, ...]:
        """What could not be read so far, each kind of damage once."""
        return self._problems.found()

    def packet(self, framed: Framed) -> P | None:
        """The packet that a frame holds, or makes whole, if any."""
        try:
            return self._packet(framed)
        except Damage as damage:
            self._problems.add(framed.number, damage.kind, _seen(framed))
        except (IndexError, struct.error):
            self._problems.add(framed.number, "ends-in-headers", _seen(framed))
        return None

    def finish(self) -> None:
        """No more frames come: tell of what is not whole."""
        self._fragments.finish()

    @abstractmethod
    def _packet(self, framed: Framed) -> P | None:
        """The same; raises Damage, IndexError or struct.error where it cannot be read."""

    def _content(self, framed: Framed, protocol: int) -> Content | None:
        """What the frame holds of a protocol, or makes whole, if that is anything."""
        found, data = content_of(framed, protocol), framed.data
        if isinstance(found, Fragment):
            whole = self._fragments.add(framed.number, found, data, len(data), framed.place)
            if whole is None:
                return None
            found, data = content_of_fragments(found.addresses, whole, protocol), whole.head
        if found is None:
            return None
        ends, begin, last = found
        return Content(ends, data, begin, last)


def _seen(framed: Framed) -> Where | None:
    """Where a damaged packet was seen, and whom it is for, if as much of its header can be read."""
    target = b""
    with suppress(Damage, IndexError, struct.error):
        if found := next_header(framed):
            addresses = found[0]
            target = addresses[len(addresses) // 2 :] if len(addresses) in _BOTH_ADDRESSES else b""
    return where(framed.place, target=target)
