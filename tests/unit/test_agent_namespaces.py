"""Namespaces, as far as one may look at them without rights."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.agent import namespaces


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's network is another than ours, as it is for an agent."""
    monkeypatch.setattr(namespaces, "_INIT", 0)


def test_a_host_on_a_network_that_is_not_its_own_is_refused() -> None:
    namespaces.require_own_networks([])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as neighbour:
        with pytest.raises(PermissionError, match=f"process {neighbour.pid} no network of its own"):
            namespaces.require_own_networks([neighbour.pid])
        neighbour.communicate(b"\n")


def test_a_host_that_has_ended_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(PermissionError, match=f"process {ended.pid}"):
        namespaces.require_own_networks([ended.pid])


def test_an_agent_on_the_network_of_the_machine_wires_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as machine:
        monkeypatch.setattr(namespaces, "_INIT", machine.pid)
        with pytest.raises(PermissionError, match="no network of its own"):
            namespaces.require_own_networks([])
        machine.communicate(b"\n")
