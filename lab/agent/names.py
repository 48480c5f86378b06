"""What hosts call one another: their /etc/hosts.

The engine writes none where it has no network to look after, and a host's root is read-only. So a file in the
host's own memory is mounted over the empty one, by the agent: nothing in the host may mount.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable

from .namespaces import LIBC, namespace

_HOSTS = b"/etc/hosts"
_DRAFT = b"/dev/shm/hosts"
"""No program has been started yet: whatever is there already is a mistake."""

_CLONE_NEWNS = 0x00020000
_BIND = 0x1000
_READ_ONLY = _BIND | 0x1 | 0x2 | 0x4 | 0x8 | 0x20
"""MS_RDONLY, NOSUID, NODEV, NOEXEC and REMOUNT (linux/mount.h)."""

_mount = LIBC.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)


def name_hosts(pids: Iterable[int], text: str) -> None:
    """Give the hosts of these first processes this /etc/hosts.

    Raises OSError with what the kernel refused, PermissionError if a process is not in a host.
    """
    with contextlib.ExitStack() as opened:
        hosts = []
        for pid in pids:
            hosts.append(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY))
            opened.callback(os.close, hosts[-1])
            # Of what is held, not of the number: that may be another process's by now.
            if os.fstat(hosts[-1]).st_ino in (namespace(os.getppid(), "mnt"), namespace(os.getpid(), "mnt")):
                raise PermissionError(f"process {pid} is not in a host")
        _apart(hosts, text.encode())


def _apart(hosts: Iterable[int], content: bytes) -> None:
    """Do it in a process of its own, so that the agent never is among a host's files."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for host in hosts:
                _write(host, content)
            os._exit(0)
        except OSError as error:
            os.write(writing, b"%d" % (error.errno or 0))
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as told:
        number = told.read()
    if os.waitpid(child, 0)[1] != 0:
        raise OSError(int(number or 0), f"/etc/hosts cannot be mounted: {os.strerror(int(number or 0))}")


def _write(host: int, content: bytes) -> None:
    """Nothing here may import: whatever module came late would be code of the host's, with our rights."""
    _must(LIBC.setns(host, _CLONE_NEWNS))
    file = os.open(_DRAFT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        os.write(file, content)
        _must(_mount(_DRAFT, _HOSTS, None, _BIND, None))
        _must(_mount(None, _HOSTS, None, _READ_ONLY, None))
    finally:
        os.close(file)
        os.unlink(_DRAFT)  # it stays where it is mounted


def _must(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), "")
