"""What students get, on the disk: whole or not at all, and read back before anybody has it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.core.archive import Tree
from lab.core.errors import LabError, UsageError, unless_full
from lab.grade.publishing import ASSIGNMENT, Publication
from lab.grade.reading import STAND_IN, read
from lab.scenario.base import plain
from lab.scenario.loader.replacing import replaced


def lay(publication: Publication, folder: Path) -> None:
    """Write it into a folder, which is made if needed.

    Raises:
        UsageError: the folder holds something or cannot be written.
        DiskFullError: there is no room.
        LabError: what was written does not play what the assignment plays.
    """
    try:
        _require_empty(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _beside(folder) as made:
            _write(publication.tree, made)
            _require_same(publication, made)
            folder.mkdir(exist_ok=True)
            _require_empty(folder)
            for path in made.iterdir():
                path.rename(folder / path.name)
    except OSError as error:
        what = f"the folder cannot be written: {error.strerror}"
        refusal = UsageError("publish", what, where=str(folder), fix="name another folder")
        raise unless_full(error, refusal) from error


def _require_empty(folder: Path) -> None:
    if folder.is_dir():
        first = next(iter(sorted(folder.iterdir())), None)
        if first is None:
            return
        what = f"the folder is not empty: it holds {first.name}"
    elif folder.exists() or folder.is_symlink():
        what = "it is no folder"
    else:
        return
    fix = "name a folder that is empty or not there yet"
    raise UsageError("not-empty", what, where=str(folder), fix=fix)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder on the same file system, with the mode of any folder; what is left in it goes."""
    place = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.absolute().name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write(tree: Tree, folder: Path) -> None:
    for path in tree.folders:
        (folder / path).mkdir(parents=True, exist_ok=True)
    for path, content in tree.files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for path, target in tree.links:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)


def _require_same(publication: Publication, folder: Path) -> None:
    """What a student's lab will read is what was to be published."""
    assigned = read(folder / ASSIGNMENT)
    for one in assigned.played:
        wanted = replaced(publication.scenarios[one.name], dict.fromkeys(one.brought, STAND_IN))
        if plain(one.loaded.scenario) != plain(wanted):
            raise _other(f"scenario {one.name}", "is read back as another one")
        for name, tree in one.loaded.trees.items():
            if name not in one.brought and tree != publication.trees[one.name, name]:
                raise _other(f"program {name} of {one.name}", "does not read back as the same files")


def _other(what: str, why: str) -> LabError:
    return LabError("publish", f"{what} {why}", fix="give its sources as one file or one folder")
