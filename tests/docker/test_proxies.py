"""The proxies of the user's Docker configuration: for builds of images, and for nothing else."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from lab.core.archive import archive
from lab.engine import connect
from lab.engine.image import Build, build, remove
from tests.docker.stage import Stage, one_host


@pytest.fixture
def proxied(tmp_path: Path) -> Path:
    """A Docker configuration with a proxy and its password."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    proxies = {"httpProxy": PROXY, "httpsProxy": PROXY, "ftpProxy": PROXY, "noProxy": "intranet.example"}
    (folder / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    return folder


PROXY = "http://ada:hush-hush@proxy.example:3128"


def test_the_proxies_of_dockers_configuration_reach_neither_hosts_nor_records(
    stage: Stage, proxied: Path
) -> None:
    """A host has the environment that its image and the file give it."""
    steps = '- a: {start: p}\n- a: {expect: {text: "that is all"}}\n- a: {run: "env; cat /proc/1/environ"}'
    program = '{source: p.sh, build: "env >&2; env > built", run: "sh p.sh"}'
    file = stage.lay(one_host(steps, program, checks="- exit: {host: a, program: p, status: 0}"),
                     {"p.sh": f"env; cat built; : {time.time_ns()}; echo that is all"})  # fmt: skip
    said = stage.lab("run", "-v", file, DOCKER_CONFIG=str(proxied))
    assert said.returncode == 0, said.stderr
    for record in (stage.folder / "runs").rglob("*.*"):
        if record.is_file():
            text = record.read_bytes()
            assert b"hush-hush" not in text, record
            assert not re.search(rb"(?i)[a-z]+_proxy=", text), record


def test_builds_of_images_have_them(
    own_images: dict[str, str], proxied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_images
    monkeypatch.setenv("DOCKER_CONFIG", str(proxied))
    dockerfile = f'FROM tcp-lab/host\nRUN test "$http_proxy" = "{PROXY}"\n'
    name = f"tcp-lab-test-{time.time_ns()}"
    with connect() as fresh:
        build(
            fresh, Build(name, archive((("Dockerfile", dockerfile.encode()),)), "Dockerfile", {}, {}), print
        )
        remove(fresh, name)
