"""lab up --watch: what goes on in a lab is drawn while it goes on, in the script and after it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from lab.core.errors import ExitCode
from lab.deploy.labs import Lab, all_labs
from lab.engine.containers import ours, remove
from tests.docker.stage import PATIENCE, Stage, drawn

SCENARIO = """
version: 1
title: SocketMonitor
networks: {lan: 10.9.8.0/24}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
programs:
  serve: {command: /opt/tcp-lab/busybox nc -ll -p 7000 -e /opt/tcp-lab/busybox echo hello, listens: 7000}
  ask: {command: /opt/tcp-lab/busybox nc 10.9.8.1 7000}
steps:
- server: {start: serve}
- client: {start: ask}
- client: {expect: {line: hello}}
- client: {connect: "udp:server:9000", as: u}
- client.u: {type: anybody?}
- client: {quiet: 4s}
checks:
- connection: {from: client, to: "server:7000"}
  handshake: complete
"""
LATE = """
version: 1
title: A connection that waits to be accepted
networks: {lan: 10.9.8.0/24}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
programs: {late: {source: late.py, listens: 7000}}
steps:
- server: {start: late}
- client: {connect: "server:7000", as: c}
- server: {quiet: 1s}
- server: {send: accept}
- server: {expect: {line: accepted}}
- server: {quiet: 2s}
checks:
- connection: {from: client, to: "server:7000"}
  handshake: complete
"""
ACCEPTS_LATE = """import socket
listener = socket.create_server(("", 7000))
input()
connection, _ = listener.accept()
print("accepted", flush=True)
input()
"""
ASK = ("client", "--", "/opt/tcp-lab/busybox", "nc", "-w", "1", "10.9.8.1", "7000")


@contextmanager
def _watched(
    stage: Stage, text: str = SCENARIO, files: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A lab that is watched; it is taken down by force where the test did not do it."""
    file = stage.lay(text, files)
    lab = stage.popen("up", file, "--watch", COLUMNS="100")
    try:
        yield lab
    finally:
        with suppress(ProcessLookupError):
            lab.kill()
        lab.communicate(timeout=PATIENCE)
        remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.file == str(file)])


def _lab(stage: Stage) -> Lab:
    """The one that was laid here."""
    (lab,) = (
        lab for lab in all_labs(stage.engine, time.time()) if lab.file == str(stage.folder / "play.yaml")
    )
    return lab


def _until_said(lab: subprocess.Popen[str], words: str) -> None:
    assert lab.stderr is not None
    assert any(words in line for line in lab.stderr)


def test_the_script_and_then_what_people_do(stage: Stage) -> None:
    with _watched(stage) as lab:
        drawn(lab, "10.9.8.1", "10.9.8.2")
        drawn(lab, "SYN seq=0", "SYN_SENT")
        drawn(lab, 'UDP :9000 len=8 "anybody?"')
        drawn(lab, "ICMP destination-unreachable about :9000")
        assert not list((stage.folder / "runs").rglob("verdict.json")), (
            "it is drawn while the script is played"
        )
        _until_said(lab, "the script has ended: pass")
        (verdict,) = (stage.folder / "runs").rglob("verdict.json")
        judged = (verdict.parent / "capture.pcap").read_bytes()
        run = _lab(stage).run_id
        assert stage.lab("exec", "--lab", run, *ASK).stdout == "hello\n"
        drawn(lab, "connection 2", "server:7000")
        drawn(lab, "SYN,ACK seq=0 ack=1", "SYN_RECEIVED", "ESTABLISHED")
        drawn(lab, "FIN_WAIT_1")
        lab.send_signal(signal.SIGINT)
        table, rest = lab.communicate(timeout=PATIENCE)
        assert (lab.returncode, "2 of 2 checks passed" in table) == (ExitCode.PASSED, True), rest
        assert (verdict.parent / "capture.pcap").read_bytes() == judged, "what people did is not judged"
        assert len(_lab(stage).hosts) == 2
        assert stage.lab("exec", "--lab", run, *ASK).stdout == "hello\n"
        assert stage.lab("down", "--lab", run).returncode == ExitCode.PASSED


def test_who_waits_to_be_accepted_is_drawn_meanwhile(stage: Stage) -> None:
    with _watched(stage, LATE, {"late.py": ACCEPTS_LATE}) as lab:
        drawn(lab, "queued, not accepted")
        assert "not accepted" not in drawn(lab, "accepted")
        assert not list((stage.folder / "runs").rglob("verdict.json"))
        lab.send_signal(signal.SIGINT)
        lab.communicate(timeout=PATIENCE)


def test_a_lab_that_goes_away_ends_the_watching(stage: Stage) -> None:
    with _watched(stage) as lab:
        _until_said(lab, "the script has ended")
        (sidecar,) = (one for one in _lab(stage).others if one.labels.role == "sidecar")
        remove(stage.engine, [sidecar.id])
        told, rest = lab.communicate(timeout=PATIENCE)
        assert lab.returncode == ExitCode.PASSED, rest
        assert "the lab has gone: the lab's sidecar has ended" in told
        assert "Traceback" not in rest
        assert not [one for one in ours(stage.engine) if one.labels.file == str(stage.folder / "play.yaml")]


def test_an_interrupt_in_the_script_leaves_nothing(stage: Stage) -> None:
    with _watched(stage) as lab:
        drawn(lab, "SYN seq=0")
        lab.send_signal(signal.SIGINT)
        _, rest = lab.communicate(timeout=PATIENCE)
        assert lab.returncode in (ExitCode.INTERRUPTED, -signal.SIGINT), rest
        assert not [one for one in ours(stage.engine) if one.labels.file == str(stage.folder / "play.yaml")]
