"""Tries each thing that a lab asks of the machine's kernel: ``python3 -m agent.probe`` in a sidecar.

Prints one JSON object: for each feature what went wrong, or nothing; and the bytes free on the engine's disk.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from .diag import SocketTable
from .names import name_hosts
from .namespaces import inside, namespace, require_own_networks

_EVERY_PROTOCOL = 3
_PATIENCE = 5.0


def _processes() -> None:
    if os.getpid() == 1:
        raise OSError("the sidecar is in a process namespace of its own")


def _bridge() -> None:
    _ip("link", "add", "probe", "type", "bridge")


def _veth() -> None:
    _ip("link", "add", "probe_a", "type", "veth", "peer", "name", "probe_b")


def _namespaces() -> None:
    require_own_networks([])
    with inside(os.getpid()):
        pass


def _pidfds() -> None:
    """Hold a process and send it a signal, as a host's programs are ended."""
    with subprocess.Popen(["sleep", "60"]) as other:
        held = os.pidfd_open(other.pid)
        try:
            signal.pidfd_send_signal(held, signal.SIGKILL)
        finally:
            os.close(held)
            other.kill()


def _mounts() -> None:
    """Name the hosts of another container's file system: of one that is made of ours for this."""
    with subprocess.Popen(["unshare", "--mount", "cat"], stdin=subprocess.PIPE) as other:
        _until_apart(other.pid)
        try:
            name_hosts({other.pid: ""}, "")
        finally:
            other.communicate(b"")


def _until_apart(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while namespace(pid, "mnt") == namespace(os.getpid(), "mnt"):
        if time.monotonic() > deadline:
            raise OSError("a process cannot have mounts of its own")
        time.sleep(0.005)


def _packets() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)).close()


def _sockets() -> None:
    table = SocketTable()
    try:
        table.rows()
    finally:
        table.close()


_FEATURES = (_processes, _namespaces, _pidfds, _mounts, _bridge, _veth, _packets, _sockets)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


def _trouble(feature: Callable[[], None]) -> str:
    try:
        feature()
    except OSError as error:
        return str(error)
    return ""


def main() -> None:
    """Try everything once; the interfaces that are made go with the sidecar."""
    disk = os.statvfs("/")
    features = {feature.__name__.strip("_"): _trouble(feature) for feature in _FEATURES}
    json.dump({"features": features, "free": disk.f_bavail * disk.f_frsize}, sys.stdout)


if __name__ == "__main__":
    main()
