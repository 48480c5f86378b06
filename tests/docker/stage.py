"""A stage for the tests: scenarios laid down in a folder of their own, played, and what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.core.assets import LANGUAGE_IMAGES
from lab.core.words import Outcome
from lab.engine import Engine, images
from lab.evidence.message import Message
from lab.evidence.transcript import Exited, Output, StepEnded, TranscriptEvent
from lab.evidence.verdict import Verdict
from lab.output.sentences.steps import tell
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import Finished, played
from lab.scenario.loader import load
from tests.contract import require_of
from tests.judged import Judged, JudgedRun

T = TypeVar("T")

CHECKOUT = Path(__file__).parent.parent.parent
PATIENCE = 120.0
"""Seconds after which a command of the lab counts as hanging."""

_TRIES = 3
"""How often a lab is played at most that could not be judged beside whatever else the machine does."""

_NOT_IN_TIME = {"starved", "noticed-late", "heard-late"}
"""Keys of what the verdict says then."""

_NOT_IN_TIME_WORDS = ("the machine is short of processors", "the lab heard of it too late")

SLOW_LANGUAGES = frozenset({"go", "rust"})
"""Languages whose images take minutes to build: they are tested where they are (`lab images build go rust`)."""


def skip_if_slow(engine: Engine, language: str) -> None:
    """Skip a test that would have to build such an image first."""
    image = LANGUAGE_IMAGES.get(language, "")
    if language in SLOW_LANGUAGES and images.status(engine, image).state is not images.State.CURRENT:
        pytest.skip(f"{image} is not there: `lab images build {language}` makes it, in minutes")


@dataclass
class Hall:
    """Who is told what goes on, and remembers it."""

    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def event(self, event: TranscriptEvent) -> None:
        pass

    def draw(self, lines: Iterable[str]) -> None:
        pass


@dataclass(frozen=True)
class Stage:
    """A folder with scenarios and their programs, and the engine to play them on."""

    folder: Path
    engine: Engine

    def lay(self, text: str, files: Mapping[str, str] | None = None, name: str = "play.yaml") -> Path:
        """Write a scenario and the files it names."""
        for path, content in {name: text, **(files or {})}.items():
            (self.folder / path).write_text(content)
        return self.folder / name

    def play(self, text: str, files: Mapping[str, str] | None = None, **options: Any) -> Finished:
        """Play a scenario in this process; again where the machine was too busy for a verdict."""
        return _in_time(
            lambda: self.play_once(text, files, **options), lambda done: _not_in_time(done.verdict)
        )

    def play_once(self, text: str, files: Mapping[str, str] | None = None, **options: Any) -> Finished:
        """Play a scenario in this process, whatever the machine does beside it."""
        file, asked = self.lay(text, files), Options(records=self.folder / "runs", **options)
        with Interruption() as signals, played(self.engine, load(file), asked, Hall(), signals) as finished:
            return finished

    def lab(self, *words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """The command ``lab`` in a process of its own, in this folder; JSON must be what its schema allows.

        A run is repeated where the machine was too busy for a verdict.
        """
        if words[0] != "run":
            return self._lab(*words, **env)
        return _in_time(lambda: self._lab(*words, **env), _says_not_in_time)

    def _lab(self, *words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*words),
            cwd=self.folder,
            env=environment(**env),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        require_of(list(map(str, words)), done.stdout)
        return done

    def popen(self, *words: str | Path, **env: str) -> subprocess.Popen[str]:
        """As :meth:`lab`, under way."""
        return subprocess.Popen(
            command(*words),
            cwd=self.folder,
            env=environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _in_time(play: Callable[[], T], not_in_time: Callable[[T], bool]) -> T:
    """What came of a lab that is played until it can be judged, or a few times."""
    for _ in range(_TRIES - 1):
        if not not_in_time(done := play()):
            return done
    return play()


def _says_not_in_time(done: subprocess.CompletedProcess[str]) -> bool:
    said = " ".join(done.stdout.split())
    return any(sentence in said for sentence in _NOT_IN_TIME_WORDS)


def _not_in_time(verdict: Verdict) -> bool:
    """Whether the conversation has no verdict because the machine did not let it happen in time."""
    if verdict.outcome is not Outcome.INCONCLUSIVE:
        return False
    doubts = (one.parameters.get("doubt") for one in verdict.results[0].observed if one.key == "but")
    return any(isinstance(doubt, Message) and doubt.key in _NOT_IN_TIME for doubt in doubts)


def drawn(lab: subprocess.Popen[str], *words: str) -> str:
    """Read a drawing until all these words were in it, in any order; it all. It is given up after a time."""
    assert lab.stdout is not None
    seen = ""
    late = threading.Timer(PATIENCE, lab.kill)
    late.start()
    try:
        for line in lab.stdout:
            seen += line
            if all(word in seen for word in words):
                return seen
    finally:
        late.cancel()
    raise AssertionError(f"{words} were never drawn: {seen[-2000:]}")


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes for each processor of this machine that compute without end.

    Each is a session of its own: the kernel gives a session no more than its share (sched(7), autogroup).
    """
    spinning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(processes * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def socket_of(stage: Stage) -> str:
    """The address of the engine, for a proxy in front of it."""
    address = stage.engine.address.replace("http+docker://", "unix://")
    if not address.startswith("unix://"):
        pytest.skip("the engine is not behind a socket of this machine")
    return address


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "lab", *map(str, words)]


