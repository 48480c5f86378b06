"""What is settled before a lab goes up and what is made for it: plan, images, labels, programs."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from lab.core.archive import ArchiveError, Laid, moved, runnable, with_laid
from lab.core.assets import HOST_IMAGE, LANGUAGE_IMAGES
from lab.core.errors import SubmissionError, UsageError, unless_full
from lab.core.escape import one_line
from lab.deploy.build import built
from lab.deploy.deployment import Deployment
from lab.deploy.plan import Plan, PlannedHost, plan
from lab.engine import Engine
from lab.engine.images import SIDECAR, ensure
from lab.engine.labels import Labels, Owner
from lab.run.options import Options
from lab.scenario.choice import UnclearError, makes_no_program
from lab.scenario.laid import content_of, permissions
from lab.scenario.loader import Loaded
from lab.scenario.programs import Recipe, header_cure, recipe_of
from lab.scenario.sanitizers import prepared_for_sanitizers, with_sanitizers
from lab.scenario.variables import host_variables

Say = Callable[[str], None]

_MARGIN = 300.0
"""Seconds a run's containers may outlive its longest script, should nobody be left to remove them."""


class Built(Struct, frozen=True):
    """A program as hosts get it: how it is started, and a tar of its folder if it has one."""

    recipe: Recipe
    packed: bytes


class Prepared(Struct, frozen=True):
    """All that can be known and made before there are hosts."""

    loaded: Loaded
    options: Options
    plan: Plan
    recipes: Mapping[str, Recipe]
    images: Mapping[str, str]
    labels: Labels
    folder: Path
    variables: Mapping[str, str]
    """Those that have a value before anything is played."""
    built: Mapping[tuple[str, str], Built] = field(default_factory=dict)
    """The programs that hosts run by host and name, once they are built."""
    not_built: Mapping[str, str] = field(default_factory=dict)
    """What became of those that do not build, in words."""


def prepare(engine: Engine, loaded: Loaded, options: Options, say: Say) -> Prepared:
    """Make what can be made before there are hosts: images and the record's folder. LabError if it cannot."""
    recipes = {name: recipe_of(name, loaded.scenario, loaded.trees) for name in loaded.scenario.programs}
    if options.sanitized:
        loaded = replace(loaded, scenario=prepared_for_sanitizers(loaded.scenario, options.sanitized))
        own = {name: with_sanitizers(recipes[name]) for name in options.sanitized}
        recipes = {**recipes, **own}
    needed = {name: LANGUAGE_IMAGES[own.language] for name, own in recipes.items() if own.language}
    planned = plan(loaded.scenario, needed)
    images = ensure(engine, _images(planned), say, ca_bundle=options.ca_bundle)
    run_id = secrets.token_hex(4)
    # By the time that it begins, and in UTC.
    began = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = options.records / f"{began}-{loaded.file.stem}-{run_id}"
    make_folder(folder)
    return Prepared(
        loaded, options, planned, recipes, images, _labels(run_id, loaded, folder, options), folder,
        {**host_variables(loaded.scenario), "nonce": _nonce(options.seed)},
    )  # fmt: skip


def _nonce(seed: str) -> str:
    """Eight characters that a program cannot know beforehand: new each run, or the same for the same seed."""
    return hashlib.sha256((seed or secrets.token_hex(16)).encode()).hexdigest()[:8]


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
        folder=str(Path.cwd()),
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


