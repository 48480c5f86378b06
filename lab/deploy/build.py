"""Building programs: in a container as caged as a host's, without a network, once for each version of it.

The build runs as a user of its own. What it leaves is packed afterwards by another user, on a connection that
no process of the build can open: a result is what lies in the program's folder, whole, as its digest says.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from lab.core.archive import FOLDER, ArchiveError, checked, packed
from lab.core.assets import cache_folder
from lab.core.errors import EngineError, SubmissionError
from lab.core.escape import one_line
from lab.core.words import describe_status
from lab.deploy.build_cache import BuildCache
from lab.deploy.build_time import processor_time, was_starved
from lab.deploy.build_words import with_own_names
from lab.engine import Engine, users
from lab.engine.containers import (
    ContainerSpec,
    Exec,
    ExecState,
    create_caged,
    exec_start,
    exec_status,
    processes_in,
    remove,
    start,
)
from lab.engine.frames import STDOUT, Frames
from lab.engine.labels import Labels
from lab.scenario.cast import Limits
from lab.scenario.programs import Recipe

LIMITS = Limits.model_validate(
    {"memory": "1g", "cpus": 2, "processes": 256, "work": "256m", "file_size": "128m"}
)
_LARGEST_RESULT = 128 * 1024**2
_MESSAGES_KEPT = 16 * 1024
_CHUNK = 1 << 16
_FILES_SHOWN = 5
_LOOK_SECONDS = 0.2
"""How often the engine is asked whether a process has ended whose output somebody else still holds."""

_END_SECONDS = 5.0
"""How soon a process has ended whose output has: else the connection broke."""

_GRACE = 20.0
"""Seconds beyond those of the build for which an engine is waited for."""

_KEEPING = 2
"""Processes that keep the build's container: the engine's init, and one that sleeps."""

_PACKING_SECONDS = 60.0
_DELIVERED, _ENDED = b"delivered\n", b"ended\n"
_BUILD = """\
trap : TERM
given=$(mktemp) && cat > "$given" && [ "$(sha256sum < "$given")" = "$2  -" ] || exit
mkdir "$1" && tar xf "$given" -C "$1" && rm "$given" && cd "$1" && echo delivered || exit
timeout -k 1 "$3" sh -c "$4" < /dev/null >&2
status=$?
kill -KILL -1 2> /dev/null
chmod -R u+rwX,go+rX . 2> /dev/null
echo ended
exit $status
"""
"""Take the sources in, build, end what still runs, and let the packer read.

The engine sends SIGTERM where a connection broke: with SIGKILL some seconds later that is told from an end.
``$1`` is the folder, ``$2`` the digest of the sources, ``$3`` how many seconds ``$4`` may take.
"""

_PACK = """\
trap : TERM
own=$(mktemp -d) && mkfifo "$own/pipe" || exit
sha256sum < "$own/pipe" >&2 &
{ tar cf - -C "$1" .; echo $? > "$own/status"; } | tee "$own/pipe"
wait
exit $(cat "$own/status")
"""
"""Pack the folder ``$1`` on standard output, and write its digest to standard error; tar's status."""

_DIGEST = re.compile(rb"^([0-9a-f]{64})  -$", re.MULTILINE)
_KILLED = 137
_FAILED = (1, 2, _KILLED)
"""Statuses of a packer that could not read the folder (tar's), or that no memory was left for."""

_NOT_SAID = 126
"""The engine's status for a process whose connection broke."""

_TIMED_OUT = (124, 143, _KILLED)
"""Statuses of timeout(1) where the time was over, busybox's too, and where SIGKILL was needed."""

_NEEDED = ("sh", "cat", "chmod", "mkfifo", "mktemp", "sha256sum", "tar", "tee", "timeout")
_IS_ABLE = 'for word; do command -v "$word" || exit 1; done >&2'
"""What an image must have in which something is built, and how that is seen."""

_COMMAND = re.compile(r"(?:^|[;&|(]|-exec|\n)\s*(?:\w+=\S*\s+)*([\w.+-]+)(?=\s|$)")
_LOOK_FOR_TOOLS_SECONDS = 20.0

Say = Callable[[str], None]


class _StalledError(EngineError):
    """The engine says that a process runs which should have ended."""


class _Ended(Struct, frozen=True):
    """How a process in the build's container ended, and what it wrote; of its messages the last."""

    status: int
    output: bytes
    messages: bytes
    seconds: float


