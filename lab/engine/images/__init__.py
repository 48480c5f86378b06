"""The lab's own images: which there are, whether they are current, and making them.

An image is current while its label :data:`CONTENT` is the hash of the files it is built from. Whoever
edits one of those files gets a new image at the next ``lab up``; nothing is ever stale.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from lab.core.archive import archive
from lab.core.assets import HOST_IMAGE, LANGUAGE_IMAGES
from lab.core.errors import EngineError, UsageError
from lab.core.files import opened
from lab.engine import Engine
from lab.engine import image as engine_images
from lab.engine.image import Build, Image, Say
from lab.engine.images.base import ensure_base
from lab.engine.images.context import CERTIFICATES, base_of, digest, files_of
from lab.engine.images.lock import building
from lab.engine.workers import Workers

CONTENT = "tcp-lab.content"
"""The label that holds the hash of what an image was built from."""

SIDECAR = "tcp-lab/sidecar"
OWN = (HOST_IMAGE, SIDECAR)
"""Those that every lab needs."""

LANGUAGES = tuple(LANGUAGE_IMAGES.values())
"""Those that are made when a scenario first needs one."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class State(StrEnum):
    """Whether an image can be used as it is."""

    CURRENT = "current"
    STALE = "stale"
    MISSING = "missing"


class Status(Struct, frozen=True):
    """One of the lab's images; ``image`` is what the engine has under its name, if anything."""

    name: str
    state: State
    image: Image | None


class _AbandonedError(Exception):
    """Another build failed, or the person pressed ^C."""


def status(engine: Engine, name: str) -> Status:
    """Whether one of the lab's own images is there and current."""
    image = engine_images.find(engine, name)
    if image is None:
        return Status(name, State.MISSING, None)
    current = image.labels.get(CONTENT) == digest(files_of(name))
    return Status(name, State.CURRENT if current else State.STALE, image)


def is_own(name: str) -> bool:
    """Whether an image is one of the lab's own."""
    return name in OWN or name in LANGUAGES


def ensure(
    engine: Engine, names: Iterable[str], say: Say, *, ca_bundle: Path | None = None
) -> dict[str, str]:
    """Make sure that images are there: the lab's own are built if missing or stale, others pulled if missing.

    ``ca_bundle`` holds the certificates of a proxy that inspects TLS (PEM); LAB_CA_BUNDLE unless given.

    Returns:
        The id of each image by its name, so that a lab keeps its image whatever is built meanwhile.

    Raises:
        EngineError: an image cannot be had; the error says what to do.
    """
    wanted = sorted(set(names))
    present = {name: found for name in wanted if (found := _usable(engine, name))}
    missing = [name for name in wanted if name not in present]
    return present | (make(engine, missing, say, ca_bundle=ca_bundle) if missing else {})


def make(
    engine: Engine, names: Iterable[str], say: Say, *, ca_bundle: Path | None = None, again: bool = False
) -> dict[str, str]:
    """Build or pull images, one process at a time; what another one made meanwhile is used.

    ``again`` builds the lab's own from nothing even if they are current: for Debian's latest updates.
    The rest is as for :func:`ensure`.
    """
    certificates = _certificates(ca_bundle)
    with building(say):
        missing = [name for name in names if again or not _usable(engine, name)]
        own = [name for name in missing if is_own(name)]
        for name in set(missing) - set(own):
            engine_images.pull(engine, name, say)
        if own:
            for base in sorted({base_of(name) for name in own}):
                ensure_base(engine, base, say)
            _build_all(engine, [_recipe(name, certificates, fresh=again) for name in own], say)
        return {name: _must_find(engine, name) for name in names}


def _usable(engine: Engine, name: str) -> str:
    """The id of an image that need not be made; empty if it must."""
    if is_own(name):
        found = status(engine, name)
        return found.image.id if found.image and found.state is State.CURRENT else ""
    image = engine_images.find(engine, name)
    return image.id if image else ""


def _must_find(engine: Engine, name: str) -> str:
    image = engine_images.find(engine, name)
    if image is None:
        raise EngineError("no-image", f"{name} was made and is gone again", where=engine.address)
    return image.id


def _build_all(engine: Engine, recipes: list[Build], say: Say) -> None:
    """Build images side by side: they wait for the network more than for the processor.

    When one fails, or the person interrupts, nobody waits for the others: they stop at their next line of
    output, or with this process.
    """
    stop = threading.Event()

    def build(recipe: Build) -> None:
        def tell(line: str) -> None:
            if stop.is_set():
                raise _AbandonedError
            if line.startswith("Step "):
                say(f"{recipe.name}: {line}")

        engine_images.build(engine, recipe, tell)

    pool = Workers(len(recipes))
    jobs = [pool.submit(build, recipe) for recipe in recipes]
    try:
        for job in jobs:
            job.result()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown()


def _recipe(name: str, certificates: bytes, *, fresh: bool) -> Build:
    files = files_of(name)
    labels = {CONTENT: digest(files)}
    proxies = {key: os.environ[key] for key in _PROXIES if os.environ.get(key)}
    if certificates:
        files = {**files, CERTIFICATES: certificates}
    dockerfile = f"images/{name.rpartition('/')[2]}/Dockerfile"
    return Build(name, archive(tuple(sorted(files.items()))), dockerfile, labels, proxies, fresh)


def _certificates(given: Path | None) -> bytes:
    path = given or os.environ.get("LAB_CA_BUNDLE")
    if not path:
        return b""
    try:
        with opened(Path(path)) as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            "ca-bundle",
            f"the certificates cannot be read: {error.strerror}",
            where=str(path),
            fix="give the machine's bundle, often /etc/ssl/certs/ca-certificates.crt",
        ) from error
