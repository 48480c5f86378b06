"""What is settled before a lab goes up and what is made for it: plan, images, labels, programs."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from lab.core.assets import HOST_IMAGE
from lab.core.errors import SubmissionError, UsageError, unless_full
from lab.deploy.build import built
from lab.deploy.deployment import Deployment
from lab.deploy.plan import Plan, PlannedHost, plan
from lab.engine import Engine
from lab.engine.images import SIDECAR, ensure
from lab.engine.labels import Labels, Owner
from lab.run.options import Options
from lab.scenario.loader import Loaded
from lab.scenario.programs import Recipe, header_cure, recipe

Say = Callable[[str], None]

_MARGIN = 300.0
"""Seconds a run's containers may outlive its longest script, should nobody be left to remove them."""


class Prepared(Struct, frozen=True):
    """All that can be known and made before there are hosts."""

    loaded: Loaded
    options: Options
    plan: Plan
    recipes: Mapping[str, Recipe]
    images: Mapping[str, str]
    labels: Labels
    folder: Path


def prepare(engine: Engine, loaded: Loaded, options: Options, say: Say) -> Prepared:
    """Make what can be made before there are hosts: images and the record's folder. LabError if it cannot."""
    planned = plan(loaded.scenario)
    recipes = {
        name: recipe(name, program, loaded.sources) for name, program in loaded.scenario.programs.items()
    }
    images = ensure(engine, _images(planned), say, ca_bundle=options.ca_bundle)
    run_id = secrets.token_hex(4)
    # By the time that it begins, and in UTC.
    began = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = options.records / f"{began}-{loaded.file.stem}-{run_id}"
    make_folder(folder)
    return Prepared(
        loaded, options, planned, recipes, images, _labels(run_id, loaded, folder, options), folder
    )


def _labels(run_id: str, loaded: Loaded, folder: Path, options: Options) -> Labels:
    """The labels of all that is made for the run."""
    return Labels(
        run_id=run_id,
        scenario=loaded.file.stem,
        file=str(loaded.file),
        host="",
        addresses="",
        role="build",
        owner=Owner.this_process(),
        record=str(folder.absolute()),
        expires=int(time.time() + _stay(loaded, options)),
        keep=options.keep,
    )


def _stay(loaded: Loaded, options: Options) -> float:
    """Seconds for which containers may be there."""
    timeouts = loaded.scenario.timeouts
    longest = 2 * timeouts.scenario + timeouts.build * len(loaded.scenario.programs) + _MARGIN
    return max(options.lease, longest) if options.keep else longest


def make_folder(folder: Path) -> None:
    """Make the folder of a new record. UsageError if it cannot be made."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        fix = "choose a folder you may write to: --records DIR"
        what = f"the run's record cannot be made: {error.strerror}"
        refusal = UsageError("no-record-folder", what, where=str(folder), fix=fix)
        raise unless_full(error, refusal) from error


async def build_all(deployment: Deployment, prepared: Prepared, say: Say) -> dict[str, bytes]:
    """The programs that any host runs, a tar of each that has files."""
    seconds, image = prepared.loaded.scenario.timeouts.build, prepared.images[HOST_IMAGE]

    def build(name: str) -> bytes:
        recipe, engine = prepared.recipes[name], deployment.engine
        try:
            return built(engine, recipe, image, deployment.labels, seconds=seconds, say=say)
        except SubmissionError as error:
            raise _with_cure(error, name, prepared.loaded) from error

    started = dict.fromkeys(name for host in prepared.plan.hosts for name in host.programs)
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(deployment.call(build, name))
            for name in started
            if prepared.recipes[name].files
        }
    files = {name: task.result() for name, task in tasks.items()}
    for host in prepared.plan.hosts:
        _require_room(host, {name: files[name] for name in host.programs if name in files}, prepared.recipes)
    return files


def _require_room(host: PlannedHost, files: Mapping[str, bytes], recipes: Mapping[str, Recipe]) -> None:
    """SubmissionError if a build gave more than its host has room for."""
    largest = max(files, key=lambda name: len(files[name]), default="")
    if not largest or recipes[largest].build is None:
        return
    size, limits = len(files[largest]), host.limits
    if sum(map(len, files.values())) + size > limits.work or size > limits.file_size:
        what = (
            f"what the build of {largest} gave, {_mib(size)}, does not fit into /work of {host.name}: it is "
            f"there twice while it is unpacked, and limits.work is {_mib(limits.work)}, limits.file_size "
            f"{_mib(limits.file_size)}"
        )
        raise SubmissionError("build-too-large", what, fix="let the build leave less, or raise the limits")


def _mib(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"


def _with_cure(error: SubmissionError, name: str, loaded: Loaded) -> SubmissionError:
    """A failed build, with its cure if that is known."""
    cure = header_cure(loaded.scenario.programs[name], loaded.folder, error.what)
    fix = f"{cure}\n{error.fix}" if cure else error.fix
    return SubmissionError(error.code, error.what, where=error.where, fix=fix)


def _images(planned: Plan) -> set[str]:
    return {SIDECAR, HOST_IMAGE} | {host.image for host in planned.hosts}
