"""Keeps the standard input of programs open, so that only the script ends it."""

from __future__ import annotations

import contextlib
import os
import stat

from . import processes


class Inputs:
    """The pipes that are kept open, by the process that reads each."""

    def __init__(self) -> None:
        self._kept: dict[int, int] = {}

    def keep(self, pid: int) -> None:
        """Open the pipe that is a process's standard input, too, until :meth:`end`; nothing if it has none.

        The end of a pipe is read once nobody has it open for writing (pipe(7)).
        """
        with contextlib.suppress(OSError):
            place = os.open(f"{processes.PROC}/{pid}/fd/0", os.O_PATH)
            try:
                # By then the process may have another file there: what is opened is what was looked at.
                if stat.S_ISFIFO(os.fstat(place).st_mode):
                    self.end(pid)
                    self._kept[pid] = os.open(f"/proc/self/fd/{place}", os.O_WRONLY | os.O_NONBLOCK)
            finally:
                os.close(place)

    def end(self, pid: int) -> None:
        """Let go of it; nothing if it is not kept."""
        if pid in self._kept:
            os.close(self._kept.pop(pid))
