"""The base of all images: there already, pulled, or made here from Debian's packages."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.core.assets import cache_folder
from lab.core.errors import EngineError
from lab.engine import Engine
from lab.engine import image as engine_images
from lab.engine.image import Say

BASE = "debian:bookworm-slim"

_NO_MANUALS = """\
path-exclude /usr/share/doc/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
_WASTE = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists")
_TAIL = 1000
"""Characters of a failed command's output that are shown."""


def ensure_base(engine: Engine, name: str, say: Say) -> None:
    """Have an image with Debian's essential packages under ``name``: pull it, else make it.

    Raises:
        EngineError: no registry answers, and this machine or user cannot make it; with the cure.
    """
    if engine_images.find(engine, name):
        return
    try:
        engine_images.pull(engine, name, say)
    except EngineError as refusal:
        say(f"no registry gives {name}; making it from Debian's packages (about half a minute, once)")
        _make(engine, name, say, refusal)


def _make(engine: Engine, name: str, say: Say, refusal: EngineError) -> None:
    if os.geteuid() != 0:
        raise _cannot(name, refusal, "only root can make it here", f"sudo {_own_command()} images build")
    if not shutil.which("debootstrap"):
        _install_debootstrap(name, say, refusal)
    suite = name.rpartition(":")[2].removesuffix("-slim")
    with _scratch() as folder:
        root = folder / "root"
        say("debootstrap: unpacking Debian's essential packages")
        # A mount namespace of its own: whatever debootstrap mounts goes when it does.
        _run(["unshare", "--mount", "debootstrap", "--variant=minbase", suite, str(root)])
        _slim(root, suite)
        say(f"importing {name}")
        engine_images.load_root(engine, name, _pack(root), ['CMD ["bash"]'])


def _install_debootstrap(name: str, say: Say, refusal: EngineError) -> None:
    if not shutil.which("apt-get"):
        raise _cannot(name, refusal, "debootstrap is missing", "install it with your package manager")
    say("installing debootstrap")
    _run(["apt-get", "update"])
    _run(["apt-get", "install", "-y", "--no-install-recommends", "debootstrap", "debian-archive-keyring"])


def _cannot(name: str, refusal: EngineError, why: str, fix: str) -> EngineError:
    return EngineError(
        "no-base-image",
        f"{name} is missing, no registry gives it, and {why}\n    {refusal.what}",
        where=refusal.where,
        fix=f"{fix}; or bring the image from another machine: docker save {name} | docker load",
    )


def _own_command() -> str:
    return str(Path(sys.executable).with_name("lab"))


@contextmanager
def _scratch() -> Iterator[Path]:
    """An empty folder; what a killed run left there is removed too (the caller holds the lock)."""
    for left in cache_folder().glob("base-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="base-", dir=cache_folder()) as folder:
        yield Path(folder)


def _slim(root: Path, suite: str) -> None:
    """Leave out what no container needs, now and in later installs, as Debian's own slim images do."""
    for waste in _WASTE:
        shutil.rmtree(root / waste, ignore_errors=True)
        (root / waste).mkdir()
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    _with_updates(root / "etc/apt/sources.list", suite)
    (root / "etc/dpkg/dpkg.cfg.d/no-manuals").write_text(_NO_MANUALS)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_SERVICES)
    policy.chmod(0o755)


def _with_updates(sources: Path, suite: str) -> None:
    """The suite's updates and security fixes too, from the mirror that debootstrap chose and wrote down."""
    mirror = sources.read_text().split()[1]
    sources.write_text(
        f"deb {mirror} {suite} main\n"
        f"deb {mirror} {suite}-updates main\n"
        f"deb {mirror}-security {suite}-security main\n"
    )


def _pack(root: Path) -> Path:
    packed = root.with_suffix(".tar")
    _run(["tar", "--create", "--file", str(packed), "--numeric-owner", "--directory", str(root), "."])
    return packed


def _run(command: Sequence[str]) -> None:
    """Run a command to its end; if that is not reached, it ends with all it started."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        start_new_session=True,
    )
    try:
        output = process.communicate()[0].decode(errors="replace")
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise EngineError(
            "no-base-image",
            f"{' '.join(command[:2])} ended with status {process.returncode}\n{output[-_TAIL:]}",
            where="this machine",
            fix="behind a proxy set http_proxy; without Debian's servers bring the image: docker load",
        )
