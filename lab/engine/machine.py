"""The machine the engine runs on: what the engine says of it, and what a sidecar finds there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from msgspec import Struct

from lab.core.errors import EngineError
from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.labels import Labels

_SHOWN = 300
"""Characters that are shown of what a sidecar says in place of what it found."""


class Machine(Struct, frozen=True):
    """What the engine says. ``security`` are its options as it names them ("name=rootless")."""

    engine: str
    api: str
    kernel: str
    system: str
    processors: int
    memory: int
    security: tuple[str, ...]
    cgroups: int
    """The version of Linux's control groups that limit containers."""


class Features(Struct, frozen=True):
    """What a sidecar found: what is wrong with each feature it tried, or ""; and bytes free on disk."""

    trouble: Mapping[str, str]
    free: int


def describe(engine: Engine) -> Machine:
    """Ask the engine about itself."""
    with engine.doing("ask the engine about itself"):
        version, info = engine.client.version(), engine.client.info()
        return Machine(
            engine=version["Version"],
            api=version["ApiVersion"],
            kernel=version.get("KernelVersion", ""),
            system=f"{version['Os']}/{version['Arch']}",
            processors=info["NCPU"],
            memory=info["MemTotal"],
            security=tuple(info.get("SecurityOptions") or ()),
            cgroups=int(info.get("CgroupVersion") or 1),  # older engines know the first only
        )


def is_this_machine(engine: Engine) -> bool:
    """Whether the engine runs on this machine, as far as names tell: a socket may lead elsewhere."""
    with engine.doing("ask the engine about itself"):
        info = engine.client.info()
    here = os.uname()
    return (info["Name"], info["KernelVersion"]) == (here.nodename, here.release)


def probe(engine: Engine, sidecar_image: str, labels: Labels) -> Features:
    """Try in a real sidecar what a lab needs of the machine's kernel.

    Raises:
        EngineError: a sidecar cannot even be started, or does not answer.
    """
    sidecar = box.create_sidecar(engine, sidecar_image, labels)
    try:
        box.start(engine, sidecar)
        with engine.doing("try the machine's kernel"):
            made = engine.client.exec_create(sidecar, ["python3", "-I", "-m", "agent.probe"])
            said, complaints = engine.client.exec_start(made["Id"], demux=True)
    finally:
        box.remove(engine, [sidecar])
    try:
        found = json.loads(said or b"")
        return Features(found["features"], found["free"])
    except (ValueError, LookupError, TypeError) as error:
        shown = (complaints or said or b"nothing").decode(errors="replace").strip()[-_SHOWN:]
        raise EngineError("probe", f"the sidecar could not try it: {shown}", where=engine.address) from error
