"""The README's commands, read from there and run as a new user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.assets import PACKAGE
from lab.deploy.labs import LabStatus, all_labs
from lab.engine import Engine
from lab.engine.containers import ours, remove

CHECKOUT = PACKAGE.parent
NOT_IN_A_CLONE = shutil.ignore_patterns(".git", ".venv", "runs", "dist", "*_cache", "__pycache__")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of that kind in the README."""
    return re.findall(
        rf"^```{kind}\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


@pytest.fixture
def clone(tmp_path: Path, engine: Engine) -> Iterator[Path]:
    """A fresh copy of the checkout; what is left up from there is taken down."""
    folder = tmp_path / "clone"
    shutil.copytree(CHECKOUT, folder, ignore=NOT_IN_A_CLONE)
    yield folder
    remove(engine, [one.id for run_id in _runs(folder) for one in ours(engine, run_id)])


def run(command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A command as a person types it, in that folder."""
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=clean | env, capture_output=True, text=True, check=False
    )


def test_the_first_two_blocks_are_one_line_each() -> None:
    assert [block.count("\n") for block in blocks("sh")[:2]] == [1, 1]


def test_the_first_command_ends_with_the_verdict_and_leaves_the_hosts_up(clone: Path) -> None:
    done = run(blocks("sh")[0], clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 of 14 checks passed" in done.stdout
    listed = run(".venv/bin/lab ps", clone)
    assert all(host in listed.stdout for host in ("server", "client_a", "client_b"))


def test_the_second_command_runs_the_tests(clone: Path) -> None:
    done = run(blocks("sh")[1].rstrip("\n") + " --collect-only -q tests/docker/test_readme.py", clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_the_second_command_runs_the_tests" in done.stdout


@pytest.mark.alone  # the commands mean the only lab that is up
def test_the_first_scenario_of_ones_own(clone: Path, engine: Engine) -> None:
    run("python3 -m venv .venv && .venv/bin/pip install --quiet --editable .", clone)
    commands = [line.removeprefix("$ ") for line in blocks("console")[0].splitlines()]
    assert [command.split()[:2] for command in commands] == [
        ["lab", "init"],
        ["lab", "up"],
        ["lab", "shell"],
        ["lab", "down"],
    ]
    for command in commands:
        # The shell is a person's: here it gets its one command from a pipe.
        words = f"echo 'ss -tan; exit' | {command}{_which(engine, clone)}"
        done = run(words, clone, PATH=f"{clone}/.venv/bin:{os.environ['PATH']}")
        assert done.returncode == 0, (command, done.stdout, done.stderr)


def _which(engine: Engine, folder: Path) -> str:
    """What says which lab is meant, where somebody else has one up, too."""
    up = [lab for lab in all_labs(engine, time.time()) if lab.standing is LabStatus.UP]
    own = [lab for lab in up if lab.run_id in _runs(folder)]
    return f" --lab {own[0].run_id}" if own and up != own else ""


def _runs(folder: Path) -> set[str]:
    """The labs that were played there, by their records."""
    return {record.name.rpartition("-")[2] for record in folder.glob("runs/*")}
