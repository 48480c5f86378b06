"""The pipeline: a loaded scenario in, a record and a verdict out. Every room is entered once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lab import __version__, record
from lab.conversation.acts import Acts
from lab.conversation.player import Player
from lab.conversation.scribe import Scribe
from lab.deploy import Deployment, deployed
from lab.engine import Engine
from lab.evidence import Evidence, RunInfo
from lab.images import SIDECAR
from lab.judge import judge
from lab.load import Loaded
from lab.observe import Observer
from lab.prepare import Options, Prepared, build_all, labels, nonce, prepare, starters
from lab.transcript import TranscriptEvent
from lab.variables import host_variables
from lab.verdict import Verdict

if TYPE_CHECKING:
    from lab.watch import Watch

__all__ = ["Audience", "Finished", "Options", "play"]

T = TypeVar("T")
Hear = Callable[[TranscriptEvent], None]


class Audience(Protocol):
    """Who is told what goes on while it goes on."""

    def say(self, text: str) -> None:
        """Progress in words."""

    def event(self, event: TranscriptEvent) -> None:
        """The conversation, as it happens; of one that is watched the drawing tells."""

    def draw(self, lines: Iterable[str]) -> None:
        """The next lines of the drawing of one that is watched."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to a verdict."""

    run_id: str
    record: Path
    evidence: Evidence
    verdict: Verdict
    kept: bool


def play(loaded: Loaded, engine: Engine, options: Options, audience: Audience) -> Finished:
    """Bring the lab up, play the script, judge; take the lab down unless it is to be kept.

    Raises:
        LabError: it could not be played or observed; nothing is left running.
        KeyboardInterrupt: SIGINT or SIGTERM came; nothing is left running.
    """
    with _remembered() as signals:
        prepared = prepare(loaded, engine, options, audience.say)
    try:
        if signals:
            raise KeyboardInterrupt
        return asyncio.run(_interruptible(_play(prepared, engine, audience)))
    finally:
        _discard_if_empty(prepared.folder)


async def _play(prepared: Prepared, engine: Engine, audience: Audience) -> Finished:
    planned, images = prepared.plan, prepared.images
    observer = Observer()
    async with deployed(engine, labels(prepared), observer.hear) as deployment:
        files = await build_all(deployment, prepared, audience.say)
        await deployment.up(planned, images, images[SIDECAR], files)
        async with _watched(deployment, prepared, audience) as watch:
            hear = watch.hear if watch else audience.event
            with contextlib.ExitStack() as ending:
                finished = await _perform(prepared, deployment, observer, hear, ending)
                if watch:
                    outcome = finished.verdict.outcome.value
                    audience.say(f"the script has ended: {outcome}; ^C ends the watching, the lab stays up")
                    await watch.until_interrupted()
    return replace(finished, kept=deployment.kept)


def _watched(
    deployment: Deployment, prepared: Prepared, audience: Audience
) -> AbstractAsyncContextManager[Watch | None]:
    """Watch the lab that is up, if that is wanted; what draws is imported where somebody looks."""
    if prepared.options.watch is None:
        return contextlib.nullcontext()
    from lab.watch import watching

    return watching(deployment, prepared.plan, prepared.options.watch, audience.draw)


async def _perform(
    prepared: Prepared, deployment: Deployment, observer: Observer, hear: Hear, ending: contextlib.ExitStack
) -> Finished:
    """Play the script in a lab that is up, and judge it; its programs are heard until the ``ending``."""
    scenario = prepared.loaded.scenario
    scribe = Scribe(deployment.now, hear)
    variables = {**host_variables(scenario), "nonce": nonce(prepared.options.seed)}
    began = deployment.now()
    acts = Acts(scenario, deployment, await starters(deployment, prepared, variables), scribe)
    ending.callback(acts.let_go)
    async with deployment.agent.needed():
        await Player(scenario, prepared.loaded.lines, acts, scribe, variables).play()
    ended = deployment.now()
    sampling = await observer.end_sampling(deployment)
    captures = await observer.end_captures(deployment, prepared.folder)
    info = RunInfo(
        run_id=prepared.run_id,
        file=str(prepared.loaded.file),
        began=began,
        ended=ended,
        versions={"lab": __version__, **deployment.versions},
        addresses={host.name: host.addresses for host in prepared.plan.hosts},
        interfaces=deployment.interfaces,
        captures=captures,
        sampling=sampling,
        clock_offset=deployment.clock_offset,
        variables=variables,
        held=observer.held,
    )
    if prepared.options.keep:
        await deployment.keep()
    record.write(
        prepared.folder, scenario, info, scribe.transcript(), observer.samples, processes=observer.processes
    )
    evidence = record.read(prepared.folder)
    verdict = judge(evidence)
    record.write_verdict(prepared.folder, verdict)
    return Finished(prepared.run_id, prepared.folder, evidence, verdict, deployment.kept)


def _discard_if_empty(folder: Path) -> None:
    """A run that ended before anything was observed leaves no record."""
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _remembered() -> Iterator[list[int]]:
    """The signals that came meanwhile. Each interrupts at once, but what it raises in a finalizer is lost.

    The engine's library has many: the answers to its requests are files, and CPython clears whatever the
    finalizer of a file raises.
    """
    came: list[int] = []

    def heard(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; SIGINT and SIGTERM end it once and cannot cut its clean-up short."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as several:
        raise _first(several) from several
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended several things done at once."""
    first = several.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
