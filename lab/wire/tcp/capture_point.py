"""Where a capture was made: whose an address is, and at which interface each host is seen."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

_NOWHERE: frozenset[int] = frozenset()


class CapturePoint(Struct, frozen=True):
    """What is known about a capture's place in the network.

    ``hosts`` maps addresses, in their shortest form, to hosts. ``ports`` maps interface numbers to the host
    behind each: where it is given, a host's own view are the frames that enter there from it and leave
    there to it. ``alone`` is the host whose loopback this is: every address in it is that host's.
    Without any of them both ends are judged by one view, the first place each direction is seen at.
    ``honest`` are those of the ports whose host forwards nothing: what enters there it has sent itself, and
    that is forged if it is in the name of another host.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)
    alone: str = ""
    honest: frozenset[int] = _NOWHERE

    def host_of(self, address: str) -> str:
        """The host that has the address, or an empty text."""
        return self.alone or self.hosts.get(address, "")

    def ports_of(self, address: str) -> frozenset[int]:
        """The interfaces at which the owner of the address is seen."""
        if not self.ports:
            return _NOWHERE
        host = self.host_of(address)
        return frozenset(index for index, owner in self.ports.items() if owner == host) if host else _NOWHERE
