"""One process at a time makes images."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from lab.core.assets import cache_folder
from lab.engine.image import Say


@contextmanager
def building(say: Say) -> Iterator[None]:
    """Hold the lock (flock(2)) that all processes of this user share; the kernel lets go of it if we die."""
    with (cache_folder() / "images.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another lab that is making images")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
