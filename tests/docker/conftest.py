"""What the tests with an engine share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine import Engine
from tests.docker.stage import Stage


@pytest.fixture
def stage(engine: Engine, own_images: dict[str, str], tmp_path: Path) -> Stage:
    """A stage in an empty folder; the lab's images are there."""
    assert own_images
    return Stage(tmp_path, engine)
