"""Where a program's output goes, and which processes can still write there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from . import processes
from .protocol import PipeOrTerminal

_PROC = "/proc"
_TERMINALS = range(136, 144)
"""The major numbers of pseudoterminals (the kernel's admin-guide/devices)."""

_MOST_DESCRIPTORS, _MOST_WRITERS = 4096, 5
"""Descriptors of a host that are looked at, and processes that are told."""

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


def is_held(first: int, program: int, output: Iterable[PipeOrTerminal]) -> bool:
    """Whether a program has one of these open, or another process of the host with this first process.

    The program is looked at first: others may have more descriptors than are looked at.
    """
    wanted = {*output}
    ends = chain.from_iterable(_open(pid) for pid in chain([program], _of_host(first)))
    return any(end in wanted for end in islice(ends, _MOST_DESCRIPTORS))


def writers(first: int, file: PipeOrTerminal) -> list[str]:
    """The names of some processes of the host with this first process that may write to a file."""
    found: dict[str, None] = {}
    room = _MOST_DESCRIPTORS
    for pid in _of_host(first):
        with contextlib.suppress(OSError):
            numbers = os.listdir(f"{_PROC}/{pid}/fd")
            room -= len(numbers)
            if room < 0 or len(found) >= _MOST_WRITERS:
                break
            if any(_writes(f"{_PROC}/{pid}/fd/{number}", file) for number in numbers):
                found[processes.status_of(pid).name] = None
    return list(found)


def _writes(path: str, file: PipeOrTerminal) -> bool:
    try:
        there = os.stat(path)
        return (there.st_dev, there.st_ino) == file and bool(os.lstat(path).st_mode & stat.S_IWUSR)
    except OSError:
        return False


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


def _open(pid: int) -> Iterator[PipeOrTerminal | None]:
    """What is behind each descriptor of a process; None where that is no pipe or terminal to write to."""
    try:
        numbers = os.listdir(f"{_PROC}/{pid}/fd")
    except OSError:
        return  # it has ended
    for number in numbers:
        yield next(_end(pid, number), None)


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
