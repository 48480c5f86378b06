"""The main job through Docker alone: docker compose run --rm lab run scenarios/multi_client.yaml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.core import assets
from lab.engine import Engine
from lab.engine.images.base import BASE, ensure_base

_STRANGER = 12345
"""A user id that nobody here has: root gives it the checkout, to see whose the records are."""


def _compose() -> Sequence[str]:
    """The command of Compose v2, or of its forerunner; the test is skipped where there is neither."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            tried = subprocess.run([*command, "version"], capture_output=True, check=False)
            if tried.returncode == 0:
                return command
    pytest.skip("neither docker compose nor docker-compose is installed")


@pytest.fixture
def copy(checkout: Path, tmp_path: Path) -> Path:
    """A checkout of somebody else's."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("lab", "images", "scenarios"):
        shutil.copytree(checkout / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("docker-compose.yml", ".dockerignore"):
        shutil.copy(checkout / name, folder)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _STRANGER, _STRANGER)
    return folder


@pytest.fixture
def compose(engine: Engine, copy: Path) -> Iterator[Sequence[str]]:
    """Compose in the copy; what it makes is taken away afterwards."""
    ensure_base(engine, BASE, print)
    command = [*_compose(), "--project-name", f"tcp-lab-test-{os.getpid()}"]
    yield command
    subprocess.run([*command, "down", "--volumes"], cwd=copy, capture_output=True, check=True)


def test_the_main_job_through_docker_alone(compose: Sequence[str], copy: Path) -> None:
    subprocess.run([*compose, "build", "lab"], cwd=copy, capture_output=True, check=True)
    words = ["run", "--rm", "lab", "run", "--json", "scenarios/multi_client.yaml"]
    done = subprocess.run([*compose, *words], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (copy / "runs").iterdir()
    assert json.loads((record / "verdict.json").read_text())["outcome"] == "pass"
    assert {path.stat().st_uid for path in (record, *record.iterdir())} == {copy.stat().st_uid}


def test_every_image_is_built_but_those_of_languages(compose: Sequence[str], copy: Path) -> None:
    """Those are built when a scenario first needs one."""
    done = subprocess.run(
        [*compose, "config", "--services"], cwd=copy, capture_output=True, text=True, check=True
    )
    services = {line for line in done.stdout.split() if line != "lab"} | {"cli"}
    images = {path.parent.name for path in assets.IMAGES.glob("*/Dockerfile")}
    assert services == images - assets.LANGUAGE_IMAGES.keys()
