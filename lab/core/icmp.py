"""The types of ICMP messages (RFC 792, RFC 4443)."""

from __future__ import annotations

ICMP, ICMPV6 = 1, 58
"""Their protocols, as IP has them."""

ECHO_REQUEST, ECHO_REPLY = "echo-request", "echo-reply"

NAMES = {
    ICMP: {
        0: ECHO_REPLY, 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: ECHO_REQUEST,
        9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
        13: "timestamp-request", 14: "timestamp-reply",
    },
    ICMPV6: {
        1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem",
        128: ECHO_REQUEST, 129: ECHO_REPLY, 130: "listener-query", 131: "listener-report",
        132: "listener-done", 133: "router-solicitation", 134: "router-advertisement",
        135: "neighbor-solicitation", 136: "neighbor-advertisement", 137: "redirect", 143: "listener-report",
    },
}  # fmt: skip
"""The types of messages by name, as IANA has them (www.iana.org/assignments/icmp-parameters)."""

UPKEEP = frozenset({*range(130, 138), 143})
"""Types of ICMPv6 by which kernels find neighbours, routers and groups (RFC 4861, 2710, 3810)."""

ERRORS = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset(range(1, 5))}
"""The types that quote the packet they speak of."""

REPLIES = {ICMP: frozenset({0, 14}), ICMPV6: frozenset({129})}
"""The types by which kernels answer what they are asked."""
