"""Looks for what could keep a lab from running on this machine, each with its cure. Nothing is changed."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from lab.core.assets import cache_folder
from lab.core.errors import LabError
from lab.engine import Engine, connect, images
from lab.engine import image as engine_images
from lab.engine import machine as engines
from lab.engine.images.base import BASE
from lab.engine.labels import Labels, Owner
from lab.engine.machine import Features, Machine

GIGABYTE = 10**9
ROOM_FOR_IMAGES = 2 * GIGABYTE
"""Bytes that the images and what their building leaves take."""

ROOM_FOR_CONTAINERS = 20 * 10**6
"""Bytes that the containers of labs take, where the images are there: what programs write is in memory."""

ROOM_FOR_RECORDS = GIGABYTE // 2
ROOM_IN_MEMORY = GIGABYTE
SOCKET_MEMORY = "memory of sockets"
_PROBE_SECONDS = 60

_NEEDS = {
    "processes": (
        "the sidecar sees the hosts' processes",
        "the engine must run containers with pid: host: not rootless, not with userns-remap",
    ),
    "namespaces": (
        "the sidecar may enter the hosts' networks",
        "the engine must grant SYS_ADMIN and SYS_PTRACE: see its security profile",
    ),
    "pidfds": (
        "the sidecar may hold processes and send them signals",
        "the engine must allow pidfd_open and pidfd_send_signal: see its seccomp profile",
    ),
    "mounts": (
        "the sidecar may mount the hosts' /etc/hosts",
        "the engine must grant SYS_ADMIN and SYS_CHROOT, and mount(2): see its security profile",
    ),
    "bridge": ("the kernel has bridges", "load the module: sudo modprobe bridge"),
    "veth": ("the kernel has veth pairs", "load the module: sudo modprobe veth"),
    "packets": ("frames can be captured", "load the module: sudo modprobe af_packet"),
    "sockets": ("the kernel tells socket states", "load the modules: sudo modprobe -a inet_diag tcp_diag"),
}


class Health(StrEnum):
    """How bad a finding is: a notice mends itself or can be lived with, a problem keeps labs from running."""

    GOOD = "good"
    NOTICE = "notice"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


class Finding(Struct, frozen=True):
    """One thing that was looked at, what was seen, and what to do about it."""

    subject: str
    health: Health
    seen: str
    fix: str = ""


def examine() -> tuple[Finding, ...]:
    """Look at everything; nothing is raised for what is wrong."""
    try:
        with connect() as engine:
            return (*_engine(engine), *_images(engine), *_kernel(engine), _records())
    except LabError as error:
        return (_problem("engine", error), _records())


def _engine(engine: Engine) -> Iterator[Finding]:
    machine = engines.describe(engine)
    seen = f"{machine.engine}, API {machine.api}, {machine.system}, Linux {machine.kernel}"
    yield Finding("engine", Health.GOOD, f"{seen}, at {engine.address}")
    yield _isolation(machine)
    yield _socket_memory(machine)
    yield _room("memory", machine.memory, ROOM_IN_MEMORY, "give the engine's machine more memory")


def _isolation(machine: Machine) -> Finding:
    for option in machine.security:
        if option in ("name=rootless", "name=userns"):
            seen = f"{option}: a sidecar cannot see the hosts' processes"
            return Finding("isolation", Health.PROBLEM, seen, "use an engine that runs as root, unmapped")
    if not any(option.split(",")[0] == "name=seccomp" for option in machine.security):
        seen = "the engine has no seccomp: system calls of programs cannot be limited"
        return Finding("isolation", Health.PROBLEM, seen, "use a kernel and an engine with seccomp")
    return Finding("isolation", Health.GOOD, ", ".join(machine.security))


def _socket_memory(machine: Machine) -> Finding:
    """Whether what a host's sockets hold counts as its memory: with cgroups of version 1 it does not."""
    if machine.cgroups > 1:
        return Finding(SOCKET_MEMORY, Health.GOOD, f"limited, by cgroup v{machine.cgroups}")
    seen = "not limited by `limits.memory`: cgroup v1 does not count what sockets buffer"
    fix = "where programs of strangers run, use an engine on cgroup v2 (see `docker info`)"
    return Finding(SOCKET_MEMORY, Health.NOTICE, seen, fix)


