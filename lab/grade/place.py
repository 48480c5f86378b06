"""Where submissions are graded: beside the engine of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from lab.core.assets import LANGUAGE_IMAGES
from lab.core.errors import EngineError
from lab.deploy.plan import plan
from lab.engine import Engine
from lab.engine.images import OWN, ensure
from lab.engine.machine import describe
from lab.grade.pool import Came, graded
from lab.grade.reading import Assigned
from lab.grade.task import Task
from lab.scenario.programs import recipe_of

_LABS_OF_A_PROCESSOR = 2
"""A lab waits most of its time: with one for each processor three quarters of the machine are idle."""

_MEMORY_OF_A_LAB = 1024**3
"""Bytes that the machine should have for each lab that is up, its process included."""

Say = Callable[[str, str], None]
"""Is told the id of a task, and what goes on with it."""


class Lot(Struct, frozen=True):
    """What tasks are about: an assignment and submissions; and where the records go."""

    assigned: Assigned
    submissions: Path
    records: Path


class Watcher(Protocol):
    """Who is told what goes on."""

    def say(self, text: str) -> None:
        """Progress in words."""

    def at_work(self, name: str, text: str) -> None:
        """What is done with a unit."""


class Images(Struct, frozen=True):
    """The images of a batch by name, with their ids; ``own`` are those of the assignment."""

    ids: Mapping[str, str] = {}
    own: frozenset[str] = frozenset()

    def of(self, *languages: str) -> dict[str, str]:
        """The images that submissions in these languages run in."""
        needed = self.own | {LANGUAGE_IMAGES[name] for name in languages if name}
        return {name: id_ for name, id_ in self.ids.items() if name in needed}


class Place(Protocol):
    """Where submissions are graded."""

    @property
    def jobs(self) -> int:
        """How many it bears at once."""

    def images(self, assigned: Assigned, languages: Sequence[str], watcher: Watcher) -> Images:
        """Have the images that are needed. LabError if they cannot be had."""

    def graded(self, lot: Lot, tasks: Sequence[Task], jobs: int, say: Say) -> Iterator[Came]:
        """Grade all, so many at once; each answer as it comes. DiskFullError: no room for records."""


class Here(Struct, frozen=True):
    """Processes of this machine, beside its engine."""

    engine: Engine

    @property
    def jobs(self) -> int:
        """Two for each processor, one for each GiB of memory of the engine's machine: whichever is less."""
        machine = describe(self.engine)
        return max(1, min(_LABS_OF_A_PROCESSOR * machine.processors, machine.memory // _MEMORY_OF_A_LAB))

    def images(self, assigned: Assigned, languages: Sequence[str], watcher: Watcher) -> Images:
        """Have the images that are needed. That of a language may be missing: a run tells of it."""
        own = _own_images(assigned)
        ids = dict(ensure(self.engine, own, watcher.say))
        for language in sorted({*languages} - {""}):
            try:
                ids |= ensure(self.engine, [LANGUAGE_IMAGES[language]], watcher.say)
            except EngineError as error:
                watcher.say(f"the image of {language} cannot be had: {error.what}")
        return Images(ids, frozenset(own))

    def graded(self, lot: Lot, tasks: Sequence[Task], jobs: int, say: Say) -> Iterator[Came]:
        """Grade all in processes of their own."""
        words = (str(lot.assigned.file), lot.assigned.digest, str(lot.submissions), str(lot.records))
        return graded(tasks, jobs, words, say)


def _own_images(assigned: Assigned) -> set[str]:
    """The images of an assignment, whatever is handed in."""
    found = set(OWN)
    for one in assigned.played:
        scenario, trees = one.loaded.scenario, one.loaded.trees
        others = (name for name in scenario.programs if name not in one.brought)
        recipes = {
            name: recipe_of(name, scenario, trees)
            for name in others
            if scenario.programs[name].build_of not in one.brought
        }
        needed = {name: LANGUAGE_IMAGES[own.language] for name, own in recipes.items() if own.language}
        found |= {host.image for host in plan(scenario, needed).hosts}
    return found
