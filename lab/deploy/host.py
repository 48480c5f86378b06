"""A host's container: its first process, and how its programs get into it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from msgspec import Struct

from lab.core.archive import FOLDER, archive
from lab.core.errors import EngineError
from lab.core.escape import one_line
from lab.deploy.plan import PlannedHost
from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.containers import BUSYBOX, ContainerSpec

_DELIVERY_SECONDS = 30.0


class RunningHost(Struct, frozen=True):
    """A host that is up: its container, and its first process as the engine's machine counts."""

    plan: PlannedHost
    container: str
    pid: int
    uid: int
    """The lab's own user there: of its first process, of commands, and of who looks around."""
    programs: Mapping[str, int]
    """The user of each program of sources."""


def make(engine: Engine, spec: ContainerSpec, files: Mapping[str, bytes]) -> tuple[str, int]:
    """Start a host with its programs (a tar of each); its container and its first process. EngineError."""
    delivery = archive((f"{name}.tar", content) for name, content in files.items())
    container = box.create_caged(engine, spec)
    stream = box.attach(engine, container)
    with contextlib.closing(stream.socket) as connection:
        box.start(engine, container)
        _deliver(connection, stream.early, delivery, spec.hostname)
    return container, box.first_process(engine, container)


def stay(seconds: int) -> tuple[str, ...]:
    """A host's first process: stay until the lease ends, and meanwhile take the programs in.

    Its lease runs from its first instruction, whatever becomes of the engine or of its input. The input ends
    when the CLI dies; without a whole delivery it does not stay at all.
    """
    # The umask and the folders' group let programs write to their own files.
    untar = f"{BUSYBOX} tar --no-same-permissions -xf"
    each = f"for t in *.tar; do ! test -f $t || {{ {untar} $t && {BUSYBOX} rm $t; }} || exit; done"
    unpack = f"(umask 002 && cd {FOLDER} && {BUSYBOX} tar xf - && {each} && echo delivered)"
    # What it cannot take it reads all the same: its words would be lost with a connection that breaks.
    refuse = f"{{ {BUSYBOX} cat >/dev/null; kill $$; }}"
    # What runs in the background has no input but what is given to it. Its parent ends at once, so that
    # init waits for it: nothing of the lab's is left as a zombie among the host's processes.
    take_in = f"( {{ {unpack} || {refuse}; }} <&3 3<&- & ) &&"
    return (BUSYBOX, "sh", "-c", f"exec 3<&0; {take_in} exec {BUSYBOX} sleep {seconds} 3<&-")


def _deliver(connection: socket.socket, early: bytes, delivery: bytes, host: str) -> None:
    connection.settimeout(_DELIVERY_SECONDS)
    said = early
    try:
        connection.sendall(delivery)
        connection.shutdown(socket.SHUT_WR)
        while b"delivered" not in said and (chunk := connection.recv(4096)):
            said += chunk
    except OSError as error:
        raise EngineError("delivery", f"cannot bring the programs to {host}: {error}") from error
    if b"delivered" not in said:
        text = one_line(said[8:].decode(errors="replace").strip())
        raise EngineError(
            "delivery", f"cannot unpack the programs on {host}: {text}", fix="raise limits.work"
        )
