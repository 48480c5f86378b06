"""What could not be observed: counted for each instrument and host, and told when the sampling ends.

An error in looking at a host, or in reading what its kernel says, costs the evidence of that host and that
instrument. All else goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .protocol import Instrument, Loss, Reason


class Losses:
    """How often each instrument failed at each host, and why it did so first."""

    def __init__(self) -> None:
        self._lost: Counter[tuple[Instrument, str]] = Counter()
        self._why: dict[tuple[Instrument, str], tuple[str, int]] = {}

    def note(self, instrument: Instrument, host: str, why: Exception | Reason, limit: int = 0) -> None:
        """One more failure: an error, or a reason, which may be of a limit."""
        self._lost[instrument, host] += 1
        told = describe(why) if isinstance(why, Exception) else why
        self._why.setdefault((instrument, host), (told, limit))

    @contextmanager
    def noted(self, instrument: Instrument, host: str) -> Iterator[None]:
        """Whatever is raised inside is one more failure, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other hosts are looked at
            self.note(instrument, host, error)

    def told(self) -> list[Loss]:
        """All of them, for the record."""
        return [
            Loss(instrument=instrument, host=host, count=count, why=why, limit=limit)
            for (instrument, host), count in self._lost.items()
            for why, limit in [self._why[instrument, host]]
        ]


def describe(error: Exception) -> str:
    """An error of Python's or the kernel's in words."""
    return f"{type(error).__name__}: {error}"
