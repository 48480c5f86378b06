"""Protocols of IP, as a scenario names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from lab.core.icmp import ICMP, ICMPV6

_NUMBERS = {"tcp": 6, "udp": 17, "icmp": ICMP, "gre": 47, "ospf": 89, "sctp": 132, "udplite": 136}
"""Those with a name (www.iana.org/assignments/protocol-numbers); ICMPv6 counts as ICMP."""

_NAMES = {number: name for name, number in _NUMBERS.items()}
_LARGEST = 255


def parse_protocol(value: object) -> str | int:
    """``udp`` or ``17``; ValueError for anything else."""
    if isinstance(value, str) and value in _NUMBERS:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    raise ValueError(f"a protocol is a number from 0 to {_LARGEST}, or one of: {', '.join(_NUMBERS)}")


def number_of(protocol: str | int) -> int:
    """The number of a protocol; ICMPv6 has that of ICMP."""
    number = _NUMBERS[protocol] if isinstance(protocol, str) else protocol
    return ICMP if number == ICMPV6 else number


def name_of(number: int) -> str:
    """The name of a protocol, or its number."""
    return _NAMES.get(number, str(number))


IpProtocol = Annotated[
    str | int,
    BeforeValidator(parse_protocol),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^({'|'.join(_NUMBERS)})$", "examples": ["udp"]},
                {"type": "integer", "minimum": 0, "maximum": _LARGEST},
            ]
        }
    ),
]
"""A protocol of IP, by name or by number."""