def built(
    engine: Engine, recipe: Recipe, images: Sequence[str], labels: Labels, *, seconds: float, say: Say
) -> bytes:
    """A tar of the program's folder, ready to run; from the cache if these files were built before.

    It is built in the first of the images that has what the build needs, or else in the last.

    Raises:
        SubmissionError: it does not build; the compiler's words are in the error.
        EngineError: what was given or made did not arrive whole, or the engine does not answer in time.
    """
    if recipe.build is None:
        return packed(recipe.tree, f"{recipe.folder}/")
    cache, key = BuildCache(cache_folder() / "builds"), recipe.digest("\0".join(images))
    result = cache.get(key)
    if result is None:
        say(f"building {recipe.folder}: {recipe.build}")
        tries = (_build(engine, recipe, one, labels, seconds, sure=one == images[-1]) for one in images)
        result = next(one for one in tries if one is not None)
        cache.put(key, result)
    return result


def _build(
    engine: Engine, recipe: Recipe, image: str, labels: Labels, seconds: float, *, sure: bool
) -> bytes | None:
    """Build in this image; None if it cannot be done there, unless it is ``sure`` that it can."""
    # Should nobody be left to remove it, it ends by itself.
    stay = ("sleep", f"{2 * (seconds + _GRACE):g}")
    # The packer keeps the container: a user whom the build's processes cannot touch.
    builder, packer = users.draw(2)
    spec = ContainerSpec(image, stay, labels, "build", LIMITS, builder, keeper=packer)
    container = create_caged(engine, spec)
    try:
        if not _started(engine, container, recipe, users.with_group(builder), sure=sure):
            return None
        _run_build(engine, container, recipe, users.with_group(builder), seconds)
        result = _result(engine, container, recipe, users.with_group(packer))
    finally:
        with contextlib.suppress(EngineError):  # it goes with the lab, and what became of the build is known
            remove(engine, [container])
    try:
        return checked(result, recipe.folder)
    except ArchiveError as error:
        raise _failure(recipe, f"what was built cannot be used: {one_line(str(error))}") from error


def _started(engine: Engine, container: str, recipe: Recipe, user: str, *, sure: bool) -> bool:
    """Start a build's container; False if there is not what the build needs."""
    try:
        start(engine, container)
        if sure:
            return True
        words = (*_NEEDED, *_COMMAND.findall(recipe.build or ""))
        looked = _run(engine, container, _IS_ABLE, "sh", *words, user=user, seconds=_LOOK_FOR_TOOLS_SECONDS)
    except EngineError as error:
        # Where there is no sleep either, the container has ended, maybe before it was asked.
        if sure or error.code not in ("no-program", "no-container"):
            raise
        return False
    return looked.status == 0


def _run_build(engine: Engine, container: str, recipe: Recipe, user: str, seconds: float) -> None:
    began = processor_time()
    ended = _ended(engine, container, recipe, user, seconds)
    if not ended.output.startswith(_DELIVERED):
        raise _lost(engine, f"the sources of {recipe.name} did not arrive whole in the build's container")
    if len(ended.output) > _LARGEST_RESULT:
        raise _failure(recipe, "the build prints without end")
    if ended.status == _NOT_SAID and not ended.output.endswith(_ENDED):
        raise _lost(engine, f"the connection to the build of {recipe.name} broke")
    if ended.status in _TIMED_OUT and ended.seconds >= seconds:
        if was_starved(engine, container, began, ended.seconds):
            raise _starved(engine, recipe, seconds)
        raise _failure(recipe, f"it takes longer than {seconds:g} s")
    if ended.status == _KILLED:  # by itself, or all its memory was used: a compiler says what it has to say
        raise _failure(recipe, f"the build was {describe_status(ended.status)}")
    if ended.status != 0:
        said = with_own_names(ended.messages.decode(errors="replace").strip(), _folder(recipe))
        silent = f"the build failed without a word: {describe_status(ended.status)}"
        raise _failure(recipe, said or silent)


def _ended(engine: Engine, container: str, recipe: Recipe, user: str, seconds: float) -> _Ended:
    sources = packed(recipe.tree)
    words = (_folder(recipe), hashlib.sha256(sources).hexdigest(), f"{seconds:g}", f"{recipe.build}\n")
    try:
        return _run(
            engine, container, _BUILD, "sh", *words, user=user, seconds=seconds + _GRACE, given=sources
        )
    except _StalledError:
        # The shell that ends the build is the build's own user's: a build can stop it.
        if processes_in(engine, container) <= _KEEPING:
            raise
        raise _failure(recipe, f"it takes longer than {seconds:g} s, and cannot be ended") from None


