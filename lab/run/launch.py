"""A run from its first moment: what is the same for every scenario begins before the scenario is read.

::

    with launched(engine, file, options) as launch:
        loaded = load(file)         # meanwhile the sidecar starts
        play(launch, loaded, audience)

To read a scenario and to import what plays it takes as long as a container's start, and the two need
different things: this process, and the engine.
"""

from __future__ import annotations

import contextlib
import resource
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lab.core.errors import UsageError, unless_full
from lab.deploy.deployment import Deployment, deployed
from lab.engine.images import SIDECAR, State, status
from lab.engine.labels import Labels, Owner
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.engine import Engine
    from lab.output.style import Style

MARGIN = 300.0
"""Seconds a run's containers may outlive its longest script, should nobody be left to remove them."""


class Options(Struct, frozen=True):
    """How to play: where records go, whether the lab stays up, and for how many seconds.

    With ``watch`` the conversation is drawn while it goes on, in that style; the lab is watched until ^C.
    """

    records: Path = Path("runs")
    keep: bool = False
    lease: float = 8 * 3600.0
    seed: str = ""
    ca_bundle: Path | None = None
    watch: Style | None = None


class Launch(Struct, frozen=True):
    """A run that has begun: its id, where its record will be, and its lab, which may be starting in part."""

    options: Options
    run_id: str
    folder: Path
    deployment: Deployment
    interruption: Interruption


@contextlib.contextmanager
def launched(engine: Engine, file: Path, options: Options) -> Iterator[Launch]:
    """Begin a run of a file that need not have been read; its lab is taken down on every way out.

    So is what others left whose process was killed, unless this one is in a hurry.

    Raises:
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came; nothing is left running.
    """
    _allow_many_files()
    run_id = secrets.token_hex(4)
    # By the time that it begins, and in UTC.
    folder = options.records / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{file.stem}-{run_id}"
    with (
        Interruption() as interruption,
        deployed(
            engine, _labels(run_id, file, folder, options), hurried=lambda: interruption.came
        ) as deployment,
    ):
        try:
            if file.is_file():
                _begin(engine, deployment, interruption)
            yield Launch(options, run_id, folder, deployment, interruption)
        finally:
            interruption.too_late()
            if not interruption.came:
                deployment.removal.begin_sweep()


def _allow_many_files() -> None:
    """Each program of a lab is a connection of ours: hundreds are more than a process may have at first."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _begin(engine: Engine, deployment: Deployment, interruption: Interruption) -> None:
    """Start the sidecar, if its image need not be made first."""
    found = status(engine, SIDECAR)
    if found.image is not None and found.state is State.CURRENT:
        with interruption.noted():
            deployment.begin(found.image.id)


def _labels(run_id: str, file: Path, folder: Path, options: Options) -> Labels:
    """The labels of all that is made for the run; how long its scripts may take is not known yet."""
    return Labels(
        run_id=run_id,
        scenario=file.stem,
        file=str(file),
        host="",
        addresses="",
        role="build",
        owner=Owner.this_process(),
        record=str(folder.absolute()),
        expires=int(time.time() + MARGIN + (options.lease if options.keep else 0)),
        keep=options.keep,
    )


def make_folder(folder: Path) -> None:
    """Make the folder of a new record. UsageError if it cannot be made."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        fix = "choose a folder you may write to: --records DIR"
        what = f"the run's record cannot be made: {error.strerror}"
        refusal = UsageError("no-record-folder", what, where=str(folder), fix=fix)
        raise unless_full(error, refusal) from error