def environment(**env: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), **env}


def one_host(
    steps: str,
    program: str = "{source: p.py}",
    *,
    checks: str = "- exit: {host: a, running: true}",
    **more: str,
) -> str:
    """A scenario with one host ``a`` and one program ``p``; further top-level keys as YAML text."""
    others = "".join(f"{key}: {value}\n" for key, value in more.items())
    return (
        "version: 1\ntitle: One host\nnetworks: {lan: 10.9.8.0/24}\nhosts: {a: 10.9.8.1}\n"
        f"programs:\n  p: {program}\n{others}steps:\n{steps}\nchecks:\n{checks}\n"
    )


@dataclass(frozen=True)
class ToldStep:
    """A step that was played; what it expected and observed as text."""

    at: int
    began: int
    step: str
    what: str
    outcome: Outcome
    expected: str
    observed: str
    rest: str


def told(step: StepEnded) -> ToldStep:
    """A step as people read it."""
    expected, observed = tell(step.expected), tell(step.observed)
    return ToldStep(step.at, step.began, step.step, step.what, step.outcome, expected, observed, step.rest)


def steps_of(finished: Finished) -> dict[str, ToldStep]:
    """The steps that were played, by their number."""
    events = finished.evidence.transcript.events
    return {event.step: told(event) for event in events if isinstance(event, StepEnded)}


def why_not_built(finished: Finished) -> str:
    """What was said of the programs that do not build, where that is the result of the run."""
    conversation, *checks = finished.verdict.results
    assert finished.verdict.outcome is conversation.outcome is Outcome.FAIL
    assert conversation.observed[0].key == "nothing-built"
    assert {check.outcome for check in checks} == {Outcome.SKIPPED}
    return "\n".join(finished.evidence.info.not_built.values())


def broken(finished: Finished) -> ToldStep:
    """The one step that failed."""
    (step,) = (step for step in steps_of(finished).values() if step.outcome is not Outcome.PASS)
    return step


def printed(finished: Finished, host: str = "a") -> str:
    """All that the programs of a host printed."""
    events = finished.evidence.transcript.events
    return "".join(event.text for event in events if isinstance(event, Output) and event.host == host)


def statuses(finished: Finished) -> list[int]:
    """How the programs ended, in that order."""
    return [event.status for event in finished.evidence.transcript.events if isinstance(event, Exited)]


def results(finished: Finished) -> dict[str, Judged]:
    """What became of each check."""
    return {result.name: result for result in JudgedRun(finished.verdict).results}


def assert_passed(finished: Finished) -> None:
    """Fail with what did not pass, and why."""
    short = [f"{one.name}: {one.expected} BUT {one.observed}" for one in JudgedRun(finished.verdict).results]
    assert finished.verdict.outcome is Outcome.PASS, "\n".join(short)
