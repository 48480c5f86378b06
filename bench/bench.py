"""The benchmark: `python bench/bench.py [--quick] [--hosts N] [--out FILE]`, in an environment with the lab.

Figures are ratios within one run: the machine's speed of the hour meets both sides alike. F is the time for
as many hardened containers, the sidecar counted, through the bare library with the same parallelism.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import experiments
import machine
import scenes
from measure import Samples

from lab.engine import Engine, connect

_SMALLER = (3, 16)
_OF_A_CORE = 0.03
"""Seconds of processor a second, tcpdump counted, that looking on may take."""

_MEMORY_ROOM = 32.0
"""MiB that a flood of output may cost: what a screen and a transcript keep of it, and the buffers between."""


@dataclass(frozen=True, slots=True)
class Target:
    """A promise, what was measured, and the most that keeps it."""

    promise: str
    measured: float
    most: float
    unit: str = ""

    @property
    def kept(self) -> bool:
        """Whether it is kept."""
        return self.measured <= self.most


def main() -> None:
    """Measure, print, and write the same into a file where one is named."""
    words = _words()
    samples = Samples()
    with connect() as engine, tempfile.TemporaryDirectory(prefix="tcp-lab-bench-") as folder:
        _measure(engine, samples, Path(folder), words.quick, words.hosts)
        text = "\n".join(_report(engine, samples, words.hosts)) + "\n"
    print(text, end="")
    if words.out:
        words.out.write_text(text, encoding="utf-8")


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast the lab is, against bare containers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and 16 hosts")
    parser.add_argument("--hosts", type=int, help="hosts of the large lab (64)")
    parser.add_argument("--out", type=Path, help="write the report into this file, too")
    words = parser.parse_args()
    words.hosts = words.hosts or (16 if words.quick else 64)
    return words


def _measure(engine: Engine, samples: Samples, folder: Path, quick: bool, hosts: int) -> None:
    Path.mkdir(folder / "records")
    experiments.small(engine, Samples(), folder)  # builds, imports and caches are not what is measured
    for _ in range(5 if quick else 11):
        experiments.start_up(samples)
        experiments.small(engine, samples, folder)
    for _ in range(3 if quick else 5):
        experiments.phases(engine, samples, folder)
    for count in sorted({*_SMALLER, hosts}):
        for _ in range(1 if quick else 3):
            experiments.crowd(engine, samples, folder, count)
    for _ in range(1 if quick else 3):
        experiments.watching(engine, samples, folder)
    experiments.memory(samples, folder)


def _targets(samples: Samples, hosts: int) -> Iterator[Target]:
    without = "run without script"
    yield Target("a run, its script not counted: at most 1.5 F", samples.ratio(without, "F up and down"), 1.5)
    promise = "the same, the start of F's own program and its import counted"
    yield Target(promise, samples.ratio(without, "F"), 1.5)
    if samples.of.get("compose"):
        promise = "a run: less than docker-compose up and down of three bare containers"
        yield Target(promise, samples.ratio("run", "compose"), 1.0)
    yield Target(f"{hosts} hosts up: at most 1.2 F", samples.ratio(f"{hosts} up", f"F{hosts} up"), 1.2)
    bare = samples.ratio(f"{hosts} up", f"F{hosts} {experiments.DISABLED} up")
    yield Target(f"the same, F's containers {experiments.DISABLED}", bare, 1.2)
    both = samples.ratio(f"{hosts}", f"F{hosts} up and down")
    yield Target(f"{hosts} hosts up and down: at most 1.2 F", both, 1.2)
    told = f"the agent's processor with {scenes.TALKERS} hosts"
    yield Target(f"{told}: under 3 % of a core", samples.median(experiments.IDLE), _OF_A_CORE)
    promise = f"the same while they open {scenes.CONNECTIONS} connections a second"
    yield Target(promise, samples.median(experiments.TALKING), _OF_A_CORE)
    for words in ("--version", "--help"):
        yield Target(f"lab {words}: under 0.15 s", samples.median(f"lab {words}"), 0.15, " s")
    more = samples.median("peak flooding") - samples.median("peak silent")
    promise = f"memory for {scenes.FLOOD // 1_000_000} MB of output: bounded"
    yield Target(promise, more, _MEMORY_ROOM, " MiB")


def _report(engine: Engine, samples: Samples, hosts: int) -> Iterator[str]:
    for name, value in machine.describe(engine):
        yield f"{name:16}{value}"
    load = os.getloadavg()[0]
    yield f"{'load':16}{load:.1f} processes ready to run when it ended"
    yield ""
    yield f"{'target':68}{'measured':>12}{'at most':>12}"
    for target in _targets(samples, hosts):
        figures = f"{target.measured:>10.3f}{target.unit:4}{target.most:>8.2f}{target.unit:4}"
        yield f"{target.promise:68}{figures}  {'kept' if target.kept else 'NOT KEPT'}"
    yield ""
    yield f"{'figure':44}{'median':>10}{'least':>10}{'most':>10}{'rounds':>8}"
    for name, values in samples.of.items():
        digits = 1 if name.startswith("peak") else 4
        three = (samples.median(name), min(values), max(values))
        yield f"{name:44}" + "".join(f"{one:>10.{digits}f}" for one in three) + f"{len(values):>8}"
    yield ""
    yield "Seconds; peaks in MiB; the agent's processor in seconds a second."


if __name__ == "__main__":
    main()
