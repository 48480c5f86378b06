"""Whether a build had a processor: one that had none took its time for no fault of its own."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from lab.engine import Engine
from lab.engine.containers import processor_seconds
from lab.engine.machine import is_this_machine

_LEAST_IDLE = 0.1
"""A machine whose processors idle for less than this part of the time has none to spare."""

_ASLEEP, _ENOUGH = 0.03, 0.25
"""The parts of a processor: a build that used less was asleep, one that used more had its share."""

_SHORTEST = 5.0
"""Seconds below which nothing is told: to start a shell and to unpack sources takes a part of that."""

_STAT = Path("/proc/stat")
_IDLE_FIELDS = slice(3, 5)
"""``idle`` and ``iowait`` among the numbers of the line ``cpu`` (proc_stat(5))."""


class ProcessorTime(Struct, frozen=True):
    """Seconds of all processors together since this machine was started: all, and those without work."""

    total: float
    idle: float


def processor_time() -> ProcessorTime | None:
    """What this machine's processors did until now; None where the system does not tell."""
    try:
        name, *fields = _STAT.read_text(encoding="ascii").partition("\n")[0].split()
        ticks = [int(field) for field in fields[:8]]  # guest time, behind them, is user time, too
    except (OSError, ValueError):
        return None
    if name != "cpu" or len(ticks) <= _IDLE_FIELDS.start:
        return None
    second = os.sysconf("SC_CLK_TCK")
    return ProcessorTime(sum(ticks) / second, sum(ticks[_IDLE_FIELDS]) / second)


def was_starved(engine: Engine, container: str, began: ProcessorTime | None, seconds: float) -> bool:
    """Whether others had the processors for nearly all the ``seconds`` of a build.

    It had less than a quarter of one, was not asleep, and the machine had none to spare. Of an engine on
    another machine that is not known.
    """
    now = processor_time()
    if began is None or now is None or seconds < _SHORTEST or now.total <= began.total:
        return False
    if not is_this_machine(engine):
        return False
    idle = (now.idle - began.idle) / (now.total - began.total)
    used = processor_seconds(engine, container) / seconds
    return idle < _LEAST_IDLE and _ASLEEP < used < _ENOUGH
