"""A run that is ended from outside, at any moment, leaves nothing behind."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, product
from pathlib import Path

import pytest

from lab.core.errors import ExitCode
from lab.deploy.labs import LabStatus, all_labs
from lab.engine.containers import ours, remove
from lab.evidence.transcript import TranscriptEvent
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import played
from lab.scenario.loader import load
from tests.docker.proxy import Fault, Kind, between
from tests.docker.stage import PATIENCE, Hall, Stage

PLAY = """
version: 1
title: Two hosts that are interrupted
networks: {lan: 10.9.8.0/24}
hosts: {a: {address: 10.9.8.1, capture: lo}, b: 10.9.8.2}
programs: {p: {source: p.sh, build: BUILD, run: sh p.sh}}
steps:
- a: {start: p}
- b: {start: p}
- a: {expect: {line: hello}}
- a: {quiet: LONG}
- a: {run: "echo the last"}
timeouts: {step: 40s}
checks:
- exit: {host: a, program: p, running: true}
"""

MOMENTS = {
    "before there is a container": "/images/tcp-lab/host/json",
    "while it builds": "building p",
    "when the sidecar is made": r"/containers/create\?name=tcp-lab-\w+-sidecar",
    "when the sidecar is attached to": "/attach",
    "when the sidecar starts": r"\A(?>.*?/(\w+)/attach).*/\1/start 204",
    "while it is wired": r"/containers/\w+/json 200",
    "when a program starts": r"/containers/\w+/json 200.*/exec 201",
    "in the conversation": "b: start p",
    "while the captures are fetched": "the last",
}
"""What ``lab run -v`` has said by a moment. The sidecar is the first container that is attached to."""

AT_ONCE = 3.0
"""Seconds that a run takes to end when it is interrupted. The engine may be at work with removing a while longer."""

SOON = 25.0
"""Seconds, fewer than any step or program of it would go on for: a busy engine takes some to remove things."""


AS_A_SHELL_SEES_130 = (ExitCode.INTERRUPTED, -signal.SIGINT)
"""Python itself ends by the signal where ^C met it as it was starting or ending."""


def _lay(stage: Stage, moment: str) -> Path:
    # Each is built anew: a build is one of the moments, and how long it takes is no matter.
    build = f"sleep {30 if moment == 'while it builds' else 0}; : {time.time_ns()}"
    long = "50ms" if moment == "while the captures are fetched" else "30s"
    return stage.lay(
        PLAY.replace("BUILD", f'"{build}"').replace("LONG", long), {"p.sh": "echo hello; sleep 60\n"}
    )


def _reach(lab: subprocess.Popen[str], moment: str) -> None:
    """Read what a run says until it comes to a moment."""
    assert lab.stderr is not None
    said = ""
    for line in lab.stderr:
        said += line
        if re.search(MOMENTS[moment], said, re.DOTALL):
            return
    pytest.fail(f"it never came to it: {said}")


def _left(stage: Stage) -> list[str]:
    file = str(stage.folder / "play.yaml")
    return [
        f"{one.labels.role} {one.labels.host} {one.state}"
        for one in ours(stage.engine)
        if one.labels.file == file
    ]


def _wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        *((moment, signal.SIGINT) for moment in MOMENTS),
        *product(["while it builds", "in the conversation"], [signal.SIGTERM, signal.SIGHUP]),
    ],
)
def test_a_signal_leaves_nothing(stage: Stage, moment: str, number: signal.Signals) -> None:
    with stage.popen("run", "-v", _lay(stage, moment)) as lab:
        _reach(lab, moment)
        lab.send_signal(number)
        began = time.monotonic()
        _, rest = lab.communicate(timeout=PATIENCE)
    assert lab.returncode in AS_A_SHELL_SEES_130, rest
    assert rest.endswith("interrupted\n")
    assert time.monotonic() - began < AT_ONCE
    _wait_until(lambda: _left(stage) == [], SOON)


def test_signals_that_come_together_do_not_cut_the_clean_up_short(stage: Stage) -> None:
    with stage.popen("run", "-v", _lay(stage, "in the conversation")) as lab:
        _reach(lab, "in the conversation")
        for _ in range(5):
            lab.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, rest = lab.communicate(timeout=PATIENCE)
    assert lab.returncode in AS_A_SHELL_SEES_130, rest
    assert "Traceback" not in rest
    _wait_until(lambda: _left(stage) == [], SOON)


@pytest.mark.alone  # the next run of anybody removes the rest
@pytest.mark.parametrize("moment", ["when the sidecar starts", "in the conversation"])
def test_a_second_signal_ends_at_once_and_the_next_run_removes_the_rest(stage: Stage, moment: str) -> None:
    """Though the engine hangs in what it was asked to remove, and whatever it is doing."""
    if not stage.engine.address.startswith(("unix://", "http+docker://")):
        pytest.skip("the engine is not behind a socket of this machine")
    faults = Fault("^DELETE ", Kind.HANG), Fault("^GET .*/containers/json", Kind.HANG)
    with between(stage.folder / "s", stage.engine.address) as proxy:
        with stage.popen("run", "-v", _lay(stage, moment), DOCKER_HOST=proxy.address) as lab:
            _reach(lab, moment)
            proxy.faults += faults
            lab.send_signal(signal.SIGINT)
            time.sleep(1)
            assert lab.poll() is None
            lab.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, rest = lab.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < 1
        assert lab.returncode == ExitCode.INTERRUPTED
        assert rest.endswith("interrupted\n")
    assert stage.lab("run", _lay(stage, "while the captures are fetched")).returncode == ExitCode.PASSED
    assert _left(stage) == []


_SETTLING_SECONDS = 20.0
"""How long the engine may take for what it had been asked for when its client went."""


class _Wire:
    """A stand-in for the engine's socket that hands everything on, until it is cut."""

    def __init__(self, here: Path, engine: str) -> None:
        self._engine = engine
        self._door = socket.socket(socket.AF_UNIX)
        self._clients: list[socket.socket] = []
        self._ends = [self._door]
        self._threads: list[threading.Thread] = []
        self._door.bind(str(here))
        self._door.listen(64)
        self._usher = threading.Thread(target=self._serve, daemon=True)
        self._usher.start()

    def cut(self) -> None:
        """Whoever listens hears nothing more, whoever asks is refused."""
        for end in [self._door, *self._clients]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def settle(self) -> None:
        """Cut it, and wait until the engine is done with all that it had been asked for.

        A container whose client has gone is made all the same, be it seconds later: only then can it be
        seen, and removed.
        """
        self.cut()
        self._join(_SETTLING_SECONDS)
        # What is left is attached to a container that was never started: that alone does not end by itself.
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        for end in self._ends:
            end.close()

    def _join(self, seconds: float) -> None:
        """Wait until everything is handed on, so long at the most."""
        until = time.monotonic() + seconds
        for thread in chain([self._usher], self._threads):
            thread.join(max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._engine)
                self._clients.append(client)
                self._ends += [client, server]
                self._threads += [_hand_on(client, server), _hand_on(server, client)]


