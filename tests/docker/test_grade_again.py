"""What ``lab grade`` plays again, what it says of runs that differ, and what students do not see."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess

import pytest

import lab
from lab.core.archive import Tree
from lab.core.errors import ExitCode
from lab.grade import journal
from lab.grade.batch import Grading, Row
from lab.grade.journal import Entry, Key
from lab.grade.reading import Assigned, read
from lab.grade.result import CaseResult, Graded, RunResult
from lab.grade.results import GRADE_BOOK, SUMMARY, write
from lab.grade.unit import grade
from tests.docker.proxy import Fault, Kind, between
from tests.docker.stage import PATIENCE, Stage, command, environment, socket_of

MOODY = """
version: 1
title: A program that reads what it shall do
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1}
programs: {p: {source: p.py, files: {mood: {from: mood.txt}}}}
timeouts: {step: 60s}
steps:
- a: {start: p}
- a: {wait: {exited: true}}
checks:
- {name: It is well, output: {host: a, contains: well}}
- {file: {host: a, program: p, path: out, contains: out}, needs: [Zebra]}
- {file: {host: a, program: p, path: out, contains: okapi}, hint: gnu, visibility: hidden}
- {name: Zebra, file: {host: a, program: p, path: quagga, exists: false}, visibility: after_due_date}
"""
SECRETS = (b"gnu", b"Zebra", b"quagga", b"(2)")
"""What only hidden checks say; the second check has the title of the one before it."""

ASSIGNMENT = """
version: 1
title: Moods
submit: {programs: p}
scenarios:
- {file: moody.yaml, WORDS}
"""
CLASS = ASSIGNMENT.replace("WORDS", "points: 10")
PROGRAM = """
mood = open("mood").read()
print("ill" if mood == "1" else "well")
open("out", "w").write("out" if mood == "1" else "out okapi")
"""


def _with(stage: Stage, words: str) -> Assigned:
    stage.lay(ASSIGNMENT.replace("WORDS", words), name="assignment.yaml")
    return read(stage.folder / "assignment.yaml")


def _run(stage: Stage, mood: str) -> RunResult:
    """One run in that mood."""
    (stage.folder / "mood.txt").write_text(mood)
    tree = Tree((("ann.py", PROGRAM.encode()),), main="ann.py")
    assigned = _with(stage, "points: 10")
    given = dict.fromkeys(assigned.assignment.submit.programs, tree)
    result = grade(given, assigned, stage.engine, stage.folder / "out" / "records", print)
    return result.cases[0].runs[0]


def test_three_runs_that_differ_and_checks_that_are_hidden(stage: Stage) -> None:
    """The second of three runs finds another file; each rule is applied to the same three runs."""
    stage.lay(MOODY, {"mood.txt": "0"}, "moody.yaml")
    (stage.folder / "submissions").mkdir()
    (stage.folder / "submissions" / "ann.py").write_text(PROGRAM)
    runs = [_run(stage, mood) for mood in "010"]
    assert [run.outcome for run in runs] == ["passed", "failed", "passed"]
    result = Graded((CaseResult("moody", tuple(runs)),))

    points = {}
    for rule in ("points: 10, rule: all", "points: 10, rule: best", "rule: {all: 10, some: 7}"):
        row = _written(stage, result, _with(stage, f"runs: 3, {rule}"))
        points[rule.rpartition("rule: ")[2]] = row.points
    assert points == {"all": 0, "best": 10, "{all: 10, some: 7}": 7}

    out = stage.folder / "out"
    summary = (out / SUMMARY).read_text()
    assert "ann: moody: It is well passed in 2 of 3 runs" in summary
    assert "ann: moody: file out of a.p (2) passed in 2 of 3 runs" in summary
    (student,) = (out / "students").iterdir()
    for file in student.rglob("*"):
        for secret in SECRETS:
            assert secret not in str(file).encode()
            assert not file.is_file() or secret not in file.read_bytes(), (file, secret)
    told = (student / "feedback.txt").read_text()
    assert '"It is well" passed in 2 of 3 runs.' in told
    assert told.count("passed in") == 1
    checked = [stage.lab("check", one, "--json") for one in sorted((student / "records").iterdir())]
    assert [done.returncode for done in checked] == [0, 1, 0]
    assert all(json.loads(done.stdout)["records"][0]["as_recorded"] for done in checked)


def _written(stage: Stage, result: Graded, assigned: Assigned) -> Row:
    """The results of a batch whose journal has this for its one student."""
    out, place = stage.folder / "out", stage.folder / "submissions"
    with journal.opened(out) as kept:
        grading = Grading(assigned, place, out, kept)
        (one,) = grading.submissions
        kept.write(Entry(one.student.key, Key(one.digest, assigned.digest, lab.__version__), result))
        (row,) = grading.rows()
        write(out, [row], assigned)
    return row


HUGE = """
open("out", "wb").truncate(1 << 26)
print("well")
"""
CHECKS = """checks:
- {name: It is well, output: {host: a, contains: well}, points: 1}
- {name: No line too many, file: {host: a, program: p, path: out, lines: {a: 0}}, points: 1}
"""


def test_what_is_played_again(stage: Stage) -> None:
    """The engine refuses twice, one submission is never decided, and some are graded again by name."""
    stage.lay(
        CLASS, {"moody.yaml": MOODY.partition("checks:")[0] + CHECKS, "mood.txt": "0"}, "assignment.yaml"
    )
    place = stage.folder / "class"
    place.mkdir()
    for name, program in {"ann": PROGRAM, "ben": PROGRAM.replace("well", "bad"), "huge": HUGE}.items():
        (place / f"{name}.py").write_text(program)
    words = ("grade", "assignment.yaml", "class", "--jobs", "1")

    refused = Fault("POST .*/exec/[^/]+/start$", Kind.REFUSE, times=2)
    with between(stage.folder / "s", socket_of(stage), refused) as proxy:
        done = stage.lab(*words, "-v", DOCKER_HOST=proxy.address)
    assert refused.done == 2
    assert _graded(done) == ["ann", "ben", "huge", "ann", "huge"]
    assert "ann: moody came to no result and is played again" in done.stderr
    assert "[1/3] ann: moody could not be graded: error[engine-refused]" in done.stderr
    rows = _rows(stage)
    assert {name: (row["status"], row["points"]) for name, row in rows.items()} == {
        "ann": ("graded", "10"),
        "ben": ("graded", "5"),
        "huge": ("human", ""),
    }
    assert rows["huge"]["open"] == "5"
    assert "No line too many" in rows["huge"]["remarks"]

    planned = stage.lab(*words, "--rerun", "inconclusive", "--dry-run", "--json")
    plan = {one["student"]: one["plan"] for one in json.loads(planned.stdout)["plan"]}
    assert plan == {"ann": "has a result", "ben": "has a result", "huge": "grade"}
    for again, graded in (
        ((), []),
        (("--rerun", "failed"), ["ben"]),
        (("--rerun", "all", "--only", "a*"), ["ann"]),
    ):
        done = stage.lab(*words, *again)
        assert (done.returncode, _graded(done)) == (ExitCode.INCONCLUSIVE, graded), done.stderr
        assert _rows(stage) == rows


ON_A_SMALL_DISK = """
mkdir grades && mount -t tmpfs -o size=150k none grades || exit 77
{grade}; echo "exit status $?"
cp grades/journal.jsonl first.jsonl
mount -o remount,size=50m grades
{grade}; echo "exit status $?"
cp grades/journal.jsonl second.jsonl
cp grades/gradebook.csv .
"""
"""The mount is of a namespace of its own, and gone with it."""


def test_a_disk_that_fills_up_stops_the_batch(stage: Stage) -> None:
    stage.lay(
        CLASS, {"moody.yaml": MOODY.partition("checks:")[0] + CHECKS, "mood.txt": "0"}, "assignment.yaml"
    )
    place = stage.folder / "class"
    place.mkdir()
    for name in ("ann", "ben", "eve", "joe"):
        (place / f"{name}.py").write_text(PROGRAM)
    script = ON_A_SMALL_DISK.replace(
        "{grade}", shlex.join(command("grade", "assignment.yaml", "class", "--jobs", "1"))
    )
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        cwd=stage.folder, env=environment(), capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
    )  # fmt: skip
    if "exit status" not in done.stdout:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    before, after = done.stderr.split("error[disk-full]: the disk is full: No space left on device\n")
    assert re.findall("exit status .", done.stdout) == ["exit status 3", "exit status 0"]
    assert re.match("  --> grades/(records/|journal)", after)
    names = [re.findall(r"(?m)^\[\d+/\d+\] (\w+): 10 points", part) for part in (before, after)]
    assert all(names)
    assert names[0] + names[1] == ["ann", "ben", "eve", "joe"]
    first, second = ((stage.folder / f"{name}.jsonl").read_bytes() for name in ("first", "second"))
    assert second.startswith(first)
    assert [part.count(b"\n") for part in (first, second)] == [len(names[0]), 4]
    assert (stage.folder / "gradebook.csv").read_text().count(",graded,10,") == 4


def _graded(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Who was graded, in that order."""
    return re.findall(r"(?m)^\[\d+/\d+\] (\w+): ", done.stderr)


def _rows(stage: Stage) -> dict[str, dict[str, str]]:
    """The grade book, by the students' names."""
    with (stage.folder / "grades" / GRADE_BOOK).open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}
