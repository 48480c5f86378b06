"""Namespaces, as far as one may look at them without rights."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.agent.namespaces import require_own_networks


def test_a_host_on_a_network_that_is_not_its_own_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as neighbour:
        with pytest.raises(PermissionError, match="no network of its own"):
            require_own_networks([neighbour.pid])
        neighbour.communicate(b"\n")


def test_a_host_that_has_ended_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(PermissionError):
        require_own_networks([ended.pid])
