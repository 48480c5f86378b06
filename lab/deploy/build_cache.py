"""Results of builds, kept for the next run: whole or not at all, and no more of them than some bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from lab.core.errors import LabError

LIMIT = 4 * 1024**3
"""Bytes of all results; those that were not used for longest go first."""

_SUFFIX = ".build"
_HEAD = b"tcp-lab build 2\n"
_STALE_SECONDS = 3600.0
"""Age of a part of a result after which nobody writes it any more."""


class BuildCache(Struct, frozen=True):
    """A folder of results, each with its digest; several labs may use it at once."""

    folder: Path
    limit: int = LIMIT

    def get(self, key: str) -> bytes | None:
        """A result that is whole, or None."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            digest, content = data[len(_HEAD) :][:32], data[len(_HEAD) + 32 :]
            if data.startswith(_HEAD) and hashlib.sha256(content).digest() == digest:
                os.utime(path)
                return content
            path.unlink()
        return None

    def put(self, key: str, content: bytes) -> None:
        """Keep a result. LabError if it cannot be written; nothing of it is left then."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._new() as file:
                Path(file).write_bytes(_HEAD + hashlib.sha256(content).digest() + content)
                Path(file).rename(self._path(key))
            self._prune()
        except OSError as error:
            what = f"the result of a build cannot be kept: {error.strerror}"
            fix = "make room there, or set XDG_CACHE_HOME to another folder"
            raise LabError("build-cache", what, where=str(self.folder), fix=fix) from error

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    @contextlib.contextmanager
    def _new(self) -> Iterator[str]:
        """A new file that is gone afterwards unless it was renamed."""
        descriptor, path = tempfile.mkstemp(dir=self.folder, prefix=".part-")
        os.close(descriptor)
        try:
            yield path
        finally:
            Path(path).unlink(missing_ok=True)

    def _prune(self) -> None:
        """Let go of what was not used for longest, and of what is no result."""
        results = []
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another lab prunes as well
                told = path.stat()
                if path.suffix == _SUFFIX:
                    results.append((told.st_mtime, told.st_size, path))
                elif told.st_mtime < time.time() - _STALE_SECONDS:
                    path.unlink()
        kept = sum(size for _, size, _ in results)
        for _, size, path in sorted(results):
            if kept <= self.limit:
                return
            path.unlink(missing_ok=True)
            kept -= size
