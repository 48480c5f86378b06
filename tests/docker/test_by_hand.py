"""A lab that is up: what is sent by hand is captured, live and in the record."""

from __future__ import annotations

import io
import signal
import subprocess
import time
from pathlib import Path

from lab.core.errors import ExitCode
from lab.deploy.labs import all_labs
from lab.engine.containers import ours, remove
from lab.wire.packets.files import records
from lab.wire.packets.problems import Problems
from tests.docker.stage import PATIENCE, Stage, command, environment

SCENARIO = """
version: 1
title: By hand
networks: {lan: 10.9.8.0/24}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
programs:
  serve: {command: /opt/tcp-lab/busybox nc -ll -p 7000 -e /bin/cat, listens: 7000}
steps:
- server: {start: serve}
checks:
- listener: {host: server, port: 7000}
"""
SAY = "echo {} | /opt/tcp-lab/busybox nc -w 1 {} 7000"


def _capturing(stage: Stage, target: Path, *words: str) -> subprocess.Popen[str]:
    """A capture that has begun."""
    with target.open("wb") as out:
        lab = subprocess.Popen(
            command("capture", *words), cwd=stage.folder, env=environment(), stdout=out,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert lab.stderr is not None
    assert "capturing" in lab.stderr.readline()
    return lab


def _until_it_holds(target: Path, *texts: bytes) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all(text in target.read_bytes() for text in texts):
        assert time.monotonic() < deadline, texts
        time.sleep(0.02)


def _frames(target: Path, text: bytes) -> int:
    """How many frames hold a text; the file must be whole."""
    problems = Problems()
    found = [data[a:b] for _, _, data, a, b, *_ in records(io.BytesIO(target.read_bytes()), problems)]
    assert problems.found() == ()
    return sum(text in frame for frame in found)


def test_what_is_sent_by_hand(stage: Stage) -> None:
    file = stage.lay(SCENARIO)
    try:
        assert stage.lab("up", file).returncode == ExitCode.PASSED
        (lab,) = (one for one in all_labs(stage.engine, time.time()) if one.file == str(file))
        switch, server = stage.folder / "switch.pcapng", stage.folder / "server.pcapng"
        captures = [_capturing(stage, switch, "--lab", lab.run_id)]
        captures.append(_capturing(stage, server, "server", "--lab", lab.run_id))
        words = "sh", "-c", SAY.format("by-hand-1", "10.9.8.1")
        assert stage.lab("exec", "--lab", lab.run_id, "client", *words).stdout == "by-hand-1\n"
        words = "sh", "-c", SAY.format("at-home", "127.0.0.1")
        assert stage.lab("exec", "--lab", lab.run_id, "server", *words).stdout == "at-home\n"
        _until_it_holds(switch, b"by-hand-1")
        _until_it_holds(server, b"by-hand-1", b"at-home")
        for capture in captures:
            capture.send_signal(signal.SIGINT)
            assert capture.wait(PATIENCE) == ExitCode.PASSED
            assert capture.stderr is not None
            assert capture.stderr.read() == ""
            capture.stderr.close()
        assert _frames(switch, b"by-hand-1") == 2, "there and back, each once"
        assert _frames(switch, b"at-home") == 0
        assert (_frames(server, b"by-hand-1"), _frames(server, b"at-home")) == (2, 2)

        with stage.popen("capture", "--lab", lab.run_id) as read:
            assert read.stderr is not None
            assert "capturing" in read.stderr.readline()
            assert read.stdout is not None
            read.stdout.close()
            assert read.wait(PATIENCE) == ExitCode.PASSED, "a reader that goes away ends it"
            assert read.stderr.read() == ""

        whoever = _capturing(stage, Path("/dev/null"), "--lab", lab.run_id)
        record = Path(lab.record)
        assert stage.lab("wireshark", record).returncode == ExitCode.PASSED
        assert _frames(record / "lab.pcapng", b"by-hand-1") == 2
        words = "sh", "-c", SAY.format("by-hand-2", "10.9.8.1")
        stage.lab("exec", "--lab", lab.run_id, "client", *words)
        assert stage.lab("down", "--lab", lab.run_id).returncode == ExitCode.PASSED
        assert whoever.wait(PATIENCE) == ExitCode.PASSED
        assert whoever.stderr is not None
        assert "the lab has gone" in whoever.stderr.read()
        whoever.stderr.close()
        assert stage.lab("wireshark", record).returncode == ExitCode.PASSED
        assert (
            _frames(record / "lab.pcapng", b"by-hand-1"),
            _frames(record / "lab.pcapng", b"by-hand-2"),
        ) == (2, 2)
        assert stage.lab("check", record).returncode == ExitCode.PASSED
    finally:
        remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.file == str(file)])
