"""Where a program's output goes, and which processes can still write there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from . import processes
from .protocol import PipeOrTerminal

_PROC = "/proc"
_TERMINALS = range(136, 144)
"""The major numbers of pseudoterminals (the kernel's admin-guide/devices)."""

_STANDARD = ("1", "2")
"""Standard output and standard error."""


def of(pid: int) -> list[PipeOrTerminal]:
    """The pipes and terminals that are a process's output; none if it has ended."""
    return sorted({end for number in _STANDARD for end in _end(pid, number)})


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return not processes.status_of(pid).ended
    except OSError:
        return False


def holders(first: int, output: Iterable[PipeOrTerminal]) -> list[int]:
    """The processes of the host with this first process that have one of these open."""
    wanted = {*output}
    return [pid for pid in _of_host(first) if any(end in wanted for end in _open(pid))]


def _of_host(first: int) -> Iterator[int]:
    home = _namespace(first)
    for name in os.listdir(_PROC):
        if home is not None and name.isdigit() and _namespace(int(name)) == home:
            yield int(name)


def _namespace(pid: int) -> int | None:
    try:
        return os.stat(f"{_PROC}/{pid}/ns/pid").st_ino
    except OSError:
        return None


def _open(pid: int) -> Iterator[PipeOrTerminal]:
    try:
        numbers = os.listdir(f"{_PROC}/{pid}/fd")
    except OSError:
        return  # it has ended
    for number in numbers:
        yield from _end(pid, number)


def _end(pid: int, number: str) -> Iterator[PipeOrTerminal]:
    """The pipe or terminal behind a descriptor that can be written to: one or none."""
    path = f"{_PROC}/{pid}/fd/{number}"
    try:
        found, link = os.stat(path), os.lstat(path)
    except OSError:
        return
    if not link.st_mode & stat.S_IWUSR:  # how it is open (proc(5))
        return
    if stat.S_ISFIFO(found.st_mode) or os.major(found.st_rdev) in _TERMINALS:
        yield found.st_dev, found.st_ino
