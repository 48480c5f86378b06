"""A connection to the engine for one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.cli.screen import Screen
    from lab.engine import Engine


def connected(screen: Screen) -> Engine:
    """Connect to the engine; with ``-v`` its calls are shown. EngineError if nobody answers."""
    from lab.engine import connect

    return connect(trace=screen.trace if screen.verbose else None)
