"""The clock of the machine that captures, which may be another."""

from __future__ import annotations


def ahead(asked: int, there: int, answered: int) -> int:
    """How far it is ahead of ours, in ns, by what it told meanwhile; 0 if the question took longer."""
    offset = there - (asked + answered) // 2
    return offset if abs(offset) > answered - asked else 0
