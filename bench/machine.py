"""The machine in words: what a figure depends on, and nothing that says whose machine it is."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import lab
from lab.engine import Engine


def describe(engine: Engine) -> list[tuple[str, str]]:
    """What it is, and its value."""
    with engine.doing("ask the engine about itself"):
        info, version = engine.client.info(), engine.client.version()
    return [
        *itself(),
        ("memory", f"{info['MemTotal'] / 1024**3:.1f} GiB"),
        ("kernel", info["KernelVersion"]),
        ("engine", f"{version['Version']} (API {version['ApiVersion']})"),
        ("storage driver", info["Driver"]),
        ("cgroups", f"v{info.get('CgroupVersion', '1')}, {info['CgroupDriver']}"),
        ("runtime", info["DefaultRuntime"]),
        ("system", info["OperatingSystem"]),
    ]


def itself() -> list[tuple[str, str]]:
    """What it is without an engine."""
    return [
        ("lab", lab.__version__),
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("processor", f"{os.cpu_count()} x {_processor()}"),
        ("python", platform.python_version()),
    ]


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
