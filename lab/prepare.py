"""What is settled before a lab goes up and what is made for it: plan, images, programs, labels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lab.assets import HOST_IMAGE
from lab.build import built
from lab.deploy import Deployment
from lab.images import SIDECAR, ensure
from lab.launch import MARGIN, Launch, Options, make_folder
from lab.load import Loaded
from lab.plan import Plan, plan
from lab.programs import Recipe, recipe

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that can be known and made before there are hosts."""

    loaded: Loaded
    options: Options
    run_id: str
    plan: Plan
    recipes: Mapping[str, Recipe]
    images: Mapping[str, str]
    folder: Path


def prepare(launch: Launch, loaded: Loaded, say: Say) -> Prepared:
    """Make what can be made before there are hosts: images and the record's folder. LabError if it cannot."""
    deployment, options = launch.deployment, launch.options
    planned = plan(loaded.scenario)
    recipes = {
        name: recipe(name, program, loaded.folder) for name, program in loaded.scenario.programs.items()
    }
    images = ensure(deployment.engine, _images(planned), say, ca_bundle=options.ca_bundle)
    make_folder(launch.folder)
    expires = int(time.time() + _stay(loaded, options))
    deployment.labels = replace(deployment.labels, expires=expires)
    return Prepared(loaded, options, launch.run_id, planned, recipes, images, launch.folder)


def _stay(loaded: Loaded, options: Options) -> float:
    """Seconds for which containers may be there."""
    timeouts = loaded.scenario.timeouts
    longest = 2 * timeouts.scenario + timeouts.build * len(loaded.scenario.programs) + MARGIN
    return max(options.lease, longest) if options.keep else longest


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


def _images(planned: Plan) -> set[str]:
    return {SIDECAR, HOST_IMAGE} | {host.image for host in planned.hosts}
