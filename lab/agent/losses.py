"""What could not be observed: counted for each instrument and host, and told when the sampling ends.

An error in looking at a host, or in reading what its kernel says, costs the evidence of that host and that
instrument. All else goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Losses:
    """How often each instrument failed at each host, and why it did so first.

    The instruments: ``sockets``, ``counters``, ``processes``, ``ends``, ``capture`` and ``hold``.
    """

    def __init__(self) -> None:
        self._lost: dict[tuple[str, str], dict[str, Any]] = {}

    def note(self, instrument: str, host: str, why: Exception | str) -> None:
        """One more failure."""
        text = why if isinstance(why, str) else describe(why)
        new = {"instrument": instrument, "host": host, "count": 0, "why": text}
        self._lost.setdefault((instrument, host), new)["count"] += 1

    @contextmanager
    def noted(self, instrument: str, host: str) -> Iterator[None]:
        """Whatever is raised inside is one more failure, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other hosts are looked at
            self.note(instrument, host, error)

    def told(self) -> list[dict[str, Any]]:
        """All of them, for the record."""
        return list(self._lost.values())


def describe(error: Exception) -> str:
    """An error of Python's or the kernel's in words."""
    return f"{type(error).__name__}: {error}"
