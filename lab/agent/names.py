"""What hosts call one another, their /etc/hosts, and what their users are called, in their /etc/passwd.

The engine writes none where it has no network to look after, and a host's root is read-only. So a file in the
host's own memory is mounted over the one that is there, by the agent: nothing in the host may mount.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Mapping

from .namespaces import LIBC, namespace

_HOSTS, _USERS = b"/etc/hosts", b"/etc/passwd"
_MOST_USERS = 1 << 20
"""Bytes of an image's own /etc/passwd that are taken over."""

_DRAFT = b"/dev/shm/draft"
"""No program has been started yet: whatever is there already is a mistake."""

_CLONE_NEWNS = 0x00020000
_BIND = 0x1000
_READ_ONLY = _BIND | 0x1 | 0x2 | 0x4 | 0x8 | 0x20
"""MS_RDONLY, NOSUID, NODEV, NOEXEC and REMOUNT (linux/mount.h)."""

_mount = LIBC.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)


def name_hosts(users: Mapping[int, str], text: str) -> None:
    """Give hosts this /etc/hosts, and each the lines of its users in front of its /etc/passwd.

    A host is given by the process id of its first process.

    Raises OSError with what the kernel refused, PermissionError if a process is not in a host.
    """
    with contextlib.ExitStack() as opened:
        hosts: dict[int, bytes] = {}
        for pid, lines in users.items():
            host = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            opened.callback(os.close, host)
            # Of what is held, not of the number: that may be another process's by now.
            if os.fstat(host).st_ino in (namespace(os.getppid(), "mnt"), namespace(os.getpid(), "mnt")):
                raise PermissionError(f"process {pid} is not in a host")
            hosts[host] = lines.encode()
        _apart(hosts, text.encode())


def _apart(hosts: Mapping[int, bytes], content: bytes) -> None:
    """Do it in a process of its own, so that the agent never is among a host's files.

    ``hosts`` are their mounts, each with the lines of its users.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for host, users in hosts.items():
                _write(host, users, content)
            os._exit(0)
        except OSError as error:
            os.write(writing, b"%d" % (error.errno or 0))
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as told:
        number = told.read()
    if os.waitpid(child, 0)[1] != 0:
        code = int(number or 0)
        raise OSError(code, f"/etc/hosts and /etc/passwd cannot be mounted: {os.strerror(code)}")


def _write(host: int, users: bytes, content: bytes) -> None:
    """Nothing here may import: whatever module came late would be code of the host's, with our rights."""
    _must(LIBC.setns(host, _CLONE_NEWNS))
    _lay(_HOSTS, content)
    if others := _users():
        _lay(_USERS, users + others)


def _users() -> bytes:
    """The image's own /etc/passwd; nothing if it has none, or none that is a plain file."""
    try:
        file = os.open(_USERS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(file, _MOST_USERS) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)


def _lay(path: bytes, content: bytes) -> None:
    """Mount a file with this content over what lies there."""
    file = os.open(_DRAFT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        os.write(file, content)
        _must(_mount(_DRAFT, path, None, _BIND, None))
        _must(_mount(None, path, None, _READ_ONLY, None))
    finally:
        os.close(file)
        os.unlink(_DRAFT)  # it stays where it is mounted


def _must(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), "")
