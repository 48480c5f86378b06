"""Builds that attack: nothing but what lies in a program's own folder is its result, and that only whole."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.assets import cache_folder
from lab.core.errors import EngineError, ExitCode
from lab.core.words import Outcome
from lab.deploy import build as building
from lab.engine.containers import ExecState, exec_start
from lab.evidence.evidence import SourceFile
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import played
from lab.scenario.loader import load
from tests.docker.stage import Hall, Stage, assert_passed, busy, one_host, printed, steps_of, why_not_built

TWO = """
version: 1
title: A student's program beside a teacher's
networks: {lan: 10.9.8.0/24}
timeouts: {build: 20s}
programs:
  aaa: {source: aaa.sh, build: sh aaa.sh, run: sh left}
  oracle: {source: oracle.sh}
hosts: {a: 10.9.8.1}
steps:
- a: {start: oracle, as: o}
- a.o: {wait: {exited: true}}
checks:
- output: {host: a, program: o, lines: {from the teacher: 1}}
"""
STARTS_TOO = TWO.replace("steps:\n", "steps:\n- a: {start: aaa}\n- a: {wait: {exited: true}}\n")
ORACLE = "echo from the teacher\n"
FORGED = (
    "mkdir -p /tmp/t/oracle && echo echo from the student > /tmp/t/oracle/oracle.sh\n"
    "tar cf /tmp/oracle.tar -C /tmp/t oracle && tar cf /tmp/all.tar -C /tmp oracle.tar\n"
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def cached() -> list[Path]:
    return sorted((cache_folder() / "builds").glob("*"))


@pytest.mark.parametrize(
    "attack",
    [
        "for p in $(ls /proc | grep '^[0-9]'); do cat /tmp/all.tar > /proc/$p/fd/1; done 2>/dev/null",
        "cat /tmp/all.tar; cat /tmp/all.tar >&2",
        "cp -r /tmp/t/oracle /work/",
        "cd / && rm -r /work/aaa && ln -s /work/oracle /work/aaa && mkdir /work/oracle && touch /work/oracle/left",
        "ln -s ../oracle left2",
    ],
    ids=["every descriptor", "its own output", "its neighbour's folder", "a link for a folder", "a link"],
)
def test_a_build_makes_nothing_of_another_programs(stage: Stage, attack: str) -> None:
    script = f"{FORGED}({attack})\necho echo mine > /work/aaa/left\nexit 0\n"
    assert_passed(stage.play(STARTS_TOO, {"aaa.sh": script, "oracle.sh": ORACLE}))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -9 -1; exit 1", "does not build"),
        ("head -c 40m /dev/zero > big", "does not fit into /work of a"),
        ("yes > /proc/$(ps -o pid= --ppid 0 | tail -1 | tr -d ' ')/fd/1", "does not build"),
        ("for i in 1 2 3; do head -c 60m /dev/zero > big$i; done", "larger than 128 MiB"),
        ("i=0; while [ $i -lt 2100 ]; do : > $i; i=$((i + 1)); done", "more than 2000 files"),
        ("cd / && rm -r /work/aaa", "cannot be read"),
        ("d=$(printf %0100d 0); for i in $(seq 11); do mkdir $d; cd $d; done", "more than 1024 characters"),
        ('ln -s "$(printf %01025d 0)" left', "more than 1024 characters"),
        ("cat /dev/zero", "it takes longer than 2 s"),
        ("trap '' TERM; while :; do sleep 1; done", "it takes longer than 2 s"),
    ],
)
def test_a_build_that_gives_nonsense_has_failed(stage: Stage, script: str, words: str) -> None:
    text = (
        STARTS_TOO.replace("build: 20s", "build: 2s") if "longer" in words or "yes" in script else STARTS_TOO
    )
    assert words in why_not_built(stage.play(text, {"aaa.sh": script, "oracle.sh": ORACLE}))
    assert cached() == [] or "fit" in words


def test_a_build_that_stops_the_shell_which_ends_it_has_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_GRACE", 3.0)
    stops = "for p in $(ls /proc | grep '^[0-9]'); do [ $p = $$ ] || kill -STOP $p; done 2> /dev/null\n"
    finished = stage.play(
        STARTS_TOO.replace("20s", "2s"), {"aaa.sh": f"{stops}echo mine > left\n", "oracle.sh": ORACLE}
    )
    assert "it takes longer than 2 s" in why_not_built(finished)


@pytest.mark.alone  # it takes all processors
def test_a_build_is_not_blamed_for_a_machine_that_is_short_of_processors(stage: Stage) -> None:
    works = {"aaa.sh": "while :; do :; done\n", "oracle.sh": ORACLE}
    with busy(10), pytest.raises(EngineError) as caught:
        stage.play(STARTS_TOO.replace("20s", "5s"), works)
    assert (caught.value.code, caught.value.exit_code) == ("build-starved", ExitCode.INCONCLUSIVE)
    assert "it takes longer than 5 s" in why_not_built(stage.play(STARTS_TOO.replace("20s", "5s"), works))


def test_what_a_build_leaves_running_or_hides_does_not_keep_its_result(stage: Stage) -> None:
    script = (
        "umask 077\n(setsid sleep 600 &)\n(trap '' HUP TERM; while :; do :; done) &\necho echo mine > left\n"
    )
    began = time.monotonic()
    finished = stage.play(STARTS_TOO, {"aaa.sh": script, "oracle.sh": ORACLE})
    assert_passed(finished)
    assert "mine" in printed(finished)
    assert time.monotonic() - began < 15


def test_a_program_that_was_never_started_is_not_built(stage: Stage) -> None:
    assert_passed(stage.play(TWO, {"aaa.sh": "exit 1", "oracle.sh": ORACLE}))


def test_a_missing_header_beside_the_source_is_named(stage: Stage) -> None:
    file = stage.lay(
        one_host("- a: {start: p}", "{source: p.c}"),
        {"p.c": '#include "help.h"\nint main(void) { return HELP; }\n', "help.h": "#define HELP 0\n"},
    )
    done = stage.lab("run", file)
    assert done.returncode == ExitCode.FAILED
    assert "help.h lies beside p.c" in done.stdout
    assert "add help.h to `sources:`" in " ".join(done.stdout.split())


class _Cut:
    """A connection that ends after so many bytes in one direction."""

    def __init__(self, real: object, receives: int, sends: int) -> None:
        self._real, self._receives, self._sends = real, receives, sends

    def recv(self, size: int) -> bytes:
        data: bytes = self._real.recv(min(size, self._receives)) if self._receives else b""  # type: ignore[attr-defined]
        self._receives -= len(data)
        return data

    def sendall(self, data: bytes) -> None:
        self._real.sendall(data[: self._sends])  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


@pytest.fixture(params=["result", "end of the result", "sources", "end of the sources"])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Connections to builds are cut: within what is sent, or within what comes back."""

    def cut_off(*words: object, **more: object) -> object:
        program = exec_start(*words, **more)  # type: ignore[arg-type]
        packing = building._PACK in words[2]  # type: ignore[operator]  # noqa: SLF001
        receives = (
            {"result": 5000, "end of the result": 66_000}.get(request.param, 1 << 40) if packing else 1 << 40
        )
        sends = {"sources": 600, "end of the sources": 2048}.get(request.param, 1 << 40)
        stream = type(program.stream)(_Cut(program.stream.socket, receives, sends), program.stream.early)  # type: ignore[arg-type]
        return type(program)(program.id, stream)

    monkeypatch.setattr(building, "exec_start", cut_off)
    yield request.param
    monkeypatch.undo()


