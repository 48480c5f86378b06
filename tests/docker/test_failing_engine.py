"""An engine that delays, cuts, corrupts, refuses and hangs: what a run says then, and what it leaves.

Exit code 3 or, where the trouble does not matter, the verdict that the programs deserve; never another one.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from lab.core.errors import EngineError, ExitCode, LabError
from lab.core.words import Outcome
from lab.deploy import deployment as deploy
from lab.deploy import health, removal, sidecar
from lab.engine import client, connect
from lab.engine.containers import Container, create_sidecar, first_process, ours, remove
from lab.engine.images import SIDECAR
from lab.engine.labels import Labels, Owner
from tests.docker.proxy import Fault, Kind, Proxy, between, settled
from tests.docker.stage import Stage, socket_of

pytestmark = [
    # The engine's library does not close a connection that breaks.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAY = """
version: 1
title: A conversation by way of a bad engine
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1, b: 10.9.8.2}
programs: {p: p.py, q: {command: cat, tty: false}}
steps:
- a: {start: p}
- a: {expect: {line: A}}
- a: {quiet: 600ms}
- b: {start: q}
- b: {quiet: BEFORE}
- b: {send: hello}
- b: {expect: {line: hello}}
timeouts: {step: STEP, scenario: 30s}
checks:
- output: {host: a, program: p, lines: {BAD: 0}}
- exit: {host: b, program: q, running: true}
"""
RIGHT = "import time\nprint('A', flush=True)\ntime.sleep(600)\n"
WRONG = "import time\nprint('A', flush=True)\ntime.sleep(0.5)\nprint('BAD', flush=True)\ntime.sleep(600)\n"
HANGING = 40.0
"""Seconds after which a run counts as hanging: the bounds are made short, but the machine may be busy."""

GONE = 90.0
"""Seconds within which a busy engine has removed what there was."""

CREATE, ATTACH, START = "POST .*/containers/create", "POST .*/attach", "POST .*/containers/[^/]+/start$"
EXEC, EXEC_START, EXEC_STATE = "POST .*/exec$", "POST .*/exec/[^/]+/start$", "GET .*/exec/[^/]+/json$"
EVENTS, REMOVE = "GET .*/events", "DELETE "
MADE_AGAIN = ("GET /version", "GET .*/images/", CREATE, START, "GET .*/containers/", EXEC, EXEC_STATE, REMOVE)
"""Requests that are made once more where the first was in vain."""

_CODES = {Outcome.PASS: ExitCode.PASSED, Outcome.FAIL: ExitCode.FAILED}


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, and the error that ended it, in words."""

    code: ExitCode
    error: str = ""
    what: str = ""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not answer is given up soon."""
    for module, name, seconds in (
        (health, "SILENCE_SECONDS", 1.5),
        (health, "CALL_SECONDS", 1.5),
        (sidecar, "ANSWER_SECONDS", 6.0),  # a silent engine is told first, as with the real bounds
        (client, "_NO_WORK_SECONDS", 2),
        (deploy, "UP_SECONDS_A_HOST", 0.0),
        (removal, "_PING_SECONDS", 1.0),
        (removal, "_UNDER_WAY_SECONDS", 0.5),
    ):
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture(autouse=True, scope="module")
def _no_litter() -> Iterator[None]:
    """Connections that broke are let go here, not in a test of another module."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


def play_with(step: str = "4s", before: str = "1ms") -> str:
    """The scenario, with so much time for each step, and so much before the second program's input."""
    return PLAY.replace("STEP", step).replace("BEFORE", before)


def left(stage: Stage) -> list[Container]:
    file = str(stage.folder / "play.yaml")
    return [one for one in ours(stage.engine) if one.labels.file == file]


def swept(stage: Stage) -> bool:
    """Remove what this stage's runs left, as the next run would; True when nothing is left."""
    found = left(stage)
    remove(stage.engine, [one.id for one in found])
    return not found


def played(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    *faults: Fault,
    program: str = RIGHT,
    step: str = "4s",
    before: str = "1ms",
    meanwhile: Callable[[Proxy], None] = lambda _: None,
    leaves_nothing: bool = True,
) -> Ended:
    """Play by way of the proxy; assert that nothing is left, now or after the next run has swept."""
    began = time.monotonic()
    with between(stage.folder / "s", socket_of(stage), *faults) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.address)
        threading.Thread(target=meanwhile, args=(proxy,), daemon=True).start()
        ended = _played(stage, play_with(step, before), program)
        assert time.monotonic() - began < HANGING
        if leaves_nothing:
            try:
                settled(lambda: not left(stage), GONE)
            except AssertionError:
                raise AssertionError(f"{left(stage)} stayed after {ended}") from None
    settled(lambda: swept(stage), GONE)
    return ended


