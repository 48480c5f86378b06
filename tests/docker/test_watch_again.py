"""lab watch: what people do in a lab that stays up is drawn, and nothing is left of the watching."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab.core.errors import ExitCode
from lab.deploy.labs import Lab, all_labs
from lab.engine import Engine
from lab.engine.containers import ours, remove
from tests.docker.proxy import settled
from tests.docker.stage import PATIENCE, Stage, drawn

pytestmark = pytest.mark.alone  # what is watched goes on by itself, ten times a second

SCENARIO = """
version: 1
title: Ticking
networks: {lan: 10.9.8.0/24}
hosts:
  server: {address: 10.9.8.1, capture: [lo]}
  client: 10.9.8.2
programs:
  tick: {source: tick.py, listens: 7000}
  hear: {command: /opt/tcp-lab/busybox nc 10.9.8.1 7000}
steps:
- server: {start: tick}
- client: {start: hear}
- client: {expect: tick}
checks:
- connection: {from: client, to: "server:7000"}
  handshake: complete
"""
TICK = """
import socket, time
server = socket.create_server(("", 7000))
while True:
    connection, _ = server.accept()
    with connection:
        try:
            while True:
                connection.sendall(b"tick\\n")
                time.sleep(0.1)
        except OSError:
            pass
"""
SPEAK = "import socket; u = socket.socket(socket.AF_INET{}, socket.SOCK_DGRAM); u.sendto({!r}, ({!r}, 9000))"


class Playground:
    """A lab that is up."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.file = stage.lay(SCENARIO, {"tick.py": TICK})
        assert stage.lab("up", self.file).returncode == ExitCode.PASSED

    @property
    def lab(self) -> Lab:
        (lab,) = (one for one in all_labs(self.stage.engine, time.time()) if one.file == str(self.file))
        return lab

    def watch(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """A watching that has begun."""
        watch = self.stage.popen("watch", *words, COLUMNS="110", **env)
        assert watch.stderr is not None
        assert "watching" in watch.stderr.readline()
        return watch

    def run(self, host: str, *words: str) -> None:
        self.stage.lab("exec", "--lab", self.lab.run_id, host, *words)

    def captures(self) -> list[str]:
        """The captures that go on in the sidecar and write to somebody."""
        (sidecar,) = (one for one in self.lab.others if one.labels.role == "sidecar")
        return captures_in(self.stage.engine, sidecar.id)


def captures_in(engine: Engine, container: str) -> list[str]:
    rows = engine.client.top(container, "-eo pid,args")["Processes"]
    return [" ".join(row) for row in rows if "tcpdump" in row[-1] and "-w - " in row[-1]]


@pytest.fixture
def playground(stage: Stage) -> Iterator[Playground]:
    try:
        yield Playground(stage)
    finally:
        file = str(stage.folder / "play.yaml")
        remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.file == file])


def test_what_is_sent_from_now_on_is_drawn(playground: Playground) -> None:
    watch = playground.watch()
    seen = drawn(watch, "connection 1: client:", "PSH,ACK", "len=5")
    assert "10.9.8.1" in seen, "the hosts stand above"
    assert "SYN" not in seen, "it began before"
    playground.run("client", "python3", "-c", SPEAK.format("", b"\x1b[2J\n", "10.9.8.1"))
    seen = drawn(watch, "UDP :9000 len=5 1b 5b 32 4a 0a", "ICMP destination-unreachable about :9000")
    playground.run("client", "/opt/tcp-lab/busybox", "nc", "-w", "1", "10.9.8.1", "7001")
    seen += drawn(watch, "connection 2: client:", "SYN seq=0", "SYN_SENT", "RST,ACK")
    playground.run("server", "/opt/tcp-lab/busybox", "nc", "-w", "1", "127.0.0.1", "7002")
    seen += drawn(watch, "connection 3: server:", "SYN_SENT", "7002")
    assert "\x1b" not in seen
    assert len(playground.captures()) == 4, "of the switch and of a loopback, each beside what ends it"
    watch.send_signal(signal.SIGINT)
    _, rest = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, rest) == (ExitCode.PASSED, "")
    settled(lambda: not playground.captures())
    playground.run("client", "true")
    assert playground.lab.hosts, "it stays up"


def test_however_it_ends_nothing_is_left(playground: Playground) -> None:
    by_id = playground.lab.run_id[:6]
    for number in (signal.SIGTERM, signal.SIGKILL):
        with playground.watch(by_id) as watch:
            drawn(watch, "len=5")
            assert playground.captures()
            watch.send_signal(number)
            assert watch.wait(PATIENCE) == (0 if number == signal.SIGTERM else -number)
        settled(lambda: not playground.captures())
    with playground.watch(LAB_RUN=playground.lab.run_id) as watch:
        assert watch.stdout is not None
        drawn(watch, "len=5")
        watch.stdout.close()
        assert watch.wait(PATIENCE) == ExitCode.PASSED, "a reader that goes away ends it"
        assert watch.stderr is not None
        assert watch.stderr.read() == ""
    settled(lambda: not playground.captures())


def test_a_lab_that_goes_ends_it(playground: Playground) -> None:
    watch = playground.watch()
    drawn(watch, "len=5")
    assert playground.stage.lab("down", "--lab", playground.lab.run_id).returncode == ExitCode.PASSED
    _, rest = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, "the lab has gone" in rest) == (ExitCode.PASSED, True), rest


def test_a_capture_that_ends_alone_is_no_lab_that_goes(playground: Playground) -> None:
    watch = playground.watch()
    (sidecar,) = (one for one in playground.lab.others if one.labels.role == "sidecar")
    kill = "import os, signal, sys; [os.kill(int(p), signal.SIGKILL) for p in sys.argv[1:]]"
    pids = [one.split()[0] for one in playground.captures() if "agent.until" not in one]
    made = playground.stage.engine.client.exec_create(sidecar.id, ["python3", "-c", kill, *pids])
    playground.stage.engine.client.exec_start(made["Id"])
    _, rest = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, "capture" in rest) == (ExitCode.INCONCLUSIVE, True), rest
    assert "gone" not in rest
