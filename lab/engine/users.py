"""Users of containers: each host, each program of sources on it and each build has a user id of its own.

Linux counts some resources by user id, whatever container a process is in: inotify instances and watches,
pages in pipes, pending signals and timers, bytes in message queues, locked memory. What one host uses up is
so not missing in another.

Nobody keeps a list of the ids in use: there may be many machines at one engine. A lab's are drawn at random
from so many that two of 50 labs at once share one in less than one of 10,000 cases; all that is lost then is
that these limits are shared.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from lab.core.errors import UsageError

VARIABLE = "LAB_UID_BASE"
"""The environment variable that says where the range of ids begins."""

COUNT = 1 << 28
_FIRST = 0x7000_0000
"""Where it begins otherwise: here systemd's table of ids has nobody, up to the largest that engines take."""

_SMALLEST = 1000
GROUP = 65534
"""The group of hosts and builds, ``nogroup``: Linux counts nothing by it."""


def draw(count: int) -> Sequence[int]:
    """So many user ids for a lab. UsageError if the range that the environment gives is none."""
    base = _base()
    first = base + secrets.randbelow(COUNT - count + 1)
    return range(first, first + count)


def with_group(uid: int) -> str:
    """The user of a host or a build with the group, as the engine takes it."""
    return f"{uid}:{GROUP}"


def of_program(uid: int) -> str:
    """The user of a program with its group, as the engine takes it: the group is of that program alone."""
    return f"{uid}:{uid}"


def _base() -> int:
    given = os.environ.get(VARIABLE)
    if not given:
        return _FIRST
    if not given.isascii() or not given.isdecimal() or not _SMALLEST <= int(given[:11]) <= _FIRST:
        raise UsageError(
            "uid-base",
            f"{VARIABLE}={given} cannot be the first of {COUNT} user ids",
            fix=f"a number from {_SMALLEST} to {_FIRST}, or nothing",
        )
    return int(given)