def _played(stage: Stage, play: str, program: str) -> Ended:
    try:
        with connect() as engine:
            finished = Stage(stage.folder, engine).play(play, {"p.py": program})
    except LabError as error:
        return Ended(error.exit_code, error.code, error.what)
    return Ended(_CODES.get(finished.verdict.outcome, ExitCode.INCONCLUSIVE))


# --- each endpoint -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.CUT, Kind.CUT_AFTER], ids=lambda kind: kind.name)
def test_one_failure_of_each_request_that_is_made_again_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    faults = [Fault(request, kind, times=1) for request in MADE_AGAIN]
    ended = played(stage, monkeypatch, *faults)
    assert ended == Ended(ExitCode.PASSED)
    assert [fault.done for fault in faults] == [1] * len(faults)


@pytest.mark.parametrize(
    "kind", [Kind.REFUSE, Kind.CUT, Kind.CORRUPT, Kind.WRONG], ids=lambda kind: kind.name
)
@pytest.mark.parametrize("request_", [CREATE, ATTACH, EXEC, EXEC_START, EXEC_STATE, EVENTS])
def test_a_request_that_always_fails_is_the_engines_fault(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, request_: str, kind: Kind
) -> None:
    ended = played(stage, monkeypatch, Fault(request_, kind))
    expected = {Kind.REFUSE: "engine-refused", Kind.CUT: "engine-lost"}.get(kind, "engine-answer")
    if request_ == EVENTS and kind is not Kind.WRONG:
        expected = "engine-lost"  # the library does not tell a stream that is none from one that has ended
    assert (ended.code, ended.error) == (ExitCode.INCONCLUSIVE, expected), ended


