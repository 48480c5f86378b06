"""Sequence numbers: arithmetic modulo 2**32 (RFC 1982; RFC 9293, section 3.4)."""

from __future__ import annotations

MASK = 0xFFFFFFFF
_HALF = 0x80000000


def distance(start: int, end: int) -> int:
    """How far ``end`` lies after ``start``; negative if before. At most half the circle either way.

    >>> distance(0xFFFFFFFF, 4)
    5
    >>> distance(4, 0xFFFFFFFF)
    -5
    """
    return ((end - start + _HALF) & MASK) - _HALF