def _hand_on(source: socket.socket, sink: socket.socket) -> threading.Thread:
    """Hand on what a source sends until it ends; a sink that takes no more keeps nothing back."""

    def run() -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with contextlib.suppress(OSError):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def wire(stage: Stage) -> Iterator[tuple[_Wire, str]]:
    """A way to the engine that can be cut, and its address."""
    if not stage.engine.address.startswith(("unix://", "http+docker://")):
        pytest.skip("the engine is not behind a socket of this machine")
    here = stage.folder / "s"
    found = _Wire(here, stage.engine.address.removeprefix("unix://"))
    yield found, f"unix://{here}"
    found.settle()


@pytest.mark.parametrize(
    ("moment", "how"),
    [
        *product(["in the conversation", "while it is wired"], ["wipe"]),
        ("when the sidecar starts", "wipe"),
        # Alone, or the next run of another test removes it.
        pytest.param("when the sidecar starts", "run", marks=pytest.mark.alone),
        pytest.param("when the sidecar starts", "up", marks=pytest.mark.alone),
    ],
)
def test_after_kill_nothing_runs_on_and_the_rest_is_removed(
    stage: Stage, wire: tuple[_Wire, str], moment: str, how: str
) -> None:
    connection, address = wire
    with stage.popen("run", "-v", _lay(stage, moment), DOCKER_HOST=address) as lab:
        _reach(lab, moment)
        lab.kill()
        lab.communicate(timeout=PATIENCE)
    connection.settle()
    if moment == "in the conversation":
        _wait_until(lambda: _left(stage) == [])
    if how == "wipe":
        _wipe(stage)
    else:
        _play_and_keep_what_is_kept(stage, how)
    assert _left(stage) == []


