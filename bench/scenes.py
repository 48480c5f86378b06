"""The scenarios that are measured, besides those of the checkout."""

from __future__ import annotations

from pathlib import Path

from lab.load import Loaded, load

FLOOD = 200_000_000
"""Bytes that the flooding program prints."""

_CROWD = """\
version: 1
title: {count} hosts on one switch, each with a program
networks: {{lan: 10.153.0.0/16}}
programs: {{idle: {{source: idle.sh}}}}
hosts:
{hosts}
steps:
{steps}
checks:
- exit: {{host: h1, status: 0}}
"""

_ALONE = """\
version: 1
title: One program, alone
networks: {{lan: 10.153.0.0/16}}
programs: {{alone: {{command: {command}}}}}
hosts: {{alone: {{address: 10.153.0.1}}}}
steps:
- alone: {{start: alone}}
- alone: {{wait: {{exited: true}}, within: 3m}}
timeouts: {{scenario: 4m}}
checks:
- exit: {{host: alone, status: 0}}
"""


def crowd(folder: Path, count: int) -> Loaded:
    """Hosts that each hold a program which was brought to them."""
    (folder / "idle.sh").write_text("exec sleep 600\n", encoding="utf-8")
    numbers = range(1, count + 1)
    text = _CROWD.format(
        count=count,
        hosts="\n".join(f"  h{each}: {{address: 10.153.{each // 250}.{each % 250 + 1}}}" for each in numbers),
        steps="\n".join(f"- h{each}: {{start: idle}}" for each in numbers),
    )
    return load(_written(folder / f"crowd{count}.yaml", text))


def silent(folder: Path) -> Path:
    """A program that prints nothing."""
    return _written(folder / "silent.yaml", _ALONE.format(command="'true'"))


def flooding(folder: Path) -> Path:
    """A program that prints :data:`FLOOD` bytes on its terminal."""
    command = f"'sh -c \"yes another line of output | head -c {FLOOD}\"'"
    return _written(folder / "flooding.yaml", _ALONE.format(command=command))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