@pytest.mark.parametrize("request_", [CREATE, ATTACH, START, EXEC, EXEC_START, EXEC_STATE])
@pytest.mark.usefixtures("short")
def test_a_request_that_hangs_is_the_engines_fault(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    if request_ in (CREATE, START):
        monkeypatch.setattr(deploy, "UP_SECONDS", 2.0)
    fault = Fault(request_, Kind.HANG, times=1)
    ended = played(stage, monkeypatch, fault, step="1s", leaves_nothing=False)
    assert (ended.code, ended.error) == (ExitCode.INCONCLUSIVE, "engine-slow"), ended


def test_a_slow_engine_takes_no_time_from_a_step(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of the first start take more together than the step has."""
    fault = Fault("(POST|GET) .*/exec", Kind.DELAY, times=3, seconds=1.5)
    ended = played(stage, monkeypatch, fault)
    assert ended == Ended(ExitCode.PASSED)


def test_a_removal_that_the_engine_refuses_is_asked_for_again(
    stage: Stage, own_images: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = Labels("c0nflict", "s", "play", "", "", "sidecar", Owner.this_process(), int(time.time()) + 60)
    stays = create_sidecar(stage.engine, own_images[SIDECAR], labels)
    fault = Fault(REMOVE, Kind.CONFLICT, times=2)
    with between(stage.folder / "s", socket_of(stage), fault) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.address)
        with connect() as engine:
            remove(engine, [stays])
    assert fault.done == 2
    assert stays not in [one.id for one in ours(stage.engine)]


@pytest.mark.alone  # the next run of anybody removes it
def test_what_another_run_left_and_cannot_be_removed_keeps_no_run(
    stage: Stage, own_images: dict[str, str]
) -> None:
    nobody = Owner(2**22 + 1, 0, Owner.this_process().machine)
    of_another = Labels("0ther", "s", "another", "", "", "sidecar", nobody, int(time.time()) + 60)
    stays = create_sidecar(stage.engine, own_images[SIDECAR], of_another)
    file, fault = stage.lay(play_with(), {"p.py": RIGHT}), Fault(f"{REMOVE}.*{stays}", Kind.HANG)
    try:
        with between(stage.folder / "s", socket_of(stage), fault) as proxy:
            began = time.monotonic()
            done = stage.lab("run", file, DOCKER_HOST=proxy.address)
            assert time.monotonic() - began < HANGING
        assert done.returncode == ExitCode.PASSED, done.stderr
        if not fault.met and stays not in [one.id for one in ours(stage.engine)]:
            pytest.skip("somebody else's lab on this machine has removed it before")
        assert fault.done == 1
    finally:
        remove(stage.engine, [stays])


# --- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "seconds"), [(1, 0.3), (2, 0.0), (2, 2.0)])
def test_a_connection_to_a_program_that_breaks_is_no_verdict(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, first: int, seconds: float
) -> None:
    """The first program prints BAD after its connection was cut; the second is not given its input.

    The second would end with its input: it is not to read that end where the script has not ended it.
    """
    fault = Fault(EXEC_START, Kind.CUT_STREAM, first=first, times=1, seconds=seconds)
    program = WRONG if first == 1 else RIGHT
    ended = played(stage, monkeypatch, fault, program=program, before=f"{seconds + 0.6:g}s")
    assert (ended.code, ended.error) == (ExitCode.INCONCLUSIVE, "output-lost"), ended


def test_a_program_may_end_its_own_output(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    program = RIGHT.replace(
        "time.sleep", "time.sleep(0.3)\nimport os\nfor n in 0, 1, 2: os.close(n)\ntime.sleep"
    )
    assert played(stage, monkeypatch, program=program) == Ended(ExitCode.PASSED)


def test_a_wrong_program_is_wrong_all_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = played(stage, monkeypatch, Fault(".", Kind.DELAY, seconds=0.1), program=WRONG)
    assert ended == Ended(ExitCode.FAILED)


@pytest.mark.parametrize("kind", [Kind.CUT_STREAM, Kind.STALL_STREAM], ids=lambda kind: kind.name)
@pytest.mark.usefixtures("short")
def test_a_sidecar_that_is_lost_or_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    going = threading.Event()
    fault = Fault(ATTACH, kind, times=1, go=going)

    def when_played(proxy: Proxy) -> None:
        settled(lambda: any("/exec" in line for line in proxy.seen))
        going.set()

    ended = played(stage, monkeypatch, fault, meanwhile=when_played)
    assert (ended.code, ended.error) in (
        (ExitCode.INCONCLUSIVE, "sidecar-gone"),
        (ExitCode.INCONCLUSIVE, "sidecar-silent"),
        (ExitCode.INCONCLUSIVE, "engine-silent"),
        (ExitCode.INCONCLUSIVE, "engine-slow"),  # a request to the agent was under way
    ), ended


# --- an engine that stands still -----------------------------------------------------------------


@pytest.mark.parametrize("moment", ["GET .*/images", CREATE, ATTACH, EXEC, EXEC_STATE])
@pytest.mark.usefixtures("short")
def test_a_frozen_engine_is_told_in_bounded_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    at = Fault(moment, Kind.DELAY, times=1)

    def freeze(proxy: Proxy) -> None:
        settled(lambda: at.met > 0)
        proxy.freeze()

    ended = played(stage, monkeypatch, at, meanwhile=freeze, leaves_nothing=False)
    assert (ended.code, ended.error) in (
        (ExitCode.INCONCLUSIVE, "engine-silent"),
        (ExitCode.INCONCLUSIVE, "engine-slow"),
    ), ended


def test_no_quiet_is_passed_while_the_engine_stands_still(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BAD is printed meanwhile; without a look at the engine, quiet would pass before BAD arrives."""

    def freeze(proxy: Proxy) -> None:
        settled(lambda: any("/exec/" in line and "/json" in line for line in proxy.seen))
        time.sleep(0.3)
        proxy.freeze()
        time.sleep(2)
        proxy.thaw()

    ended = played(stage, monkeypatch, program=WRONG, meanwhile=freeze)
    assert ended.code in (ExitCode.INCONCLUSIVE, ExitCode.FAILED)


# --- from outside --------------------------------------------------------------------------------

_BY_THE_MACHINE = pytest.mark.skipif(
    tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 15) or os.geteuid() != 0,
    reason="root kills a process of the machine, and Linux 6.15 or later tells how it ended",
)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("remove", "host a was sent SIGKILL"),
        ("pause", "host a was paused"),
        ("stop", "host a was sent SIGTERM"),
        pytest.param("kill", "host a was sent SIGKILL", marks=_BY_THE_MACHINE),
    ],
)
def test_a_host_that_is_touched_from_outside_is_told_as_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, act: str, told: str
) -> None:
    def touch(_: Proxy) -> None:
        engine, (host,) = stage.engine.client, settled(lambda: _where_it_runs(stage))
        {"remove": lambda: engine.remove_container(host, force=True), "pause": lambda: _pause(stage, host),
         "stop": lambda: engine.stop(host, timeout=0),
             "kill": lambda: os.kill(first_process(stage.engine, host), signal.SIGKILL)}[act]()  # fmt: skip

    ended = played(stage, monkeypatch, meanwhile=touch)
    assert (ended.code, ended.error) == (ExitCode.INCONCLUSIVE, "host-touched")
    assert ended.what.startswith(f"{told} from outside the lab")


