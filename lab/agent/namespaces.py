"""Processes and network namespaces of the hosts, by process id."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterable, Iterator

NETWORK = "net"
MOUNT = "mnt"
_KINDS = {NETWORK: 0x40000000, MOUNT: 0x00020000}
"""CLONE_NEWNET and CLONE_NEWNS (linux/sched.h), by their names in /proc/PID/ns."""

_SIOCETHTOOL = 0x8946
_OFFLOADS_OFF = (0x17, 0x15, 0x1F, 0x24, 0x2C)
"""ETHTOOL_STXCSUM, SRXCSUM (of the port), STSO, SGSO, SGRO (linux/ethtool.h)."""

_INIT = 1
"""The machine's first process: the agent sees all of the machine's."""

LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(pid: int, kind: str = NETWORK) -> Iterator[None]:
    """Be in a namespace of a process for a while; a socket opened there stays there. OSError."""
    home = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY)
    try:
        there = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        try:
            _enter(there, kind)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(home, kind)
    finally:
        os.close(home)


def _enter(namespace: int, kind: str) -> None:
    if LIBC.setns(namespace, _KINDS[kind]) != 0:
        raise OSError(ctypes.get_errno(), f"setns {kind}")


def require_own_networks(pids: Iterable[int]) -> None:
    """PermissionError unless we and each process have a network to ourselves, and not the machine's.

    An engine that takes a request otherwise than it was meant must not let anything onto the machine's.
    """
    taken = {_namespace(_INIT, NETWORK)}
    for pid in (os.getpid(), *pids):
        network = _namespace(pid, NETWORK)
        if network is None or network in taken:
            raise PermissionError(f"the engine gave process {pid} no network of its own")
        taken.add(network)


def offload_off(interface: str) -> None:
    """Turn checksum and segmentation offload off, so that a capture shows what a real wire would carry.

    A feature that the interface has not (EOPNOTSUPP) is off already.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS_OFF:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
            with contextlib.suppress(OSError):
                fcntl.ioctl(control, _SIOCETHTOOL, request)


class Hosts:
    """The containers' first processes, held by pidfd(2) so that a reused number is never mistaken for one."""

    def __init__(self) -> None:
        self._pidfds: dict[int, int] = {}

    def own(self, pid: int) -> None:
        """Take charge of a container: it is killed when the agent ends. ProcessLookupError if it is gone."""
        self._pidfds[pid] = os.pidfd_open(pid)

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal to a process inside one of the containers; False if it is not there any more."""
        try:
            target = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            ours = {_namespace(own, "pid") for own in self._pidfds} - {None}
            return _namespace(pid, "pid") in ours and _sent(target, number)
        finally:
            os.close(target)

    def kill(self) -> None:
        """End every container: the first process of a namespace takes the others with it."""
        for pidfd in self._pidfds.values():
            _sent(pidfd, signal.SIGKILL)


def _namespace(pid: int, kind: str) -> int | None:
    """Which namespace of a kind a process is in; None if it has ended or one may not ask."""
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return None


def _sent(pidfd: int, number: int) -> bool:
    """Send a signal; False if the process has ended."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True