def test_a_cut_connection_is_no_failed_build_and_is_not_kept(
    stage: Stage, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "aaa.sh": "head -c 60000 /dev/urandom > big; echo echo mine > left; : 1234567890\n" + "#" * 2000,
        "oracle.sh": ORACLE,
    }
    with pytest.raises(EngineError) as caught:
        stage.play(STARTS_TOO, files)
    assert (caught.value.code, caught.value.exit_code) == ("build-lost", ExitCode.INCONCLUSIVE), cut
    assert cached() == []
    monkeypatch.undo()
    assert_passed(stage.play(STARTS_TOO, files))


def test_an_engine_that_does_not_say_how_a_build_ended_is_no_failed_build(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "exec_status", lambda *_: ExecState(True, None, 1))
    with pytest.raises(EngineError) as caught:
        stage.play(STARTS_TOO, {"aaa.sh": "exit 1\n", "oracle.sh": ORACLE})
    assert caught.value.code == "build-lost"
    assert cached() == []


def test_an_interrupted_build_leaves_nothing_behind(stage: Stage) -> None:
    files = {"aaa.sh": "head -c 100m /dev/urandom > big; echo echo mine > left\n", "oracle.sh": ORACLE}
    file = stage.lay(
        STARTS_TOO.replace(
            "a: 10.9.8.1", "a: {address: 10.9.8.1, limits: {work: 256m, file_size: 128m, memory: 512m}}"
        ),
        files,
    )
    for delay in (1.0, 1.5, 2.0, 2.5):
        lab = stage.popen("run", file)
        time.sleep(delay)
        lab.terminate()
        lab.communicate(timeout=60)
    assert all(path.suffix == ".build" for path in cached())
    done = stage.lab("run", file)
    assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr


def test_a_spoiled_result_is_built_again(stage: Stage) -> None:
    files = {"aaa.sh": "echo echo mine > left\n", "oracle.sh": ORACLE}
    assert_passed(stage.play(STARTS_TOO, files))
    (path,) = cached()
    path.write_bytes(path.read_bytes()[:-700])
    assert_passed(stage.play(STARTS_TOO, files))
    assert len(cached()) == 1


@pytest.mark.parametrize("put", ["link", "fifo"])
def test_what_was_read_is_what_is_run_and_recorded(stage: Stage, put: str) -> None:
    source = "print('as it was read')\n"
    file = stage.lay(one_host("- a: {start: p}\n- a: {expect: as it was read}"), {"p.py": source})
    loaded, options = load(file), Options(records=stage.folder / "runs")
    (stage.folder / "p.py").unlink()
    if put == "link":
        (stage.folder / "p.py").symlink_to("/etc/passwd")
    else:
        os.mkfifo(stage.folder / "p.py")
    with Interruption() as signals, played(stage.engine, loaded, options, Hall(), signals) as finished:
        pass
    assert steps_of(finished)["2"].outcome is Outcome.PASS
    day, time_of_day, *rest = finished.record.name.split("-")
    assert (len(day), len(time_of_day), rest) == (8, 6, ["play", finished.run_id])
    digest = hashlib.sha256(source.encode()).hexdigest()
    assert finished.evidence.info.sources == (SourceFile("p.py", len(source), digest),)
