"""Segments kept back at the switch: in IPv6, on a host with two networks, told in the record, in a kept lab."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.core.errors import ExitCode
from lab.deploy.labs import Lab, all_labs
from lab.engine.containers import ours, remove
from lab.output.ladder import as_text, segments_of, story
from lab.output.style import Style
from lab.run.pipeline import Finished
from tests.docker.stage import PATIENCE, Stage, assert_passed, results

SERVER = """
import socket, threading
def serve(end):
    with end:
        while end.recv(100):
            pass
listener = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]]).start()
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000)):
    print('connected', flush=True)
    sys.stdin.readline()
"""
FILES = {"server.py": SERVER, "client.py": CLIENT}


def drawn(finished: Finished) -> str:
    """The ladder of a run."""
    evidence = finished.evidence
    segments = {one.path: segments_of(finished.record, one) for one in evidence.info.captures}
    return "\n".join(as_text(story(evidence, segments, finished.verdict), evidence, Style(width=140)))


TWO_NETWORKS = """version: 1
title: A host with two networks, one of them IPv6
networks: {left: 10.9.7.0/24, right: {subnet: 10.9.8.0/24, ipv6: "fd00:9:8::/64"}}
hosts:
  server: {addresses: {left: 10.9.7.1, right: [10.9.8.1, "fd00:9:8::1"]}}
  a: 10.9.7.2
  b: {addresses: {right: [10.9.8.2, "fd00:9:8::2"]}}
programs:
  server: {source: server.py, listens: 7000}
  client: {source: client.py}
steps:
- server: {start: server}
- a: {start: client, args: [10.9.7.1]}
- a: {expect: connected}
- b: {start: client, args: ["fd00:9:8::1"]}
- b: {expect: connected}
- server: {hold: fin, to: b}
- a: {send: bye}
- a: {wait: {state: TIME_WAIT, peer: server}}
- b: {send: bye}
- server: {wait: {state: LAST_ACK, peer: b}}
- server: {quiet: 2s}
- server: {release: fin}
checks:
- {name: free, connection: {from: a, to: "server:7000"}, close: {kind: orderly, active: a}}
- {name: held, connection: {from: b, to: "server:7000"}, close: {kind: orderly, active: b},
   states: {server: [SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED]}}
- {name: kernel, state: {host: server, state: LAST_ACK, peer: b}}
- {name: soon, close_wait: {host: server, dwell: {max: 1900ms}}}
"""


def test_one_of_two_networks_is_held_and_it_is_ipv6(stage: Stage) -> None:
    finished = stage.play(TWO_NETWORKS, FILES)
    assert_passed(finished)
    held = [one for one in finished.evidence.info.held if one.flags & 1]
    assert {(one.host, one.step, one.target) for one in held} == {("server", "6", "fd00:9:8::2")}
    assert all(one.until - one.at > 1_900_000_000 for one in finished.evidence.info.held[:1])
    fins = [
        line for line in drawn(finished).splitlines() if "FIN" in line and "held by step 6 until +" in line
    ]
    assert len(fins) == len(held)
    assert results(finished)["kernel"].evidence[0].startswith("the kernel of server shows LAST_ACK")


NEVER_RELEASED = """version: 1
title: A FIN that nobody releases
networks: {lan: 10.9.7.0/24}
hosts: {server: 10.9.7.1, a: 10.9.7.2}
programs:
  server: {source: server.py, listens: 7000}
  client: {source: client.py}
  ask: {command: /opt/tcp-lab/busybox nc 10.9.7.1 7000}
steps:
- server: {start: server}
- a: {start: client, args: [10.9.7.1]}
- a: {expect: connected}
- a: {hold: fin}
- a: {send: bye}
- a: {wait: {state: FIN_WAIT_1}}
- a: {quiet: %s}
checks:
- {name: orderly, connection: {from: a, to: "server:7000"}, close: {kind: orderly, active: a}, rst: none}
- {name: closes, close_wait: {host: server, dwell: {max: 1900ms}, left: true}}
"""


def test_what_is_never_released_goes_on_when_the_script_ends(stage: Stage) -> None:
    finished = stage.play(NEVER_RELEASED % "2s", FILES)
    assert_passed(finished)
    first, *_ = finished.evidence.info.held
    assert (first.host, first.step) == ("a", "4")
    assert first.until - first.at > 1_900_000_000


def _lab(stage: Stage) -> Lab:
    """The one that was laid here."""
    (lab,) = (
        lab for lab in all_labs(stage.engine, time.time()) if lab.file == str(stage.folder / "play.yaml")
    )
    return lab


def _left(stage: Stage) -> list[str]:
    """The containers of the lab that was laid here."""
    file = str(stage.folder / "play.yaml")
    return [one.id for one in ours(stage.engine) if one.labels.file == file]


@contextmanager
def _nothing_left(stage: Stage) -> Iterator[None]:
    try:
        yield
    finally:
        remove(stage.engine, _left(stage))


ASK = ("a", "--", "/opt/tcp-lab/busybox", "nc", "-w", "1", "10.9.7.1", "7001")
ANSWER = ("server", "--", "/opt/tcp-lab/busybox", "sh", "-c",
          "/opt/tcp-lab/busybox nc -ll -p 7001 -e /opt/tcp-lab/busybox echo hello >/dev/null 2>&1 & sleep 0.5")  # fmt: skip


def test_a_lab_that_stays_up_holds_nothing_and_can_be_taken_down(stage: Stage) -> None:
    file = stage.lay(NEVER_RELEASED % "100ms", FILES)
    with _nothing_left(stage):
        done = stage.lab("up", file)
        assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr
        run = _lab(stage).run_id
        assert stage.lab("exec", "--lab", run, *ANSWER).returncode == 0
        assert stage.lab("exec", "--lab", run, *ASK).stdout == "hello\n", "its cable is still passed on"
        assert stage.lab("down", "--lab", run).returncode == ExitCode.PASSED
        assert not _left(stage)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_lab_is_taken_down_while_a_segment_is_held(stage: Stage, number: signal.Signals) -> None:
    file = stage.lay(NEVER_RELEASED % "60s", FILES)
    with _nothing_left(stage), stage.popen("up", "-v", file) as lab:
        assert lab.stderr is not None
        assert any("FIN_WAIT_1" in line for line in lab.stderr)
        assert _left(stage)
        lab.send_signal(number)
        _, rest = lab.communicate(timeout=PATIENCE)
        assert lab.returncode in {ExitCode.INTERRUPTED, -number}, rest
        assert "Traceback" not in rest
        deadline = time.monotonic() + PATIENCE
        while _left(stage) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _left(stage)
