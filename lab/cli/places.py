"""Where a command grades: beside the engine, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.cli.connected import connected

if TYPE_CHECKING:
    from lab.cli.screen import Screen
    from lab.grade.place import Place


@contextmanager
def place_at(scheduler: str, screen: Screen) -> Iterator[Place]:
    """The cluster of a scheduler; the engine of this machine if none is named. EngineError, UsageError."""
    if scheduler:
        from lab.grade import cluster

        with cluster.connected(scheduler) as workers:
            yield workers
    else:
        from lab.grade.place import Here

        with connected(screen) as engine:
            yield Here(engine)
