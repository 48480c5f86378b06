"""Archives that anybody may have made, read in memory: what is in them, by name."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, Protocol

from msgspec import Struct, field

from lab.scenario.cast import MAX_SOURCES_BYTES
from lab.scenario.loader.gathering import MOST_ENTRIES, Entry
from lab.scenario.loader.unusable import UnusableError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_LONGEST_LINK = 1024
_OVERHEAD = 16 * 1024**2
"""Bytes of headers that a tar may have besides its files."""

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError,
    OverflowError, NotImplementedError, RuntimeError, KeyError, IndexError,
)  # fmt: skip
"""What the libraries raise for bytes that are no archive: more than they say."""

_UNIX, _DOS = 3, 0
"""Systems that an entry of a zip may be of."""

_UTF8, _ENCRYPTED = 0x800, 0x1
"""Flags of an entry of a zip."""


class ZipLike(Protocol):
    """A zip, or a part of one."""

    def infolist(self) -> list[zipfile.ZipInfo]:
        """What is in it."""

    def open(self, name: zipfile.ZipInfo, /) -> IO[bytes]:
        """The content of a file of it."""


class TarLike(Protocol):
    """A tar, or a part of one."""

    def __iter__(self) -> Iterator[tarfile.TarInfo]: ...

    def extractfile(self, member: tarfile.TarInfo, /) -> IO[bytes] | None:
        """The content of a file of it."""


class Packed(Struct):
    """Something in an archive: a folder with what it ``holds`` by name, a file, or a link."""

    kind: str = "folder"
    holds: dict[str, Packed] = field(default_factory=dict)
    read: Callable[[int], bytes] | None = None
    leads_to: str = ""

    @contextmanager
    def below(self, most: int) -> Iterator[Mapping[str, Entry]]:  # noqa: ARG002 - it is all in memory
        """What a folder holds."""
        yield self.holds

    def content(self, most: int) -> bytes:
        """So many bytes of a file at most."""
        return self.read(most) if self.read else b""

    def target(self) -> str:
        """Where a link leads."""
        return self.leads_to


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its ending."""
    return name.lower().endswith(ENDINGS)


def unpacked(name: str, content: bytes) -> Packed:
    """What is in an archive, its files not read yet. UnusableError if it cannot be taken."""
    top = Packed()
    with damage_told(name):
        for number, (path, entry) in enumerate(_entries(name, content)):
            if number >= MOST_ENTRIES:
                raise _refused(name, f"has more than {MOST_ENTRIES} entries", "leave out what is no source")
            put(top, path, entry, name)
    return top


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """What a library raises for a damaged archive is an UnusableError."""
    try:
        yield
    except _DAMAGED as error:
        told = str(error) or type(error).__name__
        raise _refused(name, f"cannot be unpacked: {told}", "pack it again", "bad-archive") from error


def _refused(name: str, what: str, fix: str, code: str = "hostile-archive") -> UnusableError:
    return UnusableError(code, f'"{name}" {what}', fix)


def _plain(name: str, content: bytes) -> bytes:
    """The tar in a gzip, and no more of it than may be taken."""
    if name.lower().endswith(".tar"):
        return content
    most, machine = MAX_SOURCES_BYTES + _OVERHEAD, zlib.decompressobj(wbits=31)
    plain = machine.decompress(content, most)
    if machine.unconsumed_tail:
        what = f"unpacks to more than {MAX_SOURCES_BYTES // 1024**2} MiB"
        raise _refused(name, what, "leave out what is no source", "too-big")
    if not machine.eof:
        raise EOFError("it ends too early")
    return plain


def _entries(name: str, content: bytes) -> Iterator[tuple[str, Packed]]:
    if name.lower().endswith(".zip"):
        return zip_entries(name, zipfile.ZipFile(io.BytesIO(content)))
    return tar_entries(name, tarfile.open(fileobj=io.BytesIO(_plain(name, content)), mode="r:"))


def zip_entries(name: str, archive: ZipLike) -> Iterator[tuple[str, Packed]]:
    """What is in a zip by its paths. UnusableError for what no source can be."""
    for info in archive.infolist():
        path = zip_name(info)
        mode = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
        read = partial(_zip_content, archive, info)
        if path.endswith("/"):
            yield path, Packed()
        elif mode not in (0, stat.S_IFREG, stat.S_IFLNK):
            raise _irregular(name, path)
        elif info.flag_bits & _ENCRYPTED:
            raise _refused(name, "is encrypted", "pack it without a password", "bad-archive")
        elif mode == stat.S_IFLNK:
            yield path, Packed("link", leads_to=read(_LONGEST_LINK).decode(errors="surrogateescape"))
        else:
            yield path, Packed("file", read=read)


def _zip_content(archive: ZipLike, info: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(info) as file:
        return file.read(most)


def tar_entries(name: str, archive: TarLike) -> Iterator[tuple[str, Packed]]:
    """The same of a tar."""
    for member in archive:
        if member.isdir():
            yield member.name, Packed()
        elif member.issym():
            yield member.name, Packed("link", leads_to=member.linkname)
        elif member.islnk() and _leads_out(member.linkname):
            what = f'holds "{member.name}", which is a link to "{member.linkname}", which leads out of it'
            raise _refused(name, what, "put the file itself in its place")
        elif member.isreg() or member.islnk():
            yield member.name, Packed("file", read=partial(_tar_content, archive, member))
        else:
            raise _irregular(name, member.name)


def _tar_content(archive: TarLike, member: tarfile.TarInfo, most: int) -> bytes:
    file = archive.extractfile(member)  # for a hard link the file that it leads to, in this archive
    if file is None:
        raise KeyError(f"{member.name} leads to no file")
    return file.read(most)


def _irregular(name: str, path: str) -> UnusableError:
    fix = "leave out what is no file, folder or link"
    return _refused(name, f'holds "{path}", which is a device or a pipe', fix)


def zip_name(info: zipfile.ZipInfo) -> str:
    """The name of an entry: many programs write UTF-8 and do not say so, and some write a backslash."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/") if info.create_system == _DOS else name


def _leads_out(path: str) -> bool:
    return path.startswith("/") or path[1:3] in (":/", ":\\") or ".." in path.split("/")


def put(top: Packed, path: str, entry: Packed, name: str) -> None:
    """Put an entry where its path says. UnusableError for a path that leads elsewhere, or is there twice."""
    if _leads_out(path):
        raise _refused(name, f'holds "{path}", which leads out of it', "pack it again from within its folder")
    here = top
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for part in parts[:-1]:
        here = here.holds.setdefault(part, Packed())
        if here.kind != "folder":
            raise _refused(name, f'holds "{path}", which leads through a file', "pack it again")
    if not parts:
        return
    there = here.holds.setdefault(parts[-1], entry)
    if there is not entry and not there.kind == entry.kind == "folder":
        raise _refused(name, f'holds "{path}" twice', "pack it again")