async def build_all(deployment: Deployment, prepared: Prepared, say: Say) -> Prepared:
    """Build the programs that any host runs, each once for each image; what is known of them then is added.

    Raises:
        UsageError: it is not clear how to run what was built.
    """
    started = [(host, name) for host in prepared.plan.hosts for name in host.programs]
    wanted = {(host.name, name): (prepared.recipes[name], host.image) for host, name in started}
    jobs = {(own.folder, image): own for own, image in wanted.values() if own.tree.files}
    async with asyncio.TaskGroup() as group:
        tasks = {
            job: group.create_task(deployment.call(_build, deployment, prepared, own, job[1], say))
            for job, own in jobs.items()
        }
    made = {job: task.result() for job, task in tasks.items()}
    results = {
        place: _with_files(_as_program(own, made.get((own.folder, image), b"")), prepared)
        for place, (own, image) in wanted.items()
    }
    ready = {place: result for place, result in results.items() if isinstance(result, Built)}
    for told in dict.fromkeys(one.recipe.told for one in ready.values() if one.recipe.told):
        say(one_line(told))
    not_built = {name: result for (_, name), result in results.items() if isinstance(result, str)}
    for host in prepared.plan.hosts:
        own = {name: ready[host.name, name] for name in host.programs if (host.name, name) in ready}
        not_built = {**_without_room(host, own), **not_built}
    return replace(prepared, built=ready, not_built=not_built)


def _build(deployment: Deployment, prepared: Prepared, own: Recipe, image: str, say: Say) -> bytes | str:
    """A tar of the folder that a recipe gives, built in an image if it can be; if it does not build, why."""
    images = [prepared.images[name] for name in dict.fromkeys((image, HOST_IMAGE))]
    seconds = prepared.loaded.scenario.timeouts.build
    try:
        return built(deployment.engine, own, images, deployment.labels, seconds=seconds, say=say)
    except SubmissionError as error:
        cure = header_cure(prepared.loaded.scenario.programs[own.folder], prepared.loaded.folder, error.what)
        return "\n".join(part for part in (error.what, cure, error.fix) if part)


def _as_program(own: Recipe, made: bytes | str) -> Built | str:
    """A program from what was built; if there is none, why."""
    if isinstance(made, str):
        return made
    try:
        own = own if own.argv is not None else own.when_built(runnable(made, own.folder, own.tree))
    except UnclearError as error:
        what = f"program {own.name!r}: after its build, `{own.build}`, {error.what}"
        if error.nothing:
            return f"{what}\n{makes_no_program(own.build, own.tree) or error.fix}"
        raise UsageError("unclear-program", one_line(what), fix=one_line(error.fix)) from error
    moves = bool(made) and own.folder != own.name
    return Built(own, moved(made, own.folder, own.name) if moves else made)


def _with_files(program: Built | str, prepared: Prepared) -> Built | str:
    """A program with the files that the scenario gives it; if they cannot be laid into its folder, why."""
    if isinstance(program, str) or not prepared.loaded.scenario.programs[program.recipe.name].files:
        return program
    name = program.recipe.name
    try:
        laid = with_laid(program.packed, name, laid_files(prepared, name))
    except ArchiveError as error:
        return f"program {name!r}: its files cannot be laid into its folder: {one_line(str(error))} there"
    return replace(program, packed=laid)


def laid_files(prepared: Prepared, name: str) -> list[Laid]:
    """The files that a program is given."""
    loaded = prepared.loaded
    return [
        Laid(
            path, content_of(file, loaded.laid.get((name, path)), prepared.variables), permissions(file.mode)
        )
        for path, file in loaded.scenario.programs[name].files.items()
    ]  # fmt: skip


def _without_room(host: PlannedHost, built: Mapping[str, Built]) -> dict[str, str]:
    """The largest program of a host if there is no room for what was built, or for a tree, and why."""
    files = {name: len(one.packed) for name, one in built.items()}
    largest = max(files, key=files.__getitem__, default="")
    if not largest or (built[largest].recipe.build is None and built[largest].recipe.tree.main):
        return {}
    size, limits = files[largest], host.limits
    if sum(files.values()) + size <= limits.work and size <= limits.file_size:
        return {}
    why = (
        f"what there is of {largest}, {_mib(size)}, does not fit into /work of {host.name}: it is "
        f"there twice while it is unpacked, and limits.work is {_mib(limits.work)}, limits.file_size "
        f"{_mib(limits.file_size)}"
    )
    return {largest: why}


def _mib(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"


def _images(planned: Plan) -> set[str]:
    return {SIDECAR, HOST_IMAGE} | {host.image for host in planned.hosts}
