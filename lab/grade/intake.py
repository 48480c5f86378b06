"""A class of submissions: a folder, a zip or a tar, and who handed in what of it.

Nothing is unpacked to the disk. Whatever is wrong with one submission is told of that one.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct, field

from lab.core.archive import Tree
from lab.core.errors import UsageError
from lab.grade.names import Named, named
from lab.scenario.loader.gathering import Entry, Gathering, Room
from lab.scenario.loader.leftovers import is_left_out
from lab.scenario.loader.sources import opened_folder
from lab.scenario.loader.unpacking import (
    Packed,
    damage_told,
    is_archive,
    put,
    tar_entries,
    unpacked,
    zip_entries,
    zip_name,
)
from lab.scenario.loader.unusable import UnusableError

MOST = 20_000
"""Entries at the top of a batch."""

_MOST_IN_ARCHIVE = 2_000_000
_FOREIGN = (".rar", ".7z", ".xz", ".tar.xz", ".bz2", ".tar.bz2", ".gz", ".zst")


class Refused(Exception):  # noqa: N818 - it is no error of the lab's
    """Why a submission is not graded; ``human`` if that may be nobody's fault."""

    def __init__(self, reason: str, *, human: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.human = human


class Handed(Struct, frozen=True):
    """What one student handed in: names of entries of the batch, and why it cannot be graded, if so."""

    student: Named
    entries: tuple[str, ...]
    trouble: str = ""

    @property
    def label(self) -> str:
        """What it is called where it lies."""
        return ", ".join(self.entries)


class Batch(Struct, frozen=True):
    """A batch that is open: its entries by name, or what is wrong with one."""

    entries: Mapping[str, Entry | UnusableError]


@contextmanager
def opened_batch(path: Path) -> Iterator[Batch]:
    """A batch while it is open. UsageError if it cannot be read at all."""
    with ExitStack() as opened:
        try:
            if path.is_dir():
                yield Batch(opened.enter_context(opened.enter_context(opened_folder(path)).below(MOST)))
                return
            if not is_archive(path.name):
                raise _no_batch(path, "it is no folder, zip or tar")
            if path.name.lower().endswith(".zip"):
                entries = _of_zip(opened.enter_context(zipfile.ZipFile(path)))
            else:
                entries = _of_tar(opened.enter_context(tarfile.open(path)))
        except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, ValueError) as error:
            told = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise _no_batch(path, told) from error
        yield Batch(_unwrapped(entries))


def _no_batch(path: Path, why: str) -> UsageError:
    fix = "name a folder, a zip or a tar with an entry for each submission"
    return UsageError("no-submissions", f"the submissions cannot be read: {why}", where=str(path), fix=fix)


class _PartOfZip(Struct, frozen=True):
    """Some entries of a zip."""

    archive: zipfile.ZipFile
    infos: list[zipfile.ZipInfo]

    def infolist(self) -> list[zipfile.ZipInfo]:
        """What is in it."""
        return self.infos

    def open(self, name: zipfile.ZipInfo, /) -> IO[bytes]:
        """The content of a file of it."""
        return self.archive.open(name)


class _PartOfTar(Struct, frozen=True):
    """Some members of a tar."""

    archive: tarfile.TarFile
    members: list[tarfile.TarInfo]

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        return iter(self.members)

    def extractfile(self, member: tarfile.TarInfo, /) -> IO[bytes] | None:
        """The content of a file of it."""
        return self.archive.extractfile(member)


