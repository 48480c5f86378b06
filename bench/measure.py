"""Taking times: wall clock, processes with the memory they needed, and figures as ratios within one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_LAUNCHER = """
import json, os, resource, sys, time
began = time.perf_counter()
child = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
took = time.perf_counter() - began
told = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([took, status, told.ru_maxrss, told.ru_utime + told.ru_stime]), file=sys.stderr)
"""
"""A small process that starts the measured one: a child's peak counts what its parent held at its birth."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: seconds by the clock and of the processor, its peak memory in MiB."""

    seconds: float
    status: int
    peak: float
    cpu: float


def installed() -> dict[str, str]:
    """The environment of a measured process: its modules are compiled once, as those of a package are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def process(argv: Sequence[str], *, expected: int = 0) -> Ended:
    """Run a process to its end, its output thrown away. RuntimeError if it ends otherwise than expected."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *argv],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True,
        env=installed(),
    )  # fmt: skip
    seconds, status, peak, cpu = json.loads(done.stderr.splitlines()[-1])
    if status != expected:
        raise RuntimeError(f"{' '.join(argv)} ended with {status}: {done.stderr[-2000:]}")
    return Ended(seconds, status, peak / 1024, cpu)


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass
class Samples:
    """Measurements by name, taken in turns: what disturbs the machine meets all of them alike."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        """One more measurement."""
        self.of[name].append(value)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def median(self, name: str) -> float:
        """The middle of the measurements of one name."""
        return statistics.median(self.of[name])

    def ratio(self, name: str, to: str) -> float:
        """The median of the ratios of two names, each within its own round."""
        return statistics.median(one / other for one, other in zip(self.of[name], self.of[to], strict=True))