def _play_and_keep_what_is_kept(stage: Stage, how: str) -> None:
    """Play it once more; what `lab up` then keeps, no run removes."""
    file = _lay(stage, "while the captures are fetched")
    assert stage.lab(how, file).returncode == ExitCode.PASSED
    if how == "up":
        (kept,) = (lab for lab in all_labs(stage.engine, time.time()) if lab.file == str(file))
        assert kept.standing is LabStatus.UP
        assert stage.lab("run", file).returncode == ExitCode.PASSED
        assert "removed" in stage.lab("down", "--lab", kept.run_id).stdout


def _wipe(stage: Stage) -> None:
    """Remove what `lab wipe` would, of this stage only: whoever runs the tests may have labs up.

    The engine may still be at work for a process that has gone.
    """

    def wiped() -> bool:
        file = str(stage.folder / "play.yaml")
        labs = [lab for lab in all_labs(stage.engine, time.time()) if lab.file == file]
        assert all(lab.abandoned for lab in labs)
        remove(stage.engine, [container.id for lab in labs for container in lab.containers])
        return not labs

    _wait_until(wiped)


class _Clumsy(Hall):
    """A listener with a mistake."""

    def event(self, event: TranscriptEvent) -> None:
        self.said.append(str(event.at))
        if len(self.said) > 3:
            raise RuntimeError("of its own")


def test_an_exception_leaves_nothing(stage: Stage) -> None:
    file, options = _lay(stage, "in the conversation"), Options(records=stage.folder / "runs")
    with (
        pytest.raises(RuntimeError, match="of its own"),
        Interruption() as signals,
        played(stage.engine, load(file), options, _Clumsy(), signals),
    ):
        pass
    assert _left(stage) == []


@pytest.mark.parametrize("whole", [PLAY.replace("lan: 10", "lan: 999"), ""])
def test_a_file_that_cannot_be_used_starts_nothing(stage: Stage, whole: str) -> None:
    good = stage.lay(_lay(stage, "in the conversation").read_text(), name="good.yaml")
    said = stage.lab("run", "-v", good, stage.lay(whole))
    assert said.returncode == ExitCode.USAGE
    assert "play.yaml" in said.stderr
    assert "/containers/create" not in said.stderr
    assert not (stage.folder / "runs").exists()


@pytest.mark.parametrize(
    "moment",
    [
        "before there is a container",
        "while it builds",
        "when the sidecar starts",
        "while it is wired",
        "in the conversation",
        "while the captures are fetched",
    ],
)
def test_an_engine_that_goes_away_is_told_and_leaves_nothing(
    stage: Stage, wire: tuple[_Wire, str], moment: str
) -> None:
    connection, address = wire
    with stage.popen("run", "-v", _lay(stage, moment), DOCKER_HOST=address) as lab:
        _reach(lab, moment)
        connection.cut()
        began = time.monotonic()
        _, rest = lab.communicate(timeout=PATIENCE)
    assert lab.returncode == ExitCode.INCONCLUSIVE, rest
    assert "error[" in rest
    assert "Traceback" not in rest
    assert "exception was never retrieved" not in rest
    assert time.monotonic() - began < SOON
    connection.settle()
    # A build that had begun, and a host that the agent had not been told of, end by their lease; what was only
    # created never ran.
    if moment != "while it is wired":
        _wait_until(lambda: all("created" in one or one.startswith("build ") for one in _left(stage)))
    _wipe(stage)
    assert _left(stage) == []