def _result(engine: Engine, container: str, recipe: Recipe, user: str) -> bytes:
    """The content of the program's folder as an archive, seen to be whole."""
    ended = _run(engine, container, _PACK, "sh", _folder(recipe), user=user, seconds=_PACKING_SECONDS)
    if len(ended.output) > _LARGEST_RESULT:
        raise _failure(recipe, "what was built is larger than 128 MiB")
    if ended.status in _FAILED:
        words = ended.messages.decode(errors="replace").strip()
        raise _failure(recipe, f"what was built cannot be read\n{words}".strip())
    digest = _DIGEST.search(ended.messages)
    if ended.status != 0 or digest is None or hashlib.sha256(ended.output).hexdigest().encode() != digest[1]:
        raise _lost(engine, f"the result of the build of {recipe.name} did not arrive whole")
    return ended.output


def _folder(recipe: Recipe) -> str:
    return f"{FOLDER}/{recipe.folder}"


def _run(
    engine: Engine,
    container: str,
    *words: str,
    user: str,
    seconds: float,
    given: bytes = b"",
) -> _Ended:
    """Run a shell's script in the container to its end; EngineError if that is not told in time."""
    began = time.monotonic()
    deadline = began + seconds
    program = exec_start(engine, container, ("sh", "-c", *words), tty=False, user=user, workdir="/")
    output, messages = bytearray(), b""
    with contextlib.closing(program.stream.socket) as connection:
        try:
            _give(connection, given, seconds)
            frames, data = Frames(), program.stream.early
            while True:
                for pipe, piece in frames.feed(data):
                    if pipe == STDOUT:
                        output += piece
                    else:
                        messages = (messages + piece)[-_MESSAGES_KEPT:]
                if len(output) > _LARGEST_RESULT:
                    break
                data = _more(engine, program, connection, deadline)
                if not data:
                    deadline = min(deadline, time.monotonic() + _END_SECONDS)
                    break
        except OSError as error:
            raise _lost(engine, f"the connection to a build broke: {error}") from error
    status = 0 if len(output) > _LARGEST_RESULT else _status(engine, program, deadline)
    return _Ended(status, bytes(output), messages, time.monotonic() - began)


def _give(connection: socket.socket, given: bytes, seconds: float) -> None:
    connection.settimeout(seconds)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who does not take it in says so
        connection.sendall(given)
        connection.shutdown(socket.SHUT_WR)


def _more(engine: Engine, program: Exec, connection: socket.socket, deadline: float) -> bytes:
    """What comes next; nothing once the process has ended, though another may still hold its output."""
    while time.monotonic() < deadline:
        connection.settimeout(_LOOK_SECONDS)
        try:
            return connection.recv(_CHUNK)
        except TimeoutError:
            if _is_over(exec_status(engine, program.id)):
                return _last(connection)
    raise _stalled(engine)


def _last(connection: socket.socket) -> bytes:
    """What may still be on its way from a process that has ended."""
    try:
        return connection.recv(_CHUNK)
    except TimeoutError:
        return b""


def _is_over(state: ExecState) -> bool:
    return not state.running and state.status is not None


def _status(engine: Engine, program: Exec, deadline: float) -> int:
    while time.monotonic() < deadline:
        state = exec_status(engine, program.id)
        if state.status is not None and _is_over(state):
            return state.status
        time.sleep(0.005)
    raise _stalled(engine)


def _stalled(engine: Engine) -> EngineError:
    return _lost(engine, "the container engine does not say how a build ended", _StalledError)


def _lost(engine: Engine, what: str, kind: type[EngineError] = EngineError) -> EngineError:
    return kind("build-lost", what, where=engine.address, fix="run it again; lab doctor")


def _starved(engine: Engine, recipe: Recipe, seconds: float) -> EngineError:
    what = f"the machine is short of processors: the build of {recipe.name} was not over after {seconds:g} s"
    fix = "run it again when the machine is less busy, or raise timeouts.build"
    return EngineError("build-starved", what, where=engine.address, fix=fix)


def _failure(recipe: Recipe, why: str) -> SubmissionError:
    return SubmissionError(
        "build-failed",
        f"program {recipe.folder!r} does not build\n{why}",
        where=", ".join(name for name, _ in recipe.tree.files[:_FILES_SHOWN]),
        fix=f"the command was: {recipe.build}",
    )
