"""The scenarios of this project pass, from the command line on; and a record is judged again.

That wrong programs in them fail for the right reason is seen in tests/docker/test_claims.py.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.core.assets import LANGUAGE_IMAGES
from lab.core.errors import ExitCode
from tests.docker.stage import CHECKOUT, Stage

SCENARIOS = CHECKOUT / "scenarios"
ELSEWHERE = {f"echo_{language}" for language in LANGUAGE_IMAGES}
"""Those that need images of their own are played in tests/docker/test_languages.py."""

FILES = [
    *(file for file in sorted(SCENARIOS.glob("*.yaml")) if file.stem not in ELSEWHERE),
    SCENARIOS / "starter" / "first.yaml",
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_passes(stage: Stage, file: Path) -> None:
    done = stage.lab("run", file)
    assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr


def test_a_record_is_judged_again_byte_for_byte(stage: Stage) -> None:
    text = (SCENARIOS / "basic.yaml").read_text()
    text = text.replace("programs/basic/server.cpp", "programs/wrong/basic_server_wrong_text.cpp")
    shutil.copytree(SCENARIOS / "programs", stage.folder / "programs")
    done = stage.lab("run", stage.lay(text, name="basic.yaml"))
    (record,) = (stage.folder / "runs").iterdir()
    before = (record / "verdict.json").read_bytes()
    again = stage.lab("check", record)
    assert again.returncode == done.returncode == ExitCode.FAILED
    assert done.stdout.startswith(again.stdout.rstrip("\n"))
    told: Any = json.loads(stage.lab("check", "--json", record).stdout)
    assert told["records"][0]["verdict"]["results"] == json.loads(before)["results"]
    assert (record / "verdict.json").read_bytes() == before
