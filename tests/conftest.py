"""The container engine for the tests that need one, and the proof that they leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.core.errors import EngineError
from lab.engine import Engine, connect, images
from lab.engine.containers import Container, ours

CHECKOUT = Path(__file__).parent.parent
_GONE_WITHIN = 60.0
"""Seconds the engine has for removing what has ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in tests/docker needs an engine. It takes longest and is played first; who is alone, last."""
    for item in items:
        if CHECKOUT / "tests" / "docker" in item.path.parents:
            item.add_marker(pytest.mark.docker)
    items.sort(key=lambda item: 2 if _is(item, "alone") else 0 if _is(item, "docker") else 1)


def pytest_configure(config: pytest.Config) -> None:
    """With ``pytest -n`` each process takes a test at a time, so that all of them play labs from the beginning."""
    if getattr(config.option, "maxschedchunk", 1) is None:
        config.option.maxschedchunk = 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Processes of ``pytest -n auto``: one more than processors, for tests with an engine wait, too."""
    return min((os.cpu_count() or 1) + 1, 8)


def _is(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None


@pytest.fixture
def checkout() -> Path:
    """The top of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of this machine. Without one a laptop skips; where LAB_REQUIRE_DOCKER=1 the test fails."""
    try:
        found = connect()
    except EngineError as error:
        if os.environ.get("LAB_REQUIRE_DOCKER") == "1":
            pytest.fail(f"LAB_REQUIRE_DOCKER=1, but {error.what}", pytrace=False)
        pytest.skip(error.what)
    with found:
        yield found


@pytest.fixture(scope="session")
def own_images(engine: Engine) -> dict[str, str]:
    """The lab's own images, built if they must be: their ids by name."""
    return images.ensure(engine, images.OWN, print)


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail a test that leaves a container of ours behind."""
    if not _is(request.node, "docker"):
        yield
        return
    engine: Engine = request.getfixturevalue("engine")
    folders = CHECKOUT, tmp_path_factory.getbasetemp()
    with _turn(alone=_is(request.node, "alone")):
        before = {container.id for container in ours(engine)}
        yield
        deadline = time.monotonic() + _GONE_WITHIN
        while left := [
            one.name for one in ours(engine) if one.id not in before and not _of_another(one, folders)
        ]:
            if time.monotonic() > deadline:
                pytest.fail(f"left behind: {', '.join(left)}", pytrace=False)
            time.sleep(0.05)


@contextmanager
def _turn(*, alone: bool) -> Iterator[None]:
    """Wait until no test that has to be alone runs; one that has to be waits until no test with an engine does.

    Processes of ``pytest -n`` share both locks (flock(2)). Whoever waits to be alone holds the first one, so
    that no other test begins meanwhile.
    """
    folder = Path(tempfile.gettempdir())
    with (
        (folder / f"tcp-lab-tests-{os.geteuid()}.gate").open("w") as gate,
        (folder / f"tcp-lab-tests-{os.geteuid()}.lock").open("w") as lock,
    ):
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def _of_another(container: Container, folders: tuple[Path, ...]) -> bool:
    """True for somebody else's lab: of another process that lives, or of a file in none of our folders."""
    owner, place = container.labels.owner, Path(container.labels.record or container.labels.file)
    if owner.pid == os.getpid():
        return False
    return not owner.gone() or (place.is_absolute() and not any(place.is_relative_to(one) for one in folders))
