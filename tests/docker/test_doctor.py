"""What keeps a lab from running is found, with its cure; a machine that runs labs is found healthy."""

from __future__ import annotations

import gc
import json
import warnings
from typing import Any

import pytest

from lab.deploy.doctor import SOCKET_MEMORY, Health, examine
from lab.engine import Engine
from lab.engine import machine as engines
from lab.engine.images import SIDECAR
from tests.docker.stage import Stage


@pytest.fixture(autouse=True)
def _this_machine(engine: Engine, own_images: dict[str, str]) -> None:
    """A machine with an engine and the lab's images."""


def test_a_machine_that_runs_labs_is_healthy() -> None:
    findings = examine()
    others = [finding for finding in findings if finding.subject != SOCKET_MEMORY]
    assert [finding for finding in others if finding.health is not Health.GOOD] == []
    assert {"engine", "the kernel has bridges", SIDECAR, SOCKET_MEMORY} <= {
        finding.subject for finding in findings
    }


def test_where_the_engine_does_not_limit_what_sockets_hold_is_told(engine: Engine) -> None:
    version = str(engine.client.info().get("CgroupVersion", "1"))
    told = {finding.subject: finding for finding in examine()}[SOCKET_MEMORY]
    assert f"cgroup v{version}" in told.seen
    assert told.health is (Health.NOTICE if version == "1" else Health.GOOD)


def test_a_kernel_that_lacks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = engines.Features({"veth": "RTNETLINK answers: Operation not supported"}, free=0)
    monkeypatch.setattr(engines, "probe", lambda *_: lacking)
    bad = {finding.subject: finding for finding in examine() if finding.health is Health.PROBLEM}
    assert "not supported" in bad["the kernel has veth pairs"].seen
    assert "modprobe veth" in bad["the kernel has veth pairs"].fix
    assert bad["engine's disk"].seen == "0 MB, 20 MB are needed"


def test_what_a_sidecar_complains_of_is_shown_as_that(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(engine.client), "exec_start", lambda *_, **__: (b"", b"no probe\n"))
    bad = {finding.subject: finding for finding in examine() if finding.health is Health.PROBLEM}
    assert bad["sidecar"].seen == "the sidecar could not try it: no probe"


def test_what_a_sidecar_says_besides_does_not_spoil_what_it_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = type(engine.client).exec_create

    def noisy(client: Any, container: str, words: list[str]) -> Any:
        noise = "import sys; print('{ noise', file=sys.stderr, flush=True); "
        module = "import runpy; runpy.run_module('agent.probe', run_name='__main__')"
        assert words[-2:] == ["-m", "agent.probe"]
        return create(client, container, [*words[:-2], "-c", noise + module])

    quiet = examine()
    monkeypatch.setattr(type(engine.client), "exec_create", noisy)
    assert [(one.subject, one.health) for one in examine()] == [(one.subject, one.health) for one in quiet]


def test_it_prints_one_document(stage: Stage) -> None:
    done = stage.lab("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "engine's disk" in [one["subject"] for one in json.loads(done.stdout)["findings"]]


def test_little_room_is_enough_where_the_images_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = engines.Features({}, free=30 * 10**6)
    monkeypatch.setattr(engines, "probe", lambda *_: found)
    disk = {finding.subject: finding for finding in examine()}["engine's disk"]
    assert (disk.health, disk.seen) == (Health.GOOD, "30 MB")


def test_wrong_use_of_docker_host_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:99999")
    found, *_ = examine()
    assert (found.subject, found.health) == ("engine", Health.PROBLEM)
    assert "tcp://HOST:PORT" in found.fix


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    found, *_ = examine()
    assert (found.subject, found.health) == ("engine", Health.PROBLEM)
    assert "systemctl start docker" in found.fix
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # the engine's library does not close a socket that it could not connect
