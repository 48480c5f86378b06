"""Namespaces, as far as one may look at them without rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.agent import names, namespaces


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process on the network that we are on."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate(b"\n")


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process that started us were on another network than we, as an agent's is."""
    real, parent = namespaces.namespace, os.getppid()
    monkeypatch.setattr(namespaces, "namespace", lambda pid, kind: -1 if pid == parent else real(pid, kind))


@pytest.mark.usefixtures("apart")
def test_a_host_on_a_network_that_is_not_its_own_is_refused(stranger: int) -> None:
    namespaces.require_own_networks([])
    with pytest.raises(PermissionError, match=f"process {stranger} no network of its own"):
        namespaces.require_own_networks([stranger])


@pytest.mark.usefixtures("apart")
def test_a_host_that_has_ended_is_told_as_that() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(ProcessLookupError, match=f"process {ended.pid} has ended"):
        namespaces.require_own_networks([ended.pid])


def test_an_agent_on_the_network_of_the_machine_wires_nothing() -> None:
    with pytest.raises(PermissionError, match="no network of its own"):
        namespaces.require_own_networks([])


def test_a_machine_that_cannot_be_asked_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 0)
    with pytest.raises(ProcessLookupError, match="may not be asked"):
        namespaces.require_own_networks([])


def test_names_are_given_to_hosts_only(stranger: int) -> None:
    with pytest.raises(PermissionError, match=f"process {stranger} is not in a host"):
        names.name_hosts({stranger: ""}, "127.0.0.1 nobody\n")
