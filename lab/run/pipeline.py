"""The pipeline: a loaded scenario in, a record and a verdict out. Every room is entered once, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from lab.deploy.deployment import Deployment
from lab.engine.images import SIDECAR
from lab.evidence.transcript import TranscriptEvent
from lab.run.conclude import Finished, conclude
from lab.run.launch import Launch
from lab.run.observe import Observer
from lab.run.perform import perform
from lab.run.prepare import Prepared, build_all, prepare
from lab.scenario.loader import Loaded

if TYPE_CHECKING:
    from lab.run.watch import Watch


class Audience(Protocol):
    """Who is told what goes on while it goes on."""

    def say(self, text: str) -> None:
        """Progress in words."""

    def event(self, event: TranscriptEvent) -> None:
        """The conversation, as it happens; of one that is watched the drawing tells."""

    def draw(self, lines: Iterable[str]) -> None:
        """The next lines of the drawing of one that is watched."""


def play(launch: Launch, loaded: Loaded, audience: Audience) -> Finished:
    """Bring the lab up, play the script, judge; the lab goes down with its launch unless it is to be kept.

    Raises:
        LabError: it could not be played or observed.
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came.
    """
    launch.interruption.check()
    prepared = prepare(launch, loaded, audience.say)
    try:
        launch.interruption.check()
        return launch.interruption.run(_play(launch, prepared, audience))
    finally:
        _discard_if_empty(prepared.folder)


async def _play(launch: Launch, prepared: Prepared, audience: Audience) -> Finished:
    try:
        return await _up_and_performed(launch, prepared, audience)
    finally:
        launch.deployment.hang_up()


async def _up_and_performed(launch: Launch, prepared: Prepared, audience: Audience) -> Finished:
    observer, deployment = Observer(len(prepared.plan.hosts)), launch.deployment
    deployment.on_event = observer.hear
    async with contextlib.AsyncExitStack() as watched:
        with contextlib.ExitStack() as ending:
            async with deployment.health.needed():
                files = await build_all(deployment, prepared, audience.say)
                await deployment.up(prepared.plan, prepared.images, prepared.images[SIDECAR], files)
                watch = await watched.enter_async_context(_watched(deployment, prepared, audience))
                hear = watch.hear if watch else audience.event
                performed = await perform(prepared, deployment, observer, hear, ending)
                if prepared.options.keep:
                    await deployment.keep()
            if not deployment.kept:
                ending.close()  # to remove what nobody hears any more takes the engine 20 s
                await deployment.begin_down()
            with launch.interruption.at_once():
                finished = conclude(prepared, deployment, observer, performed)
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
    from lab.run.watch import watching

    return watching(deployment, prepared.plan, prepared.options.watch, audience.draw)


def _discard_if_empty(folder: Path) -> None:
    """A run that ended before anything was observed leaves no record."""
    with contextlib.suppress(OSError):
        folder.rmdir()
