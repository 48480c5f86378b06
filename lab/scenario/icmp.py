"""Types of ICMP messages, as a scenario writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from lab.core.icmp import NAMES

_KNOWN = tuple(sorted({name for names in NAMES.values() for name in names.values()}))
_LARGEST = 255


def parse_type(value: object) -> str | int:
    """``echo-request`` or ``8``; ValueError for anything else."""
    known = isinstance(value, str) and value in _KNOWN
    if known or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST):
        return value  # type: ignore[return-value]  # one of the two, as was just asked
    raise ValueError(f"a type is a number from 0 to {_LARGEST}, or one of: {', '.join(_KNOWN)}")


IcmpType = Annotated[
    str | int,
    BeforeValidator(parse_type),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^({'|'.join(_KNOWN)})$", "examples": ["echo-request"]},
                {"type": "integer", "minimum": 0, "maximum": _LARGEST},
            ]
        }
    ),
]
"""A type of ICMP messages, by name or by number."""