def _of_zip(archive: zipfile.ZipFile) -> dict[str, Entry | UnusableError]:
    groups: dict[str, list[zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        groups.setdefault(_top(zip_name(info)), []).append(info)
    return {
        top: _part(top, lambda top=top, infos=infos: zip_entries(top, _PartOfZip(archive, infos)))  # type: ignore[misc]
        for top, infos in groups.items()
    }


def _of_tar(archive: tarfile.TarFile) -> dict[str, Entry | UnusableError]:
    groups: dict[str, list[tarfile.TarInfo]] = {}
    for number, member in enumerate(archive):
        if number > _MOST_IN_ARCHIVE:
            raise ValueError(f"it has more than {_MOST_IN_ARCHIVE} entries")
        groups.setdefault(_top(member.name), []).append(member)
    return {
        top: _part(top, lambda top=top, members=members: tar_entries(top, _PartOfTar(archive, members)))  # type: ignore[misc]
        for top, members in groups.items()
    }


def _top(path: str) -> str:
    return next((part for part in path.split("/") if part not in ("", ".")), ".")


def _part(top: str, entries: Callable[[], Iterable[tuple[str, Packed]]]) -> Entry | UnusableError:
    """What an archive has below one name, or what is wrong with that."""
    whole = Packed()
    try:
        with damage_told(top):
            for path, entry in entries():
                put(whole, path, entry, top)
    except UnusableError as error:
        return error
    return whole.holds.get(top, Packed())


def _unwrapped(entries: Mapping[str, Entry | UnusableError]) -> Mapping[str, Entry | UnusableError]:
    """What is in the one folder of an archive, if that holds folders and archives alone."""
    own = {name: entry for name, entry in entries.items() if not _is_leftover(name, entry)}
    name, only = next(iter(own.items()), ("", None))
    if (
        len(own) != 1
        or not isinstance(only, Packed)
        or only.kind != "folder"
        or named(name, is_folder=True).id
    ):
        return entries
    below = {name: entry for name, entry in only.holds.items() if not _is_leftover(name, entry)}
    batch = all(entry.kind == "folder" or is_archive(name) for name, entry in below.items())
    return only.holds if below and batch else entries


def _is_leftover(name: str, entry: Entry | UnusableError) -> bool:
    is_folder = not isinstance(entry, UnusableError) and entry.kind == "folder"
    return is_left_out((name,), is_folder=is_folder, ignored=())


def handed_in(batch: Batch) -> list[Handed]:
    """Who handed in what, in the order of their names; one for each student."""
    groups: dict[str, list[tuple[str, Named]]] = {}
    for name, entry in sorted(batch.entries.items()):
        if _is_leftover(name, entry):
            continue
        student = named(name, is_folder=not isinstance(entry, UnusableError) and entry.kind == "folder")
        groups.setdefault(student.key, []).append((name, student))
    return [_handed(parts) for parts in groups.values()]


def _handed(parts: list[tuple[str, Named]]) -> Handed:
    """One student's. What a platform gives one file at a time belongs together."""
    files = [(name, student) for name, student in parts if not student.text]
    names = tuple(name for name, _ in files or parts)
    student = (files or parts)[0][1]
    if not files:
        return Handed(student, names, "there is no file, only text that was typed into the web page")
    if len(files) > 1 and not all(one.platform and one.file for _, one in files):
        return Handed(student, names, f"the same student handed in several: {', '.join(names)}")
    return Handed(student, names)


class _Several(Struct, frozen=True):
    """Files that were handed in one by one, as a folder."""

    holds: dict[str, Entry] = field(default_factory=dict)
    kind: str = "folder"

    @contextmanager
    def below(self, most: int) -> Iterator[Mapping[str, Entry]]:  # noqa: ARG002 - there are few
        """The files by the names that the student gave them."""
        yield self.holds

    def content(self, most: int) -> bytes:  # noqa: ARG002 - a folder has none
        """It has none."""
        return b""

    def target(self) -> str:
        """It leads nowhere."""
        return ""


def tree_of(batch: Batch, handed: Handed, most: int) -> Tree:
    """What a student handed in, at most so many bytes. Refused."""
    if handed.trouble:
        raise Refused(handed.trouble, human=True)
    try:
        return _tree(_root(batch, handed), handed.label, most)
    except UnusableError as error:
        human = error.fault.code == "bad-archive"
        raise Refused(f"{error.fault.what}: {error.fault.fix}", human=human) from error
    except OSError as error:
        raise Refused(f"it cannot be read: {error.strerror or error}", human=True) from error


def _root(batch: Batch, handed: Handed) -> Entry:
    found: dict[str, Entry] = {}
    for name in handed.entries:
        entry = batch.entries.get(name)
        if entry is None:
            raise Refused(f'"{name}" is not there any more', human=True)
        if isinstance(entry, UnusableError):
            raise entry
        found[named(name, is_folder=entry.kind == "folder").file or name] = entry
    only = next(iter(found.values()))
    return only if len(found) == 1 and only.kind == "folder" else _Several(found)


def _tree(root: Entry, label: str, most: int) -> Tree:
    gathering = Gathering(label, Room(most))
    gathering.take(root)
    only = next(iter(gathering.files.items()), ((), b""))
    if len(gathering.files) != 1 or not is_archive(only[0][-1]):
        return _single(gathering.tree())
    name, content = only[0][-1], only[1]
    inner = Gathering(name, Room(most), size=len(content))
    with damage_told(name):
        inner.take(unpacked(name, content))
    return _single(inner.tree())


def _single(tree: Tree) -> Tree:
    """The tree, or why it is not taken: an archive of a kind that is not known."""
    foreign = [path for path, _ in tree.files if path.lower().endswith(_FOREIGN)]
    if foreign and len(tree.files) == 1:
        raise Refused(f'"{foreign[0]}" cannot be unpacked: hand in a folder, a zip, a tar or a tar.gz')
    return tree