def _pause(stage: Stage, container: str) -> None:
    """Pause it; on a busy machine some engines need several attempts to freeze all its processes."""

    def paused() -> bool:
        with suppress(EngineError), stage.engine.doing("pause it"):
            stage.engine.client.pause(container)
        return bool(stage.engine.client.inspect_container(container)["State"]["Paused"])

    settled(paused)


def _where_it_runs(stage: Stage) -> list[str]:
    """The container of host a, once its program runs: one that is paused before locks the engine up."""
    hosts = [one.id for one in left(stage) if (one.labels.host, one.state) == ("a", "running")]
    return [one for one in hosts if "p.py" in str(stage.engine.client.top(one)["Processes"])]


@pytest.mark.usefixtures("short")
def test_a_sidecar_that_is_paused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def pause(proxy: Proxy) -> None:
        settled(lambda: any("/exec" in line for line in proxy.seen))
        (sidecar_,) = (one.id for one in left(stage) if one.labels.role == "sidecar")
        _pause(stage, sidecar_)

    ended = played(stage, monkeypatch, meanwhile=pause)
    assert (ended.code, ended.error) == (ExitCode.INCONCLUSIVE, "host-touched")
    assert ended.what.startswith("the lab's sidecar was paused")


# --- ^C, and a clean-up that fails ---------------------------------------------------------------


@contextmanager
def running(
    stage: Stage, *faults: Fault, words: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], Proxy]]:
    file = stage.lay(play_with(), {"p.py": RIGHT})
    with between(stage.folder / "s", socket_of(stage), *faults) as proxy:
        lab = stage.popen("run", *words, file, DOCKER_HOST=proxy.address)
        try:
            yield lab, proxy
        finally:
            lab.kill()
            lab.communicate()
    settled(lambda: swept(stage))


@pytest.mark.parametrize("hangs", [".* /_ping", ATTACH, EXEC_START, REMOVE])
def test_an_interrupt_ends_a_run_within_two_seconds_whatever_hangs(stage: Stage, hangs: str) -> None:
    fault = Fault(hangs, Kind.HANG)
    with running(stage, fault) as (lab, _):
        settled(lambda: fault.met > 0)
        time.sleep(0.5)
        began = time.monotonic()
        lab.send_signal(signal.SIGINT)
        out, err = lab.communicate(timeout=HANGING)
        assert time.monotonic() - began < 2.5
    if hangs == REMOVE:  # the verdict was there before
        assert lab.returncode == ExitCode.PASSED
        assert "checks passed" in out
    else:
        assert lab.returncode == ExitCode.INTERRUPTED, err
        assert err.endswith("interrupted\n")
    assert "not removed yet: tcp-lab-" in " ".join(err.split()) or hangs in (".* /_ping", ATTACH, EXEC_START)


def test_an_interrupt_ends_the_making_of_images_whatever_hangs(stage: Stage) -> None:
    fault = Fault("POST .*/build", Kind.HANG)
    with between(stage.folder / "s", socket_of(stage), fault) as proxy:
        lab = stage.popen("images", "build", "--again", DOCKER_HOST=proxy.address)
        settled(lambda: fault.met > 0)
        began = time.monotonic()
        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=HANGING)
        assert time.monotonic() - began < 2.5
    assert (lab.returncode, err.endswith("interrupted\n")) == (ExitCode.INTERRUPTED, True), err


def test_a_clean_up_that_fails_takes_no_verdict_away(stage: Stage) -> None:
    # Containers are listed when they are to be removed, and never before.
    with running(stage, Fault("GET .*/containers/json", Kind.REFUSE), words=("--json",)) as (lab, _):
        out, err = lab.communicate(timeout=HANGING)
    assert lab.returncode == ExitCode.PASSED, err
    document = json.loads(out)
    (run,) = document["runs"]
    assert (run["verdict"]["outcome"], run["cleanup"]["code"]) == ("pass", "engine-refused")
    assert document["exit"] == ExitCode.PASSED
