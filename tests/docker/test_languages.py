"""The images of languages: each is built once, and an echo pair plays in it; wrong ones are seen to fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.core.assets import LANGUAGE_IMAGES
from lab.core.errors import ExitCode
from lab.engine import Engine, images
from tests.docker.stage import CHECKOUT, SLOW_LANGUAGES, Stage, skip_if_slow

SCENARIOS = CHECKOUT / "scenarios"
WRONG = {
    "go": ("server/main.go", "io.Copy(client, client)", "io.Copy(client, io.LimitReader(client, 9))"),
    "java": ("echo/Server.java", "write(buffer, 0, size)", "write(buffer, 0, size - 1)"),
    "node": (
        "server.js",
        "client.pipe(client)",
        'client.on("data", (data) => client.write(data.subarray(1)))',
    ),
    "rust": ("src/bin/server.rs", "&buffer[..size]", "&buffer[..size - 1]"),
}
"""A file of each pair, and what is changed in it so that not all comes back."""

UNBUILDABLE = {"go": "syntax error", "java": "Server.java:", "rust": "error: expected"}
"""What the compilers say of a line that is in no language."""


@pytest.fixture(params=sorted(LANGUAGE_IMAGES))
def language(request: pytest.FixtureRequest, engine: Engine) -> str:
    """A language whose image is there."""
    found = str(request.param)
    skip_if_slow(engine, found)
    quick = [image for name, image in LANGUAGE_IMAGES.items() if name not in SLOW_LANGUAGES]
    images.ensure(engine, quick, print)
    return found


def test_an_echo_pair(stage: Stage, language: str) -> None:
    scenario = SCENARIOS / f"echo_{language}.yaml"
    done = stage.lab("run", scenario)
    assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr
    server = copied(stage, language)
    file, right, wrong = WRONG[language]
    source = (server / file).read_text()
    assert source.count(right) == 1
    (server / file).write_text(source.replace(right, wrong))
    done = stage.lab("run", scenario, "--program", f"server={server}")
    assert done.returncode == ExitCode.FAILED
    assert "conversation" in done.stdout
    if language in UNBUILDABLE:
        (server / file).write_text(f"{source}\nthis is no program\n")
        done = stage.lab("run", scenario, "--program", f"server={server}")
        assert done.returncode == ExitCode.FAILED
        assert "nothing was built" in done.stdout
        assert UNBUILDABLE[language] in done.stdout


def copied(stage: Stage, language: str) -> Path:
    return Path(shutil.copytree(SCENARIOS / "programs/echo" / language, stage.folder / language))
