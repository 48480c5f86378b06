"""The scenarios that are measured, besides those of the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.scenario.loader import Loaded, load

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
    return load(_written(folder / f"crowd{count}.yaml", _crowd(count)))


def _crowd(count: int) -> str:
    numbers = range(1, count + 1)
    return _CROWD.format(
        count=count,
        hosts="\n".join(f"  h{each}: {{address: 10.153.{each // 250}.{each % 250 + 1}}}" for each in numbers),
        steps="\n".join(f"- h{each}: {{start: idle}}" for each in numbers),
    )


TALKERS = 10
"""Hosts that talk: each of one half opens connections to one of the other half."""

CONNECTIONS = 50
"""Short connections that they open in a second, all together."""

PORT = 7000

_TALK = """\
import socket, sys, time
if len(sys.argv) == 1:
    listener = socket.create_server(("", 7000))
    while True:
        end, _ = listener.accept()
        end.sendall(end.recv(99))
        end.close()
due = time.monotonic()
while True:
    with socket.create_connection((sys.argv[1], 7000)) as end:
        end.sendall(b"hello")
        end.recv(99)
        end.recv(99)
    due += float(sys.argv[2])
    time.sleep(max(0.0, due - time.monotonic()))
"""


@dataclass(frozen=True, slots=True)
class Talker:
    """A program to be started on a host; without a ``server`` to connect to it is one."""

    host: str
    words: list[str]
    server: str = ""


def talking(folder: Path) -> tuple[Loaded, list[Talker]]:
    """Hosts that hold a program which talks, and how to start it on each, servers first."""
    (folder / "talk.py").write_text(_TALK, encoding="utf-8")
    half = range(1, TALKERS // 2 + 1)
    gap = str(len(half) / CONNECTIONS)
    run = ["python3", "idle/talk.py"]
    talkers = [Talker(f"h{each}", run) for each in half]
    talkers += [
        Talker(f"h{each + len(half)}", [*run, f"10.153.0.{each + 1}", gap], server=f"h{each}")
        for each in half
    ]
    text = _crowd(TALKERS).replace("idle.sh", "talk.py")
    return load(_written(folder / "talking.yaml", text)), talkers


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