def _images(engine: Engine) -> Iterator[Finding]:
    statuses = [images.status(engine, name) for name in images.OWN]
    yield _base(engine, needed=any(status.state is not images.State.CURRENT for status in statuses))
    for status in statuses:
        current = status.state is images.State.CURRENT
        fix = "" if current else "lab images build (`lab up` does it by itself)"
        yield Finding(status.name, Health.GOOD if current else Health.NOTICE, status.state.value, fix)


def _base(engine: Engine, *, needed: bool) -> Finding:
    """Whether the base image is there or can be had."""
    if engine_images.find(engine, BASE):
        return Finding(BASE, Health.GOOD, "present")
    if not needed:
        return Finding(BASE, Health.NOTICE, "missing, and not needed now")
    try:
        engine_images.look_up(engine, BASE)
    except LabError as refusal:
        return _makeable(refusal)
    return Finding(BASE, Health.NOTICE, "missing; a registry has it", "`lab up` pulls it")


def _makeable(refusal: LabError) -> Finding:
    """Whether the base image can be made here, where no registry gives it."""
    if os.geteuid() != 0:
        return Finding(BASE, Health.PROBLEM, f"missing; {refusal.what}", "as root: lab images build")
    if not shutil.which("debootstrap") and not shutil.which("apt-get"):
        return Finding(BASE, Health.PROBLEM, f"missing; {refusal.what}", "install debootstrap")
    return Finding(BASE, Health.NOTICE, "missing; it will be made with debootstrap", "lab images build")


def _kernel(engine: Engine) -> Iterator[Finding]:
    sidecar = engine_images.find(engine, images.SIDECAR)
    if sidecar is None:
        yield Finding("kernel", Health.UNKNOWN, "not tried: there is no sidecar image", "lab images build")
        return
    try:
        features = engines.probe(engine, sidecar.id, _labels())
    except LabError as error:
        yield _problem("sidecar", error)
        return
    yield from _features(features)
    current = all(images.status(engine, name).state is images.State.CURRENT for name in images.OWN)
    room = ROOM_FOR_CONTAINERS if current else ROOM_FOR_IMAGES
    yield _room("engine's disk", features.free, room, "docker image prune; docker builder prune")


def _features(features: Features) -> Iterator[Finding]:
    for name, (good, fix) in _NEEDS.items():
        trouble = features.trouble.get(name, "not tried: the sidecar's image is stale")
        yield Finding(good, Health.PROBLEM, trouble, fix) if trouble else Finding(good, Health.GOOD, "yes")


def _records() -> Finding:
    try:
        folder = cache_folder()
    except LabError as error:
        return _problem("disk", error)
    return _room(f"disk of {folder}", shutil.disk_usage(folder).free, ROOM_FOR_RECORDS, "make room there")


def _room(subject: str, free: int, wanted: int, fix: str) -> Finding:
    seen = _size(free)
    if free >= wanted:
        return Finding(subject, Health.GOOD, seen)
    return Finding(subject, Health.PROBLEM, f"{seen}, {_size(wanted)} are needed", fix)


def _size(count: int) -> str:
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE // 10 else f"{count / 10**6:.0f} MB"


def _problem(subject: str, error: LabError) -> Finding:
    return Finding(subject, Health.PROBLEM, error.what, error.fix)


def _labels() -> Labels:
    """The probe is one of ours: if we die, `lab wipe` takes it away."""
    expires = int(time.time()) + _PROBE_SECONDS
    run_id = f"doctor-{secrets.token_hex(4)}"
    return Labels(run_id, "doctor", "", "", "", "sidecar", Owner.this_process(), expires)
