"""Bounds on a time, and how sure a time is on a machine that is busy."""

from __future__ import annotations

from lab.core.durations import nanoseconds
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.scenario.checks import Span

_LOOKS_APART = 100_000_000
"""ns between two looks at a host where nothing happens. A longer gap shows how late the sidecar was."""


def fits(bounds: Span, took: int) -> bool:
    """Whether a time (ns) is within bounds."""
    over = bounds.max is not None and took > nanoseconds(bounds.max)
    return not over and (bounds.min is None or took >= nanoseconds(bounds.min))


def lateness(bounds: Span, took: int, evidence: Evidence) -> Message | None:
    """Why it is not sure whether a time is within bounds: either end of it may have been so late."""
    late = how_late(evidence)
    same = len({fits(bounds, one) for one in (took - late, took, took + late)}) == 1
    return None if same else message("sidecar-late", late=late)


def how_late(evidence: Evidence) -> int:
    """How late the sidecar was at the most (ns)."""
    return max(0, evidence.info.sampling.worst_gap - _LOOKS_APART)


def bounds_told(bounds: Span) -> Message:
    """What is wanted."""
    return message("bounds", min=bounds.min, max=bounds.max)
