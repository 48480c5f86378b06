"""The lab's images: current, stale or missing, and made only when they must be."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.core import assets
from lab.core.errors import EngineError, UsageError
from lab.engine import Engine, images
from lab.engine import image as engine_images
from lab.engine.images import State
from lab.engine.images.base import BASE, ensure_base

DOCKERFILE = "FROM debian:bookworm-slim\nCOPY images/ca/ /certificates/\n"


@pytest.fixture
def prefix(engine: Engine) -> Iterator[str]:
    """A prefix for images of this test, which are removed after it."""
    found = f"tcp-lab-test-{secrets.token_hex(4)}"
    yield found
    for name in (f"{found}/host", f"{found}/debian:bookworm-slim"):
        if engine_images.find(engine, name):
            engine_images.remove(engine, name)


@pytest.fixture
def dockerfile(tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Path:
    """The Dockerfile of an image PREFIX/host, the lab's only one in this test."""
    ensure_base(engine, BASE, print)
    for name in ("ca/README", "host/Dockerfile"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(DOCKERFILE)
    monkeypatch.setattr(assets, "IMAGES", tmp_path)
    monkeypatch.setattr(images, "OWN", (f"{prefix}/host",))
    return tmp_path / "host" / "Dockerfile"


def test_own_images_are_made_once(engine: Engine, own_images: dict[str, str]) -> None:
    said: list[str] = []
    assert images.ensure(engine, images.OWN, said.append) == own_images
    assert said == []
    assert [images.status(engine, name).state for name in images.OWN] == [State.CURRENT, State.CURRENT]


def test_an_edit_makes_an_image_stale_and_the_next_use_makes_it_anew(
    engine: Engine, prefix: str, dockerfile: Path
) -> None:
    name = f"{prefix}/host"
    assert images.status(engine, name).state is State.MISSING
    first = images.ensure(engine, [name], print)[name]
    assert images.status(engine, name).state is State.CURRENT
    dockerfile.write_text(DOCKERFILE + "CMD true\n")
    assert images.status(engine, name).state is State.STALE
    second = images.ensure(engine, [name], print)[name]
    assert second != first
    assert images.ensure(engine, [name], print) == {name: second}
    engine_images.remove(engine, first)


def test_two_at_once_make_an_image_once(engine: Engine, prefix: str, dockerfile: Path) -> None:
    assert dockerfile.is_file()
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(images.ensure, engine, [f"{prefix}/host"], said.append) for _ in range(2)]
    assert made[0].result() == made[1].result()
    assert sum("Step 1/" in line for line in said) == 1


def test_a_build_that_fails_shows_its_last_words(engine: Engine, prefix: str, dockerfile: Path) -> None:
    dockerfile.write_text(DOCKERFILE + "RUN echo the reason >&2; exit 7\n")
    with pytest.raises(EngineError, match="the reason") as caught:
        images.ensure(engine, [f"{prefix}/host"], print)
    assert caught.value.code == "build-failed"
    assert "--ca-bundle" in caught.value.fix
    assert images.status(engine, f"{prefix}/host").state is State.MISSING


def test_an_interrupted_build_is_abandoned(engine: Engine, prefix: str, dockerfile: Path) -> None:
    dockerfile.write_text(DOCKERFILE + f"RUN sleep 60; : {prefix}\n")
    began = time.monotonic()

    def interrupt(line: str) -> None:
        if "Step 3/" in line:
            _until(lambda: _running(engine, prefix))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.ensure(engine, [f"{prefix}/host"], interrupt)
    assert time.monotonic() - began < 55
    _until(lambda: not _running(engine, prefix))


def test_a_proxy_s_certificates_get_into_the_image(
    engine: Engine, prefix: str, dockerfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = dockerfile.with_name("bundle.pem")
    bundle.write_text("certificates")
    monkeypatch.setenv("LAB_CA_BUNDLE", str(bundle))
    name = f"{prefix}/host"
    image = images.ensure(engine, [name], print)[name]
    assert _file(engine, image, "/certificates/ca-certificates.crt") == b"certificates"
    monkeypatch.delenv("LAB_CA_BUNDLE")
    assert images.status(engine, name).state is State.CURRENT


def test_certificates_that_cannot_be_read(engine: Engine, dockerfile: Path, prefix: str) -> None:
    with pytest.raises(UsageError, match="No such file"):
        images.make(engine, [f"{prefix}/host"], print, ca_bundle=dockerfile.with_name("none"))


def test_an_image_that_nobody_has_is_refused_soon(engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(EngineError, match="registry"):
        images.ensure(engine, ["registry.invalid/nobody/none:1"], print)
    assert time.monotonic() - began < engine_images.REGISTRY_TIMEOUT + 30


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a base image")
def test_the_base_is_made_where_no_registry_has_it(
    engine: Engine, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = f"{prefix}/debian:bookworm-slim"
    ensure_base(engine, name, print)
    assert b"bookworm" in _file(engine, name, "/usr/lib/os-release")
    assert list(assets.cache_folder().glob("base-*")) == []


def _running(engine: Engine, word: str) -> bool:
    """Whether a container runs a command with this word."""
    with engine.doing("list containers"):
        return any(word in one["Command"] for one in engine.client.containers(trunc=False))


def _file(engine: Engine, image: str, path: str) -> bytes:
    """The contents of a file of an image."""
    client = engine.client
    container = client.create_container(image, ["true"])["Id"]
    try:
        chunks, _ = client.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            member = tar.extractfile(Path(path).name)
            return member.read() if member else b""
    finally:
        client.remove_container(container)


def _until(met: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)
