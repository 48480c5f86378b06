"""The wheel in an empty environment, in a folder that is no checkout: it finds all and runs a lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __version__


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a new virtual environment that holds the wheel and what it asks for."""
    checkout = Path(__file__).parents[2]
    folder = tmp_path_factory.mktemp("install")
    _run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, checkout],
        folder,
    )
    (wheel,) = folder.glob("*.whl")
    _run([sys.executable, "-m", "venv", folder / "venv"], folder)
    _run([folder / "venv/bin/pip", "install", "--quiet", wheel], folder)
    return folder / "venv" / "bin"


def test_the_wheel_holds_what_is_no_module(installed: Path, tmp_path: Path) -> None:
    code = "from lab.core import assets; print(assets.IMAGES, assets.STARTER, assets.SCHEMA, sep='\\n')"
    for line in _run([installed / "python", "-c", code], tmp_path).splitlines():
        assert Path(line).exists()
        assert Path(line).is_relative_to(installed.parent)


def test_an_example_is_laid_down_and_runs(
    installed: Path, tmp_path: Path, own_images: dict[str, str]
) -> None:
    assert own_images
    assert _run([installed / "lab", "--version"], tmp_path) == f"lab {__version__}\n"
    assert "multi_client" in _run([installed / "lab", "examples"], tmp_path)
    made = json.loads(_run([installed / "lab", "init", "--from", "hello", "--json"], tmp_path))
    played = _run([installed / "lab", "run", made["scenario"]], tmp_path)
    assert "pass" in played
    (record,) = (tmp_path / "runs").iterdir()
    assert json.loads((record / "verdict.json").read_text())["outcome"] == "pass"


def _run(words: list[str | Path], folder: Path) -> str:
    """What a command printed; it must succeed. The environment of the tests' own Python is left out."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
