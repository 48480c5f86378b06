"""What the sidecar's tcpdump recorded, and what proves it complete."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address

from msgspec import Struct

from lab.evidence.message import Message, message

_MAC = re.compile("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


class Interface(Struct, frozen=True):
    """An interface of the sidecar as the capture numbers it.

    ``host`` is the host whose port it is ("" for bridges and the sidecar's own), ``network`` its network.
    A frame that *enters* at a port was sent by its host, one that *leaves* there was received by it.
    ``mac`` is that of the host's end of the cable.
    """

    index: int
    name: str
    host: str
    network: str
    mac: str = ""

    @property
    def link_local(self) -> str:
        """The IPv6 address that the host's end gives itself (RFC 4291, appendix A); empty without a MAC."""
        if not _MAC.fullmatch(self.mac):
            return ""
        first, *others = bytes.fromhex(self.mac.replace(":", ""))
        own = bytes([first ^ 2, *others[:2], 0xFF, 0xFE, *others[2:]])
        return str(IPv6Address(bytes.fromhex("fe80") + bytes(6) + own))


def link_local(interfaces: Iterable[Interface]) -> Mapping[str, str]:
    """Which host has a link-local address: the MAC of its end of a cable decides."""
    return {one.link_local: one.host for one in interfaces if one.host and one.link_local}


class Drop(Struct, frozen=True):
    """Some time in which frames were lost (ns): so many, or nobody knows how many (0)."""

    began: int
    ended: int
    frames: int


class CaptureFile(Struct, frozen=True):
    """A capture and what proves it complete.

    ``path`` is relative to the record. ``host`` is "" for the switch, or the host whose loopback it is.
    ``captured``, ``received`` and ``dropped`` are tcpdump's closing counts, -1 where it gave none;
    ``sealed`` is true if the closing sentinel frame was seen in the file: the kernel hands frames over in one
    order, so that all that came before it and were not dropped are there too. The other two counts need not
    agree: on a loopback tcpdump passes over the outgoing copies, and what comes later is not waited for.
    ``full``: it ended because the file may not become larger. ``drops`` are the times in which frames were
    lost: what was captured at other times is complete.
    """

    path: str
    host: str
    captured: int
    received: int
    dropped: int
    sealed: bool
    full: bool = False
    drops: tuple[Drop, ...] = ()

    @property
    def doubt(self) -> Message | None:
        """Why the capture may lack frames; None if it is proven complete."""
        if self.full:
            return message("capture-full")
        if self.captured < 0:
            return message("no-closing-counts")
        if self.dropped:
            return message("frames-dropped", frames=self.dropped)
        return None if self.sealed else message("no-closing-frame")

    @property
    def bounded(self) -> bool:
        """Whether frames are missing at no other times than those of ``drops``."""
        counted = self.sealed and self.captured >= 0
        return (self.full or counted) and bool(self.drops or not self.dropped)


class HeldSegment(Struct, frozen=True):
    """A segment that a step of the script kept back at the switch, or one that waited behind such a one.

    ``host`` sent it; ``at`` is when it was kept (ns) and ``until`` when it went on, 0 if it never did;
    ``step`` is the number of the step. The rest is as in the frame.
    """

    at: int
    until: int
    host: str
    step: str
    source: str
    source_port: int
    target: str
    target_port: int
    seq: int
    ack: int
    flags: int
    length: int
