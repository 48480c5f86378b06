"""The container engine for the tests that need one, and the proof that they leave nothing behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.errors import EngineError
from lab.engine import Engine, connect, images
from lab.engine.containers import Container, ours

CHECKOUT = Path(__file__).parent.parent
_GONE_WITHIN = 60.0
"""Seconds the engine has for removing what has ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in tests/docker needs an engine."""
    for item in items:
        if CHECKOUT / "tests" / "docker" in item.path.parents:
            item.add_marker(pytest.mark.docker)


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
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a container of ours behind."""
    if request.node.get_closest_marker("docker") is None:
        yield
        return
    engine: Engine = request.getfixturevalue("engine")
    before = {container.id for container in ours(engine)}
    yield
    deadline = time.monotonic() + _GONE_WITHIN
    while left := [one.name for one in ours(engine) if one.id not in before and not _of_another(one)]:
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {', '.join(left)}", pytrace=False)
        time.sleep(0.05)


def _of_another(container: Container) -> bool:
    """True for what belongs to a living process that is not this one: somebody else's lab on this machine."""
    owner = container.labels.owner
    return owner.pid != os.getpid() and not owner.gone()
