"""How fast a class is graded: `python bench/course.py [--submissions N] [--jobs N] [--out FILE]`.

Distinct submissions of the chat server in C, each compiled. The floor starts, compiles in and removes the
same containers through the bare library, networking disabled, as many submissions at once (bare_class.py).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import experiments
import machine
from measure import installed, process

from lab.deploy.plan import plan
from lab.engine import Engine, connect
from lab.grade.reading import Assigned, read

BARE = Path(__file__).with_name("bare_class.py")
ASSIGNMENT = Path(__file__).parents[1] / "scenarios" / "assignments" / "chat-server"
REFERENCE = ASSIGNMENT / "submissions" / "reference-c" / "server.c"
COMPILE = "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o server server.c"
FOLDER = "/work"
LEAST = 0.85
"""Of the floor's throughput."""


def main() -> None:
    """Measure the floor, the class, and the floor again: what else the machine does meets both."""
    words = _words()
    with connect() as engine, tempfile.TemporaryDirectory(prefix="tcp-lab-bench-") as place:
        folder = Path(place)
        submissions = _class(folder / "class", words.submissions)
        assigned = read(ASSIGNMENT / "assignment.yaml")
        _graded(folder, submissions[:1], words.jobs, "warm")  # images and caches are not what is measured
        before = _floor(engine, assigned, submissions, words.jobs)
        busy = _processor_seconds()
        graded = _graded(folder, submissions, words.jobs, "whole")
        busy = _processor_seconds() - busy
        after = _floor(engine, assigned, submissions, words.jobs)
        report = list(_report(engine, words, (before + after) / 2, graded, busy))
    text = "\n".join(report) + "\n"
    print(text, end="")
    if words.out:
        words.out.write_text(text, encoding="utf-8")


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast a class is graded, against bare containers.")
    parser.add_argument("--submissions", type=int, default=100, help="how many (100)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--out", type=Path, help="write the report into this file, too")
    return parser.parse_args()


def _class(folder: Path, count: int) -> list[Path]:
    """Submissions that differ, so that each is compiled."""
    source = REFERENCE.read_text(encoding="utf-8")
    found = []
    for number in range(count):
        own = folder / f"student{number:04}"
        own.mkdir(parents=True)
        (own / "server.c").write_text(f"/* {folder.parent.name} {number} */\n{source}", encoding="utf-8")
        found.append(own)
    return found


def _graded(folder: Path, submissions: list[Path], jobs: int, name: str) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of processor of the lab's processes, and the peak of one (MiB)."""
    chosen = folder / name
    chosen.mkdir()
    for one in submissions:
        shutil.copytree(one, chosen / one.name)
    words = ["grade", str(ASSIGNMENT / "assignment.yaml"), str(chosen), "--jobs", str(jobs)]
    ended = process([sys.executable, "-m", "lab", *words, "--out", str(folder / f"{name}-results")])
    results = json.loads((folder / f"{name}-results" / "results.json").read_text())
    least = min(one["points"] for one in results["students"])
    if least != results["maximum"]:
        raise RuntimeError(f"a right submission has {least} points")
    return ended.seconds, ended.cpu, ended.peak


def _floor(engine: Engine, assigned: Assigned, submissions: list[Path], jobs: int) -> float:
    """Seconds for the same containers, bare."""
    plans = [plan(one.loaded.scenario) for one in assigned.played]
    run = experiments.labels("bare")
    with experiments.removed(engine, run):
        told = {
            "sources": [(one / "server.c").read_text(encoding="utf-8") for one in submissions],
            "container": {**experiments.caged(engine, plans[0].hosts[0], run), "NetworkDisabled": True},
            "folder": FOLDER,
            "compile": COMPILE,
            "scenarios": [len(one.hosts) + 1 for one in plans],
        }
        done = subprocess.run(
            [sys.executable, str(BARE), str(jobs)],
            input=json.dumps(told), capture_output=True, text=True, check=True, env=installed(),
        )  # fmt: skip
    return float(json.loads(done.stdout))


def _processor_seconds() -> float:
    """Seconds of processor that the whole machine has used, the engine too (proc(5), stat, in 10 ms)."""
    user, nice, system = Path("/proc/stat").read_text(encoding="utf-8").split()[1:4]
    return (int(user) + int(nice) + int(system)) / 100


def _report(
    engine: Engine, words: argparse.Namespace, floor: float, graded: tuple[float, float, float], busy: float
) -> Iterator[str]:
    wall, cpu, peak = graded
    count = words.submissions
    for name, value in machine.describe(engine):
        yield f"{name:16}{value}"
    yield ""
    yield f"{count} submissions, {words.jobs} at once"
    yield f"{'the floor':52}{floor / count:>10.3f} s a submission"
    yield f"{'lab grade':52}{wall / count:>10.3f} s a submission"
    ratio = floor / wall
    kept = "kept" if ratio >= LEAST else "NOT KEPT"
    yield f"{'throughput of the floor: at least 0.85':52}{ratio:>10.3f}  {kept}"
    yield f"{'processor of the lab and its workers':52}{cpu / count:>10.3f} s a submission"
    yield f"{'processor of the whole machine':52}{busy / count:>10.3f} s a submission"
    yield f"{'largest process of the lab':52}{peak:>10.1f} MiB"


if __name__ == "__main__":
    main()
