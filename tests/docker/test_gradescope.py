"""The autograder for Gradescope: a submission goes to the machine that plays, and results.json comes back.

A file called ``ssh`` does here what sshd does with the key: it starts the one command that the key is for.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docker.stage import PATIENCE, Stage, environment

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
- {name: secret, output: {host: a, lacks: other}, points: 1, visibility: hidden}
"""
ASSIGNMENT = """
version: 1
title: Words
submit: {programs: p, required: "*.py"}
scenarios: [{file: word.yaml, points: 8}]
"""


@pytest.fixture
def autograder(stage: Stage) -> Path:
    """``/autograder`` as Gradescope lays it out, with the bundle in it, and with a submission."""
    stage.lay(ASSIGNMENT, {"word.yaml": SCENARIO, "reference.py": ""}, "assignment.yaml")
    done = stage.lab("bundle", "assignment.yaml", "autograder.zip", "--runner", "grader@lab.example.org")
    assert done.returncode == 0, done.stderr
    top = stage.folder / "autograder"
    for name in ("source", "results", "submission/src"):
        (top / name).mkdir(parents=True)
    with zipfile.ZipFile(stage.folder / "autograder.zip") as archive:
        for info in archive.infolist():
            (top / "source" / archive.extract(info, top / "source")).chmod(info.external_attr >> 16)
    (top / "source" / "key").touch()
    (top / "submission" / "src" / "main.py").write_text("print('word and other')\n")
    return top


def _run(autograder: Path, key_is_for: str) -> subprocess.CompletedProcess[str]:
    bin_ = autograder / "bin"
    bin_.mkdir(exist_ok=True)
    (bin_ / "ssh").write_text(f'#!/bin/sh\ncase "$*" in *grader@lab.example.org) exec {key_is_for};; esac\n')
    (bin_ / "ssh").chmod(0o755)
    lab = shlex.join([sys.executable, "-m", "lab"])
    path = f"{bin_}:{os.environ['PATH']}"
    return subprocess.run(
        [autograder / "source" / "run_autograder"], env=environment(AUTOGRADER=str(autograder), PATH=path, LAB=lab),
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_a_submission_goes_to_the_machine_and_its_results_come_back(autograder: Path) -> None:
    results = autograder / "results" / "results.json"
    failed = _run(autograder, "false")
    assert (failed.returncode, list(results.parent.iterdir())) == (1, [])
    assert "Your points are not touched" in failed.stderr

    done = _run(autograder, str(autograder / "source" / "grade-one"))
    assert done.returncode == 0, done.stderr
    told = json.loads(results.read_text())
    assert told["score"] == 6
    assert [(test["name"], test.get("score"), test["visibility"]) for test in told["tests"]] == [
        ("word: conversation", None, "visible"),
        ("word: It says the word", 6, "visible"),
        ("word: secret", 0, "hidden"),
    ]

    (autograder / "submission" / "src" / "main.py").rename(autograder / "submission" / "main.c")
    assert _run(autograder, str(autograder / "source" / "grade-one")).returncode == 0
    told = json.loads(results.read_text())
    assert (told["score"], told["tests"]) == (0, [])
    assert "*.py is missing" in told["output"]
