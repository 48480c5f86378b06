"""Processes and network namespaces of the hosts, by process id."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterable, Iterator

_OWN = "/proc/self/ns/net"
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_OFFLOADS_OFF = (0x17, 0x15, 0x1F, 0x24, 0x2C)
"""ETHTOOL_STXCSUM, SRXCSUM (of the port), STSO, SGSO, SGRO (linux/ethtool.h)."""

LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(pid: int) -> Iterator[None]:
    """Be in the network namespace of a process for a while; a socket opened there stays there. OSError."""
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        with within(there):
            yield
    finally:
        os.close(there)


@contextlib.contextmanager
def within(there: int) -> Iterator[None]:
    """The same by a descriptor of the namespace."""
    home = current()
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def current() -> int:
    """A descriptor of the network namespace we are in. OSError."""
    return os.open(_OWN, os.O_RDONLY)


def _enter(namespace: int) -> None:
    if LIBC.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def require_own_networks(pids: Iterable[int]) -> None:
    """PermissionError if we or a process are on the machine's network, or two on one.

    An engine that takes a request otherwise than it was meant must not let a host onto the machine's network:
    that of our parent, which is the engine's and started us. ProcessLookupError if a process has ended.
    """
    taken: set[int] = set()
    for pid in (os.getppid(), os.getpid(), *pids):
        network = namespace(pid, "net")
        if network is None:
            raise ProcessLookupError(f"process {pid} has ended, or what it is may not be asked")
        if network in taken:
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
            ours = {namespace(own, "pid") for own in self._pidfds} - {None}
            return namespace(pid, "pid") in ours and _sent(target, number)
        finally:
            os.close(target)

    def root(self, pid: int) -> int:
        """A descriptor of the root directory of a container, to walk from. OSError if it has ended."""
        found = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if not _sent(self._pidfds[pid], 0):  # the number may be another process's
            os.close(found)
            raise ProcessLookupError(errno.ESRCH, "the host has ended")
        return found

    def kill(self) -> None:
        """End every container: the first process of a namespace takes the others with it."""
        for pidfd in self._pidfds.values():
            _sent(pidfd, signal.SIGKILL)


def namespace(pid: int, kind: str) -> int | None:
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
