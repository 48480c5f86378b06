"""What the tests of checks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.failed import Failed


@pytest.fixture
def failed(tmp_path: Path) -> Failed:
    """A step of ``client_a`` that failed."""
    return Failed(tmp_path)
