"""The pipeline: a scenario that was read in, a record and a verdict out, from top to bottom."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from lab.checks.judging import judge
from lab.deploy.deployment import Deployment, deployed
from lab.engine import Engine
from lab.engine.images import SIDECAR
from lab.evidence import record
from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import Evidence
from lab.evidence.sockets import Sampling
from lab.evidence.transcript import TranscriptEvent
from lab.evidence.verdict import Verdict
from lab.output.document import verdict_as_data
from lab.output.sentences.steps import tell
from lab.run.execute import Executed, execute, nothing_executed
from lab.run.info import run_info
from lab.run.interruption import Interruption
from lab.run.observe import Observer
from lab.run.options import Options
from lab.run.prepare import Prepared, build_all, prepare
from lab.scenario.loader import Loaded

if TYPE_CHECKING:
    from lab.run.watch import Watch


class ProgressListener(Protocol):
    """Who is told what goes on while it goes on."""

    def say(self, text: str) -> None:
        """Progress in words."""

    def event(self, event: TranscriptEvent) -> None:
        """The conversation, as it happens; of one that is watched the drawing tells."""

    def draw(self, lines: Iterable[str]) -> None:
        """The next lines of the drawing of one that is watched."""


class Finished(Struct, frozen=True):
    """A run that came to a verdict."""

    run_id: str
    record: Path
    evidence: Evidence
    verdict: Verdict
    kept: bool


@contextlib.contextmanager
def played(
    engine: Engine, loaded: Loaded, options: Options, listener: ProgressListener, interruption: Interruption
) -> Iterator[Finished]:
    """Play a scenario that was read; its result, while its lab goes down. It is down on every way out.

    It stays up if it is to be kept. What others left whose process was killed goes too, unless this one is in
    a hurry.

    Raises:
        LabError: it could not be played, observed or written; after the result: its lab could not be taken
            down.
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came; nothing is left running.
    """
    _allow_many_files()
    prepared = prepare(engine, loaded, options, listener.say)
    observer = Observer(len(prepared.plan.hosts))
    with (
        _discarded_if_empty(prepared.folder),
        deployed(engine, prepared.labels, observer.hear, hurried=lambda: interruption.came) as deployment,
    ):
        try:
            with interruption.noted():
                deployment.begin(prepared.images[SIDECAR])
            yield interruption.run(_play(prepared, deployment, observer, listener, interruption))
        finally:
            interruption.too_late()
            if not interruption.came:
                deployment.removal.begin_sweep()


async def _play(
    prepared: Prepared,
    deployment: Deployment,
    observer: Observer,
    listener: ProgressListener,
    interruption: Interruption,
) -> Finished:
    """Build, deploy, play, observe, write, judge. The lab begins to go down as soon as nobody needs it."""
    async with contextlib.AsyncExitStack() as ending:
        ending.callback(deployment.let_go)
        async with deployment.health.needed():
            prepared = await build_all(deployment, prepared, listener.say)
            if prepared.not_built:
                nothing, sampling = nothing_executed(deployment)
                return _concluded(prepared, deployment, observer, nothing, sampling=sampling)
            files = {place: one.packed for place, one in prepared.built.items() if one.packed}
            await deployment.up(prepared.plan, prepared.images, files)
            watch = await ending.enter_async_context(_watched(deployment, prepared, listener))
            hear = watch.hear if watch else listener.event
            executed = await execute(prepared, deployment, observer, hear)
            sampling = await observer.end_sampling(deployment)
            captures = await observer.end_captures(deployment, prepared.folder)
            deployment.health.check()
            if prepared.options.keep:
                await deployment.keep(prepared.plan.snaplen)
        if not deployment.kept:
            await deployment.begin_down()
        with interruption.at_once():
            finished = _concluded(
                prepared, deployment, observer, executed, sampling=sampling, captures=captures
            )
        if watch:
            outcome = finished.verdict.outcome.value
            listener.say(f"the script has ended: {outcome}; ^C ends the watching, the lab stays up")
            await watch.until_interrupted()
    return finished


def _concluded(
    prepared: Prepared,
    deployment: Deployment,
    observer: Observer,
    executed: Executed,
    *,
    sampling: Sampling,
    captures: tuple[CaptureFile, ...] = (),
) -> Finished:
    """Write the record, and judge what it says."""
    info = run_info(prepared, deployment, executed, observer, sampling=sampling, captures=captures)
    folder = prepared.folder
    record.write(
        folder, prepared.loaded.scenario, info, executed.transcript, observer.samples,
        tell=tell, datagrams=observer.datagrams, processes=observer.processes, situation=observer.situation,
        files=executed.files,
    )  # fmt: skip
    evidence = record.read(folder)
    verdict = judge(evidence)
    record.write_verdict(folder, verdict_as_data(verdict))
    return Finished(prepared.labels.run_id, folder, evidence, verdict, deployment.kept)


def _watched(
    deployment: Deployment, prepared: Prepared, listener: ProgressListener
) -> AbstractAsyncContextManager[Watch | None]:
    """Watch the lab that is up, if that is wanted; what draws is imported where somebody looks."""
    if prepared.options.watch is None:
        return contextlib.nullcontext()
    from lab.run.watch import watching

    return watching(deployment, prepared.plan, prepared.options.watch, listener.draw)


def _allow_many_files() -> None:
    """Each program of a lab is a connection of ours: hundreds are more than a process may have at first."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def _discarded_if_empty(folder: Path) -> Iterator[None]:
    """A run that ended before anything was observed leaves no record."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
