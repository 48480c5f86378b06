"""Building programs: in a container as caged as a host's, without a network, once for each version of it."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.archive import FOLDER, archive
from lab.assets import cache_folder
from lab.engine import Engine
from lab.engine.containers import ContainerSpec, Stream, attach, create_caged, start
from lab.engine.frames import STDOUT, Frames
from lab.errors import EngineError, SubmissionError
from lab.labels import Labels
from lab.programs import Recipe
from lab.scenario.cast import Limits

LIMITS = Limits.model_validate(
    {"memory": "1g", "cpus": 2, "processes": 256, "work": "256m", "file_size": "128m"}
)
_LARGEST_RESULT = 128 * 1024**2
_MESSAGES_KEPT = 16 * 1024
_CACHED = 256
_CHUNK = 1 << 16
_GRACE = 5.0

Say = Callable[[str], None]


def built(engine: Engine, recipe: Recipe, image: str, labels: Labels, *, seconds: float, say: Say) -> bytes:
    """A tar of the program's folder, ready to run; from the cache if these files were built before.

    It was made by whoever wrote the program: nothing but the hosts' cage may unpack it.

    Raises:
        SubmissionError: it does not build; the compiler's words are in the error.
    """
    if recipe.build is None:
        return archive(
            tuple((f"{recipe.name}/{file}", content) for file, content in recipe.files), mode=0o755
        )
    cached = _folder() / f"{recipe.digest(image)}.tar"
    if cached.is_file():
        os.utime(cached)
        return cached.read_bytes()
    say(f"building {recipe.name}: {recipe.build}")
    result = _build(engine, recipe, image, labels, seconds)
    _keep(cached, result)
    return result


def _build(engine: Engine, recipe: Recipe, image: str, labels: Labels, seconds: float) -> bytes:
    folder = f"{FOLDER}/{recipe.name}"
    # The result leaves on stdout only if the build succeeded; whatever the build prints goes to stderr.
    script = (
        f"mkdir {folder} && cd {folder} && tar xf - && ( {recipe.build}\n) </dev/null >&2"
        f" && tar cf - -C {FOLDER} {recipe.name}"
    )
    # Should nobody be left to wait for it, it ends by itself.
    command = ("timeout", "--signal=KILL", f"{seconds + _GRACE:g}", "sh", "-c", script)
    spec = ContainerSpec(image, command, labels, "build", limits=LIMITS)
    container = create_caged(engine, spec)
    stream = attach(engine, container)
    try:
        start(engine, container)
        stream.socket.settimeout(seconds)
        result, messages = _exchange(stream, archive(recipe.files), seconds)
    except TimeoutError:
        raise _failure(recipe, f"it takes longer than {seconds:g} s") from None
    except OSError as error:
        what = f"the connection to the build of {recipe.name} broke: {error}"
        raise EngineError("build-lost", what, where=engine.address) from error
    finally:
        stream.socket.close()
    if not result:
        raise _failure(recipe, messages.decode(errors="replace").strip() or "the build failed without a word")
    return result


def _exchange(stream: Stream, sources: bytes, seconds: float) -> tuple[bytes, bytes]:
    """Send the sources; what came on stdout, and the last of what came on stderr."""
    deadline = time.monotonic() + seconds
    stream.socket.sendall(sources)
    stream.socket.shutdown(socket.SHUT_WR)
    frames, result, messages = Frames(), bytearray(), b""
    data = stream.early
    while True:
        for pipe, piece in frames.feed(data):
            if pipe == STDOUT:
                result += piece
            else:
                messages = (messages + piece)[-_MESSAGES_KEPT:]
        if len(result) > _LARGEST_RESULT:
            return b"", b"what was built is larger than 128 MiB"
        left = deadline - time.monotonic()
        if left <= 0:  # a build that prints without end never lets a read time out
            raise TimeoutError
        stream.socket.settimeout(left)
        data = stream.socket.recv(_CHUNK)
        if not data:
            return bytes(result), messages


def _failure(recipe: Recipe, why: str) -> SubmissionError:
    return SubmissionError(
        "build-failed",
        f"program {recipe.name!r} does not build\n{why}",
        where=", ".join(name for name, _ in recipe.files),
        fix=f"the command was: {recipe.build}",
    )


def _folder() -> Path:
    folder = cache_folder() / "builds"
    folder.mkdir(exist_ok=True)
    return folder


def _keep(cached: Path, result: bytes) -> None:
    """Put a result into the cache, whole or not at all, and let go of the ones not used for longest."""
    with tempfile.NamedTemporaryFile(dir=cached.parent, delete=False) as file:
        file.write(result)
    Path(file.name).rename(cached)
    by_age = sorted(cached.parent.glob("*.tar"), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-_CACHED]:
        old.unlink(missing_ok=True)
