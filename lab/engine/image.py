"""Images in the engine: look, pull, build, import, remove."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from lab.core.errors import EngineError
from lab.engine import Engine
from lab.engine.errors import refused

Say = Callable[[str], None]
"""Told in one line what is being done."""

REGISTRY_TIMEOUT = 15
"""Seconds for a registry to say that it has an image; pulling it then takes as long as it takes."""

BUILD_SILENCE = 900
"""Seconds without a word after which a build is given up."""

_TAIL = 8
"""Lines of a failed build's output that are shown."""

_Message = Mapping[str, Any]


class Image(Struct, frozen=True):
    """An image as the engine has it; ``size`` in bytes, ``created`` as RFC 3339 text."""

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    created: str


class Build(Struct, frozen=True):
    """What an image is built from: ``context`` is a tar archive that holds ``dockerfile``.

    ``fresh``: do not use what earlier builds left in the engine's cache.
    """

    name: str
    context: bytes
    dockerfile: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str]
    fresh: bool = False


def find(engine: Engine, name: str) -> Image | None:
    """The image of that name or id, or None if the engine has none."""
    try:
        with engine.doing(f"look at image {name}"):
            found = engine.client.inspect_image(name)
            labels = found["Config"].get("Labels") or {}
            return Image(found["Id"], tuple(found["RepoTags"] or ()), labels, found["Size"], found["Created"])
    except EngineError as error:
        if error.code == "no-image":
            return None
        raise


def look_up(engine: Engine, name: str) -> None:
    """Ask the engine whether a registry has an image; the answer is quick where no registry answers.

    Raises:
        EngineError: no registry answers, or it does not have the image.
    """
    with engine.hurried(REGISTRY_TIMEOUT) as hurried, hurried.doing(f"find {name} in a registry"):
        hurried.client.inspect_distribution(name)


def pull(engine: Engine, name: str, say: Say) -> None:
    """Fetch an image from its registry. EngineError as for :func:`look_up`."""
    look_up(engine, name)
    say(f"pulling {name}")
    for _ in _messages(engine, f"pull {name}", lambda: engine.client.pull(name, stream=True, decode=True)):
        pass


def build(engine: Engine, wanted: Build, say: Say) -> None:
    """Build an image with the engine's own builder, so that nothing else needs to be installed.

    The build is abandoned when ``say`` raises.
    """
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        for message in _messages(engine, f"build {wanted.name}", lambda: _start(engine, wanted)):
            for line in str(message.get("stream", "")).splitlines():
                tail.append(line)
                say(line)
    except EngineError as error:
        error.what = "\n".join([error.what, *(f"    {line}" for line in tail if line.strip())])
        raise


def load_root(engine: Engine, name: str, packed: Path, changes: Sequence[str]) -> None:
    """Make an image from a tar archive of its root folder; ``changes`` are lines of a Dockerfile."""
    repository, _, tag = name.rpartition(":")
    with packed.open("rb") as data, engine.doing(f"import {name}"):
        engine.client.import_image_from_data(data, repository=repository, tag=tag, changes=list(changes))


def remove(engine: Engine, name: str) -> None:
    """Remove an image; EngineError if there is none or a container uses it."""
    with engine.doing(f"remove image {name}"):
        engine.client.remove_image(name)


def _start(engine: Engine, wanted: Build) -> Iterator[_Message]:
    return engine.client.build(
        fileobj=io.BytesIO(wanted.context),
        custom_context=True,
        dockerfile=wanted.dockerfile,
        tag=wanted.name,
        labels=dict(wanted.labels),
        buildargs=dict(wanted.arguments),
        nocache=wanted.fresh,
        rm=True,
        forcerm=True,
        timeout=BUILD_SILENCE,
        decode=True,
    )


def _messages(engine: Engine, what: str, ask: Callable[[], Iterator[_Message]]) -> Iterator[_Message]:
    """What the engine tells while it works; its own "error" message is raised as an EngineError.

    A generator, so that only the engine's errors, not those of the loop over it, meet the seam.
    """
    with engine.doing(what):
        for message in ask():
            if "error" in message:
                raise refused(str(message["error"]), what, engine.address)
            yield message
