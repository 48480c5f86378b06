"""Run a command until standard input ends: ``python3 -m agent.until tcpdump -w -``.

The engine ends the input when whoever asked for the command goes away, and leaves the command running.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence

_INPUT = 0


def main(command: Sequence[str]) -> int:
    """Run it; its exit status, or 0 if the input ended first."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ended = os.pidfd_open(process.pid)
    ready, _, _ = select.select([_INPUT, ended], [], [])
    if ended in ready:
        return process.wait()
    process.terminate()
    process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
