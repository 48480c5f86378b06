"""A class graded by two workers of a cluster: one that is killed, and one whose engine does not answer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lab.grade.journal import NAME
from lab.grade.results import GRADE_BOOK
from tests.docker.proxy import between, settled
from tests.docker.stage import Stage, socket_of

ASSIGNMENT = """
version: 1
title: Say hello
submit: {programs: p, required: "*.py"}
scenarios: [{file: play.yaml, points: 4}]
"""
PLAY = """
version: 1
title: A word
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1}
programs: {p: p.py}
steps:
- a: {start: p}
- a: {expect: hello}
checks:
- exit: {host: a, program: p, running: true}
timeouts: {step: 3s}
"""
RIGHT = "import time\nprint('hello', flush=True)\ntime.sleep(60)\n"
WRONG = RIGHT.replace("hello", "good night")
CLASS = {"ann": RIGHT, "ben": WRONG, "cem": RIGHT, "dan": RIGHT + "# mine\n", "eve": WRONG + "# mine\n"}
POINTS = {"ann": "4", "ben": "0", "cem": "4", "dan": "4", "eve": "0"}


@contextmanager
def process(*words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the cluster, ended at the end."""
    own = {**os.environ, **environment}
    with subprocess.Popen([sys.executable, "-m", *words], env=own, stderr=subprocess.DEVNULL) as one:
        try:
            yield one
        finally:
            one.terminate()
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()


@pytest.fixture
def scheduler(stage: Stage) -> Iterator[str]:
    """The address of a scheduler."""
    told = stage.folder / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told))
    with process("distributed.cli.dask_scheduler", *words):
        yield settled(lambda: _address(told))


def _address(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError):
        return ""


def worker(
    scheduler: str, name: str, folder: Path, **environment: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    words = (
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--name",
        name,
        "--local-directory",
        str(folder),
    )
    return process("distributed.cli.dask_worker", scheduler, *words, **environment)


@pytest.fixture
def course(stage: Stage) -> Stage:
    """Five submissions."""
    stage.lay(ASSIGNMENT, {"play.yaml": PLAY, "p.py": RIGHT}, "assignment.yaml")
    (stage.folder / "class").mkdir()
    for name, program in CLASS.items():
        (stage.folder / "class" / f"{name}.py").write_text(program)
    return stage


def _points(stage: Stage) -> dict[str, str]:
    book = (stage.folder / "out" / GRADE_BOOK).read_text()
    return {row["student"]: row["points"] for row in csv.DictReader(book.splitlines())}


def _journal(stage: Stage) -> list[str]:
    lines = (stage.folder / "out" / NAME).read_text().splitlines()
    return sorted(str(json.loads(line)["student"]).removeprefix("name:") for line in lines)


def test_a_worker_that_is_killed_costs_nothing(course: Stage, scheduler: str, tmp_path: Path) -> None:
    words = ("grade", "assignment.yaml", "class", "--out", "out", "--scheduler", scheduler)
    with worker(scheduler, "one", tmp_path) as one, worker(scheduler, "two", tmp_path):
        grading = course.popen(*words)
        assert grading.stderr is not None
        assert any(line.startswith("[1/5]") for line in grading.stderr)
        one.kill()
        grading.communicate()
        assert grading.returncode == 0
    assert _points(course) == POINTS
    assert _journal(course) == sorted(CLASS)  # each once
    records = sorted((course.folder / "out" / "records").iterdir())
    assert len(records) == len(CLASS)
    checked = [course.lab("check", record).returncode for record in records]
    assert sorted(checked) == [0, 0, 0, 1, 1]


def test_a_worker_whose_engine_does_not_answer_gets_no_more(
    course: Stage, scheduler: str, tmp_path: Path
) -> None:
    with between(course.folder / "s", socket_of(course)) as proxy:
        proxy.freeze()
        silent = worker(scheduler, "silent", tmp_path, DOCKER_HOST=proxy.address)
        with silent, worker(scheduler, "good", tmp_path):
            done = course.lab("grade", "assignment.yaml", "class", "--out", "out", "--scheduler", scheduler)
    assert done.returncode == 0, done.stderr
    assert _points(course) == POINTS
    assert _journal(course) == sorted(CLASS)


def test_no_scheduler_and_no_worker(course: Stage, scheduler: str) -> None:
    words = ("grade", "assignment.yaml", "class", "--out", "out", "--scheduler")
    nobody = course.lab(*words, "tcp://127.0.0.1:9")
    assert nobody.returncode == 2
    assert "no-scheduler" in nobody.stderr
    empty = course.lab(*words, scheduler)
    assert empty.returncode == 2
    assert "no-workers" in empty.stderr
