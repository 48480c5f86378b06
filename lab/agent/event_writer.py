"""What the agent says on its output: lines of JSON, in the order they were said."""

from __future__ import annotations

import os
import time

from .protocol import Line, encode

_OUTPUT = 1
_LATE_SECONDS = 0.1
"""What is not urgent is written after so long at the latest."""

_MOST_WAITING = 256
"""Messages that may wait to be written."""

_NEVER = float("inf")


class EventWriter:
    """Writes messages one by one, or several at once where none is waited for.

    A write wakes up all who pass it on to the CLI, which on a small machine costs more than a look at a host.
    """

    def __init__(self) -> None:
        self._waiting: list[Line] = []
        self.due = _NEVER
        """When what waits is to be written (time.monotonic); infinity if nothing does."""

    def say(self, message: Line) -> None:
        """Write a message, and before it whatever waits. SystemExit as in :meth:`write`."""
        self._waiting.append(message)
        self.write()

    def say_soon(self, message: Line) -> None:
        """Keep a message until the next is said or it is :attr:`due`. SystemExit as in :meth:`write`."""
        self._waiting.append(message)
        self.due = min(self.due, time.monotonic() + _LATE_SECONDS)
        if len(self._waiting) > _MOST_WAITING:
            self.write()

    def write(self) -> None:
        """Write what waits. SystemExit if nobody reads any more: that alone ends the agent."""
        data = b"".join(map(encode, self._waiting))
        self._waiting, self.due = [], _NEVER
        try:
            while data:
                data = data[os.write(_OUTPUT, data) :]
        except OSError:
            raise SystemExit from None
