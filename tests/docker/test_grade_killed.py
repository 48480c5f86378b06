"""A batch that is killed at random moments ends with the grade book of one that was not.

``LAB_KILLS=50 pytest tests/docker/test_grade_killed.py`` kills it more often.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from lab.core.errors import ExitCode
from lab.grade.journal import NAME
from lab.grade.results import GRADE_BOOK, JUNIT, NBGRADER, SUMMARY
from tests.docker.stage import PATIENCE, Stage

KILLS = int(os.environ.get("LAB_KILLS", "5"))
SCENARIO = """
version: 1
title: A program that says one word
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1}
programs: {p: reference.py}
timeouts: {step: 60s}
steps:
- a: {start: p}
- a: {wait: {exited: true}}
checks:
- {name: It says the word, output: {host: a, contains: word}, points: 3}
- {name: It ends well, exit: {host: a, program: p, status: 0}, points: 1}
- {name: secret, output: {host: a, lacks: other}, points: 1, visibility: hidden}
"""
ASSIGNMENT = """
version: 1
title: Words
submit: {programs: p, languages: [python, c]}
scenarios:
- {file: word.yaml, points: 10}
- {file: word.yaml, name: again, points: 5, needs: word}
"""
PROGRAMS = {
    "right.py": "print('word')",
    "wrong.py": "print('other')",
    "ends.py": "print('word')\nraise SystemExit(3)",
    "broken.c": "int main(void) { return 0 }",
    "foreign.go": "package main",
}
POINTS = {"right": "15", "wrong": "2", "ends": "8", "broken": "0", "foreign": "0"}


def test_a_class_that_is_killed_again_and_again(stage: Stage) -> None:
    stage.lay(ASSIGNMENT, {"word.yaml": SCENARIO, "reference.py": PROGRAMS["right.py"]}, "assignment.yaml")
    handed_in = stage.folder / "class"
    handed_in.mkdir()
    for number in range(max(1, KILLS // 10)):
        for name, program in PROGRAMS.items():
            stem, ending = name.split(".")
            (handed_in / f"{stem}_{number}.{ending}").write_text(program)
    words = ("grade", "assignment.yaml", "class", "--jobs", "2", "--out")
    began = time.monotonic()
    whole = stage.lab(*words, "whole")
    of_some = (time.monotonic() - began) * 4 / len(list(handed_in.iterdir()))
    assert whole.returncode == ExitCode.PASSED, whole.stderr
    with (stage.folder / "whole" / GRADE_BOOK).open(newline="") as book:
        rows = list(csv.DictReader(book))
    assert {row["student"].partition("_")[0]: row["points"] for row in rows} == POINTS

    chance, out, journal = random.Random(KILLS), stage.folder / "killed", b""
    for _ in range(KILLS):
        _run_and_kill(stage, (*words, "killed"), chance, of_some)
        after = (out / NAME).read_bytes() if (out / NAME).exists() else b""
        assert after.startswith(journal)  # nothing that was graded is lost
        journal = after[: after.rfind(b"\n") + 1]
        with (out / NAME).open("ab") if out.exists() else contextlib.nullcontext() as file:
            if file:
                file.write(b'{"format": 1, "student"')  # the part of a line that a power cut leaves
    last = stage.lab(*words, "killed")
    assert last.returncode == ExitCode.PASSED, last.stderr
    for name in (GRADE_BOOK, NBGRADER, SUMMARY):
        assert (out / name).read_bytes() == (stage.folder / "whole" / name).read_bytes(), name
    assert _suites(out) == _suites(stage.folder / "whole")
    students = [json.loads(line)["student"] for line in (out / NAME).read_text().splitlines()]
    assert sorted(students) == sorted({f"name:{row['student']}" for row in rows if row["status"] == "graded"})
    assert set(_records(out)) == {path.name for path in (out / "records").iterdir()}


def _run_and_kill(stage: Stage, words: tuple[str, ...], chance: random.Random, longest: float) -> None:
    """Kill the batch at some moment, often soon after it has graded a submission.

    Every second time its processes are killed with it, as a power cut does.
    """
    batch = stage.popen(*words)
    wait = chance.uniform(0, longest)
    if chance.random() < 0.5:
        assert batch.stderr is not None
        if any(line.startswith("[") for line in batch.stderr):
            wait /= 4
    with contextlib.suppress(subprocess.TimeoutExpired):
        batch.communicate(timeout=wait)
        return
    own = Path(f"/proc/{batch.pid}/task/{batch.pid}/children").read_text(encoding="ascii").split()
    with_all = chance.random() < 0.5
    batch.send_signal(signal.SIGKILL)
    for process in own if with_all else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    batch.communicate(timeout=PATIENCE)


def _suites(out: Path) -> list[str]:
    """The suites of JUnit and what became of each case, without words and times."""
    parts = (out / JUNIT).read_text().split("<")
    return [
        part.partition(" time=")[0] for part in parts if part.startswith(("testcase", "failure", "error"))
    ]


def _records(out: Path) -> Iterator[str]:
    for line in (out / NAME).read_text().splitlines():
        for case in json.loads(line)["graded"]["cases"]:
            for run in case.get("runs", ()):
                yield from filter(None, {run.get("record"), run.get("shown")})
