"""Matches regular expressions in a process of its own: run as a script, it needs nothing of ``lab``.

Each line of its input is a JSON object: an ``expression``, a ``text``, and the place ``start`` where the
search begins. Each is answered with one line: ``{"end": ..., "groups": ...}``, ``{"error": ...}``, or
``null`` for no match.
"""

from __future__ import annotations

import ctypes
import json
import re
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1


def answer(expression: str, text: str, start: int) -> dict[str, Any] | None:
    """Where the first match ends, and what its named groups hold."""
    try:
        found = re.compile(expression, re.MULTILINE).search(text, start)
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        return {"error": str(error) or type(error).__name__}
    if found is None:
        return None
    groups = {name: value for name, value in found.groupdict().items() if value is not None}
    return {"end": found.end(), "groups": groups}


def main() -> None:
    """Answer until the input ends. A search may never end: the process ends with the one that started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(**json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
