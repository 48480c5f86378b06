"""What is settled before a run and what is made for it: options, images, programs, labels."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import record
from lab.build import built
from lab.conversation.acts import Starter
from lab.deploy import Deployment
from lab.engine import Engine
from lab.engine.containers import image_command
from lab.images import SIDECAR, ensure
from lab.labels import Labels, Owner
from lab.load import Loaded
from lab.plan import HOST_IMAGE, Plan, plan
from lab.programs import FOLDER, Recipe, recipe
from lab.report.style import Style
from lab.variables import substitute

Say = Callable[[str], None]

_MARGIN = 300.0
"""Seconds a run's containers may outlive its longest script, should nobody be left to remove them."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to play: where records go, whether the lab stays up, and for how many seconds.

    With ``watch`` the conversation is drawn while it goes on, in that style; the lab is watched until ^C.
    """

    records: Path = Path("runs")
    keep: bool = False
    lease: float = 8 * 3600.0
    seed: str = ""
    ca_bundle: Path | None = None
    watch: Style | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that can be known and made before there is a lab."""

    loaded: Loaded
    options: Options
    run_id: str
    plan: Plan
    recipes: Mapping[str, Recipe]
    images: Mapping[str, str]
    folder: Path


def prepare(loaded: Loaded, engine: Engine, options: Options, say: Say) -> Prepared:
    """Make what can be made before there is a lab: images and the record's folder. LabError if it cannot."""
    planned = plan(loaded.scenario)
    recipes = {
        name: recipe(name, program, loaded.folder) for name, program in loaded.scenario.programs.items()
    }
    images = ensure(engine, _images(planned), say, ca_bundle=options.ca_bundle)
    run_id = secrets.token_hex(4)
    folder = record.create(options.records, loaded.file.stem, run_id)
    return Prepared(loaded, options, run_id, planned, recipes, images, folder)


def labels(prepared: Prepared) -> Labels:
    """The labels of all that is made for the run."""
    scenario, options = prepared.loaded.scenario, prepared.options
    longest = 2 * scenario.timeouts.scenario + scenario.timeouts.build * len(scenario.programs) + _MARGIN
    return Labels(
        run_id=prepared.run_id,
        scenario=prepared.loaded.file.stem,
        file=str(prepared.loaded.file),
        host="",
        addresses="",
        role="build",
        owner=Owner.this_process(),
        record=str(prepared.folder.absolute()),
        expires=int(time.time() + (max(options.lease, longest) if options.keep else longest)),
    )


async def build_all(deployment: Deployment, prepared: Prepared, say: Say) -> dict[str, bytes]:
    """The programs that any host runs, a tar of each that has files."""
    seconds, image = prepared.loaded.scenario.timeouts.build, prepared.images[HOST_IMAGE]

    def build(name: str) -> bytes:
        return built(
            deployment.engine,
            prepared.recipes[name],
            image,
            deployment.labels,
            seconds=seconds,
            say=say,
        )

    started = dict.fromkeys(name for host in prepared.plan.hosts for name in host.programs)
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(deployment.call(build, name))
            for name in started
            if prepared.recipes[name].files
        }
    return {name: task.result() for name, task in tasks.items()}


async def starters(
    deployment: Deployment, prepared: Prepared, variables: Mapping[str, str]
) -> dict[tuple[str, str], Starter]:
    """How each host starts each of its programs, the variables in its words and environment filled in."""
    found = {}
    for host in prepared.plan.hosts:
        for name in host.programs:
            own, program = prepared.recipes[name], prepared.loaded.scenario.programs[name]
            words = [substitute(word, variables) for word in (*own.argv, *program.args)]
            if not own.argv:
                image = prepared.images[host.image]
                words = [*await deployment.call(image_command, deployment.engine, image), *words]
            env = {key: substitute(value, variables) for key, value in program.env.items()}
            workdir = f"{FOLDER}/{name}" if own.files else FOLDER
            found[host.name, name] = Starter(tuple(words), workdir, env)
    return found


def _images(planned: Plan) -> set[str]:
    return {SIDECAR, HOST_IMAGE} | {host.image for host in planned.hosts}


def nonce(seed: str) -> str:
    """Eight characters that a program cannot know beforehand: new each run, or the same for the same seed."""
    return hashlib.sha256((seed or secrets.token_hex(16)).encode()).hexdigest()[:8]
