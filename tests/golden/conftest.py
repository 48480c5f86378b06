"""``pytest tests/golden --regenerate`` writes what is expected anew; read the difference then."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switch."""
    parser.addoption("--regenerate", action="store_true", help="write the expected messages anew")


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be written instead of compared."""
    return bool(request.config.getoption("--regenerate", default=False))
