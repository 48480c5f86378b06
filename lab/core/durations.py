"""A time with its unit, as people write it."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)", re.ASCII)
"""A number and its unit."""


def parse_duration(text: object) -> float:
    """Seconds in ``500ms``, ``2s``, ``1.5s``, ``2m`` or ``1h``; ValueError for anything else."""
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a duration is a number with its unit, as in 500ms, 2s or 1m")
    return float(found[1]) * _UNITS[found[2]]


def format_duration(seconds: float) -> str:
    """The shortest exact text that :func:`parse_duration` reads back."""
    if seconds < 1:
        return f"{seconds * 1000:.12g}ms"
    return f"{seconds:.12g}s"


def nanoseconds(seconds: float) -> int:
    """A scenario's seconds in the unit of all times that are observed."""
    return round(seconds * 1_000_000_000)
