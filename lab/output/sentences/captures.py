"""What could not be read of a capture, or is not kept of it."""

from __future__ import annotations

from collections.abc import Mapping

from lab.output.describe import Teller, counted
from lab.wire.packets.problems import Kind, Unread

DAMAGE: Mapping[Kind, str] = {
    "longer-than-its-frame": (
        "its IP header claims more than the frame has: it was read up to the frame's end"
    ),
    "ends-in-headers": "it ends within its headers",
    "ends-in-udp-header": "it ends within the UDP header",
    "bad-udp-length": "its UDP header gives a length that cannot be",
    "compressed": "this is a compressed file: unpack it first",
    "no-capture": "this is no capture, neither pcap nor pcapng",
    "fragments-missing": "it is a fragment of an IP packet of which others are missing",
    "fragments-crowded": "it is a fragment of one of too many IP packets at once that are not whole",
    "fragments-overlap": "it is a fragment that overlaps another of its IP packet",
    "more-behind-gzip": "behind its packed end stands something else",
    "gzip-ends-early": "its packed file ends too early",
    "gzip-damaged": "its packed file is damaged: from here on it cannot be unpacked",
    "ends-in-icmp-header": "it ends within the ICMP header",
    "ends-in-ipv4-header": "it ends within the IPv4 header",
    "bad-ipv4-header": "its IPv4 header is damaged",
    "bad-ip-length": "its IP header gives a length that cannot be",
    "ends-in-ipv6-header": "it ends within the IPv6 header",
    "bad-ipv6-header": "its IPv6 header is damaged",
    "fragment-in-fragment": "it is a fragment within another",
    "ends-in-ipv6-extension": "it ends within an IPv6 extension header",
    "unknown-link-layer": "its link layer is none that can be read",
    "file-ends-in-header": "the capture ends within its header",
    "absurd-length": "its length is absurd: from here on the capture cannot be read",
    "file-ends-in-frame": "the capture ends within this frame",
    "two-block-lengths": "its block has two lengths that differ",
    "bad-section": "a section begins here that is none: nothing after it is read",
    "bad-interface": "an interface before it cannot be read",
    "ends-in-block": "it ends within its block",
    "unknown-interface": "its interface was never declared",
    "block-too-short": "its block is too short for it",
    "ends-in-tcp-header": "it ends within the TCP header",
    "bad-tcp-header": "its TCP header is damaged",
}


def damage(unread: Unread) -> str:
    """``frame 6 and 2 others: the capture ends within this frame``."""
    return _unread(Teller(), unread.kind, unread.first, unread.frames)


def _unread(_: Teller, kind: Kind, first: int, frames: int) -> str:
    others = f" and {counted(frames - 1, 'other')}" if frames > 1 else ""
    return f"frame {first}{others}: {DAMAGE[kind]}" if first else DAMAGE[kind]


SENTENCES = {
    "unsound": "{capture}: {what}",
    "unread": _unread,
    "not-kept": "{number} {what:not-kept} more than {most} are not kept",
}

WORDS = {
    "not-kept": {"connections": "connections", "datagrams": "datagrams", "icmp": "ICMP messages"},
}
