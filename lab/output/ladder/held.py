"""Which packets a step of the script kept back at the switch, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.evidence.capture import HeldSegment
from lab.wire.packets import FourTuple, Segment

Key = tuple[FourTuple, int, int, int, int]
"""4-tuple, sequence number, acknowledgement, flags and length: one that is sent again has the same."""


class Holds:
    """The segments that were kept back; ``when`` tells a time of the run."""

    def __init__(self, when: Callable[[int], str]) -> None:
        self._when = when
        self._known: dict[Key, list[HeldSegment]] = {}

    def hear(self, segments: Iterable[HeldSegment]) -> None:
        """These were kept back, in this order."""
        for held in segments:
            flow = FourTuple(held.source, held.source_port, held.target, held.target_port)
            self._known.setdefault((flow, held.seq, held.ack, held.flags, held.length), []).append(held)

    def told(self, sent: Segment) -> str:
        """``held by step 4 until +12.3 ms`` for a segment that its sender's port saw, if it was.

        It is kept only after it was sent: of equal ones the first that was kept since then is meant.
        """
        key = sent.flow, sent.seq, sent.ack, sent.flags, sent.length
        found = next((held for held in self._known.get(key, ()) if held.at >= sent.time), None)
        if found is None:
            return ""
        return f"held by step {found.step}" + (f" until {self._when(found.until)}" if found.until else "")
