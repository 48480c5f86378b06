"""The README's commands, read from there and run as a new user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.assets import PACKAGE

CHECKOUT = PACKAGE.parent
NOT_IN_A_CLONE = shutil.ignore_patterns(".git", ".venv", "runs", "dist", "*_cache", "__pycache__")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of that kind in the README."""
    return re.findall(
        rf"^```{kind}\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A fresh copy of the checkout; what is left up from there is taken down."""
    folder = tmp_path / "clone"
    shutil.copytree(CHECKOUT, folder, ignore=NOT_IN_A_CLONE)
    yield folder
    subprocess.run([folder / ".venv/bin/lab", "down", "--all"], cwd=folder, check=True)


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


def test_the_first_scenario_of_ones_own(clone: Path) -> None:
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
        done = run(f"echo 'ss -tan; exit' | {command}", clone, PATH=f"{clone}/.venv/bin:{os.environ['PATH']}")
        assert done.returncode == 0, (command, done.stdout, done.stderr)
