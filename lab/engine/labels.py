"""The labels on every container of the lab: whose it is, how long it may stay. Clean-up goes by them only."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from msgspec import Struct

PREFIX = "tcp-lab."
PROJECT = {"tcp-lab": "true"}
"""On every container that is ours, whoever made it."""

_WORDS = {True: "yes", False: "no"}


class Owner(Struct, frozen=True):
    """The process that makes containers: its id, when it started (clock ticks since boot) and where it runs.

    The start tells it from a later process that was given the same id. ``user`` is whose process it is.
    """

    pid: int
    started: int
    machine: str
    user: int = -1

    @classmethod
    def this_process(cls) -> Owner:
        """The process that asks."""
        return cls(os.getpid(), _start_of(os.getpid()) or 0, _machine(), os.getuid())

    def is_of_this_user(self) -> bool:
        """True if it was made by this user on this machine; False if nobody said so."""
        return self.machine == _machine() and self.user == os.getuid()

    def gone(self) -> bool:
        """True if the process has ended; False if it runs, or is on another machine and cannot be known."""
        return self.machine == _machine() and _start_of(self.pid) != self.started


def _machine() -> str:
    """What tells this machine, since its last start, from any other on which a process may have the same id.

    A container counts as a machine of its own unless it sees the processes of the whole one.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _start_of(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None if there is none.

    Where there is no /proc (macOS), a process that exists counts as started at 0.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self").is_dir() or not _exists(pid) else 0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Labels(Struct, frozen=True):
    """What a container's labels say.

    ``host`` is "" for the sidecar; ``role`` is host, sidecar or build; ``expires`` in seconds since 1970;
    ``record`` is the absolute path of the run's record where it was made; ``keep`` says that the lab is to
    outlive its owner, once the owner is done with it; ``users`` are a host's programs of sources, each with
    the id of its user: "server=1879048193 client=1879048194"; ``raw`` says that its programs may open raw
    sockets; ``folder`` is where the lab was started, which ``file`` is relative to.
    """

    run_id: str
    scenario: str
    file: str
    host: str
    addresses: str
    role: str
    owner: Owner
    expires: int
    record: str = ""
    keep: bool = False
    users: str = ""
    raw: bool = False
    folder: str = ""

    def as_dict(self) -> dict[str, str]:
        """The labels as the engine takes them."""
        return PROJECT | {
            PREFIX + key: value
            for key, value in {
                "run": self.run_id,
                "scenario": self.scenario,
                "file": self.file,
                "host": self.host,
                "addresses": self.addresses,
                "role": self.role,
                "owner.pid": str(self.owner.pid),
                "owner.started": str(self.owner.started),
                "owner.machine": self.owner.machine,
                "owner.user": str(self.owner.user),
                "expires": str(self.expires),
                "record": self.record,
                "keep": _WORDS[self.keep],
                "users": self.users,
                "raw": _WORDS[self.raw],
                "folder": self.folder,
            }.items()
        }

    @classmethod
    def read(cls, labels: dict[str, str]) -> Labels:
        """The labels of one of our containers; what is missing or damaged reads as empty, 0 and expired.

        A lab that does not say whether it is to be kept is.
        """

        def text(key: str) -> str:
            return labels.get(PREFIX + key, "")

        def number(key: str) -> int:
            return int(text(key)) if text(key).isdecimal() else 0

        user = number("owner.user") if text("owner.user").isdecimal() else -1
        owner = Owner(number("owner.pid"), number("owner.started"), text("owner.machine"), user)
        return cls(
            text("run"), text("scenario"), text("file"), text("host"), text("addresses"), text("role"), owner,
            number("expires"), text("record"), text("keep") != _WORDS[False], text("users"),
            text("raw") == _WORDS[True], text("folder"),
        )  # fmt: skip
