"""What a host calls the others: its /etc/hosts.

The engine writes none where it has no network to look after, and a host's root is read-only. So a file in the
host's own memory is mounted over the empty one, by the agent: nothing in the host may mount.
"""

from __future__ import annotations

import ctypes
import os

from .namespaces import LIBC, MOUNT, inside

_HOSTS = b"/etc/hosts"
_DRAFT = b"/dev/shm/hosts"
"""No program has been started yet: whatever is there already is a mistake."""

_BIND = 0x1000
_READ_ONLY = _BIND | 0x1 | 0x2 | 0x4 | 0x8 | 0x20
"""MS_RDONLY, NOSUID, NODEV, NOEXEC and REMOUNT (linux/mount.h)."""

_mount = LIBC.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)


def name_hosts(pid: int, text: str) -> None:
    """Give the host of a first process this /etc/hosts. OSError."""
    content = text.encode()
    with inside(pid, MOUNT):
        # Nothing here may import: whatever module came late would be code of the host's, with our rights.
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
        raise OSError(ctypes.get_errno(), "mount", "/etc/hosts")
