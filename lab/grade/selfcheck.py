"""A student's own work, played by a published assignment: as it will be graded, as far as that is visible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lab.core.errors import UsageError
from lab.core.files import opened
from lab.engine import Engine
from lab.grade.accepting import Taken, accept
from lab.grade.intake import Batch, Handed, tree_of
from lab.grade.names import named
from lab.grade.publishing import ASSIGNMENT, SCENARIOS
from lab.grade.reading import Assigned
from lab.grade.result import Graded
from lab.grade.unit import Say, grade
from lab.scenario.loader.gathering import Entry
from lab.scenario.loader.leftovers import Parts
from lab.scenario.loader.sources import opened_folder
from lab.scenario.loader.unpacking import Packed
from lab.scenario.loader.wording import listed

_MOST_FOLDERS = 1000
"""Folders that are looked into for the assignment."""


def found(work: Path) -> Path:
    """Where the assignment is that some work is for: there, in a folder of it, or above it. UsageError."""
    folder = work.resolve() if work.is_dir() else work.resolve().parent
    if (folder / ASSIGNMENT).is_file():
        return _near(folder / ASSIGNMENT)
    below = sorted(path for path in islice(folder.glob(f"*/{ASSIGNMENT}"), _MOST_FOLDERS) if path.is_file())
    if len(below) > 1:
        what = f"several folders hold an {ASSIGNMENT}: {listed([path.parent.name for path in below])}"
        raise UsageError("several-assignments", what, fix="say which: --assignment FILE")
    above = (path / ASSIGNMENT for path in (*folder.parents, Path.cwd()))
    first = next(iter([*below, *(path for path in above if path.is_file())]), None)
    if first is None:
        what = f"there is no {ASSIGNMENT} here, in a folder here, or above"
        raise UsageError("no-assignment", what, where=str(work), fix="say where it is: --assignment FILE")
    return _near(first)


def _near(path: Path) -> Path:
    """The path as a person would write it from where they are."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def visible(assigned: Assigned) -> Assigned:
    """The assignment without its hidden scenarios."""
    seen = [one for one in assigned.played if not one.is_hidden]
    names = {one.name for one in seen}
    played = (
        replace(one, case=one.case.model_copy(update={"needs": tuple(names.intersection(one.case.needs))}))
        for one in seen
    )
    return replace(assigned, played=tuple(played))


def taken(work: Path, assigned: Assigned, records: Path) -> Taken:
    """What would be handed in: a file, an archive, or a folder without what is the assignment's.

    Raises:
        Refused: it is not what the assignment asks for.
        UsageError: it is not there.
    """
    submit = assigned.assignment.submit
    handed = Handed(named(_name(work), is_folder=work.is_dir()), (_name(work),))
    with _opened(work, _not_handed_in(work, assigned, records)) as entry:
        batch = Batch({_name(work): entry})
        return accept(tree_of(batch, handed, submit.limits.bytes), submit)


def played(work: Taken, assigned: Assigned, engine: Engine, records: Path, say: Say) -> Graded:
    """Play all scenarios; what came to no result once more, as for a class."""
    given = dict.fromkeys(assigned.assignment.submit.programs, work.tree)
    first = grade(given, assigned, engine, records, say)
    return grade(given, assigned, engine, records, say, before=first) if first.undecided else first


def _name(work: Path) -> str:
    return work.resolve().name or "work"


@contextmanager
def _opened(work: Path, left_out: frozenset[Parts]) -> Iterator[Entry]:
    try:
        if not work.is_dir():
            with opened(work) as file:
                yield Packed("file", read=file.read)
                return
        with opened_folder(work) as folder:
            yield _Without(folder, left_out)
    except FileNotFoundError as error:
        fix = "name the folder, the archive or the file that you would hand in"
        raise UsageError("no-work", "there is nothing to check", where=str(work), fix=fix) from error


def _not_handed_in(work: Path, assigned: Assigned, records: Path) -> frozenset[Parts]:
    """What is in a student's folder and is the assignment's, or the lab's."""
    root, file = work.resolve(), assigned.file.resolve()
    own: Iterable[Path] = (file, file.parent / SCENARIOS, *(one.file.resolve() for one in assigned.played))
    if file.parent != root and file.is_relative_to(root):
        own = (file.parent,)
    paths = (*own, records.resolve())
    return frozenset(
        path.relative_to(root).parts for path in paths if path != root and path.is_relative_to(root)
    )


class _Without(Struct, frozen=True):
    """A folder without some of what is in it or below."""

    entry: Entry
    left_out: frozenset[Parts]
    path: Parts = ()

    @property
    def kind(self) -> str:
        return self.entry.kind

    @contextmanager
    def below(self, most: int) -> Iterator[Mapping[str, Entry]]:
        """What is in it otherwise."""
        with self.entry.below(most + len(self.left_out)) as entries:
            yield {
                name: _Without(entry, self.left_out, (*self.path, name))
                for name, entry in entries.items()
                if (*self.path, name) not in self.left_out
            }

    def content(self, most: int) -> bytes:
        """So many bytes of a file at most."""
        return self.entry.content(most)

    def target(self) -> str:
        """Where a link leads."""
        return self.entry.target()
