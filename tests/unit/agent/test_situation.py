"""What the agent says of real programs when a script breaks off, and that it hears how they end."""

from __future__ import annotations

import contextlib
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.agent import processes
from lab.agent.datagrams import DatagramTable
from lab.agent.diag import SocketTable
from lab.agent.exits import Exits
from lab.agent.losses import Losses
from lab.agent.processes import Processes
from lab.agent.protocol import DatagramRow, HostSituation, ProcessKilled, ProcessRow
from lab.agent.situation import AWAKE, Measured, Situation
from lab.agent.socket_monitor import Listed

KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])

PROGRAMS = {
    "busy": "while True: pass",
    "pauses": "import time\nwhile True: sum(range(2000)); time.sleep(0.0001)",
    "asleep": "import time\ntime.sleep(60)",
    "input": "input()",
    "stopped": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "never_bound": "import socket, time\ns = socket.socket()\ntime.sleep(60)",
}


WAITING = {"asleep": "S", "input": "S", "stopped": "T", "never_bound": "S"}
"""What the kernel calls it when they have come to it."""


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Here:
    """Programs of this test as if they were those of a host; its sockets are the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pids: list[int] = []
        self.processes = Processes(Losses())
        monkeypatch.setattr(self.processes, "look", self._look)

    def _look(self, _: object = None) -> dict[str, tuple[ProcessRow, ...]]:
        return {"a": tuple(row for pid in self.pids for row in self.processes._rows(pid, "a", 1))}  # noqa: SLF001

    def listed(self, _: str) -> Listed:
        with closing(SocketTable()) as table, closing(DatagramTable()) as datagrams:
            return Listed(table.rows(), table.bound(), datagrams.rows())

    def situation(self) -> HostSituation:
        taken = Situation(self.processes, self, 0.1, Measured())  # type: ignore[arg-type]
        while (seen := taken.seen()) is None:
            time.sleep(0.01)
        return seen[0]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch)


@pytest.fixture
def started() -> Iterator[dict[str, int]]:
    """The process id of each program; they do what they do."""
    running = {
        name: subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE)
        for name, text in PROGRAMS.items()
    }
    looks = 0
    while looks < 5:  # in a row: one that is starting does not sleep for so long
        time.sleep(0.02)
        states = {name: _state(running[name].pid) for name in WAITING}
        looks = looks + 1 if states == WAITING else 0
    yield {name: one.pid for name, one in running.items()}
    for one in running.values():
        one.kill()
        one.communicate()


def test_what_programs_are_doing(here: Here, started: dict[str, int]) -> None:
    here.pids = list(started.values())
    told = here.situation().processes
    doing = {name: next(one for one in told if one.row[0] == started[name]) for name in started}
    busy, pauses = doing.pop("busy"), doing.pop("pauses")
    assert not pauses.awake
    assert busy.running
    assert busy.awake >= AWAKE
    assert not any(one.running or one.awake for one in doing.values())
    assert [name for name, one in doing.items() if one.stopped] == ["stopped"]
    assert [name for name, one in doing.items() if one.input] == ["input"]
    assert {name: one.unlisted for name, one in doing.items()} == {
        "asleep": 0, "input": 0, "stopped": 0, "never_bound": 1,
    }  # fmt: skip


@pytest.mark.skipif(KERNEL < (6, 8), reason="the kernel does not list such sockets")
def test_what_is_bound_and_does_not_listen() -> None:
    with socket.socket() as bound, closing(SocketTable()) as table:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert [row[1:3] for row in table.bound() if row[2] == port] == [("127.0.0.1", port)]
        bound.listen()
        assert not [row for row in table.bound() if row[2] == port]


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_udp(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as bound, closing(DatagramTable()) as table:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bound.bind((address, 0))
        port, inode = bound.getsockname()[1], os.fstat(bound.fileno()).st_ino

        def seen() -> DatagramRow:
            return next(row for row in table.rows() if row.inode == inode)

        assert (seen().local, seen().port, seen().queue, seen().drops) == (address, port, 0, 0)
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            for _ in range(40):
                sender.sendto(b"x" * 100, (address, port))
        bound.setblocking(False)
        full, read = seen(), 0
        with contextlib.suppress(BlockingIOError):
            while bound.recv(200):
                read += 1
        assert full.queue > 0
        assert full.drops == 40 - read
        assert full.drops > 0


PARENT = """
import os, signal, sys
child = os.fork()
if not child:
    sys.stdin.readline()
    os.kill(os.getpid(), getattr(signal, sys.argv[1])) if sys.argv[1] else os._exit(3)
print(child, flush=True)
os.waitpid(child, 0)
print("waited", flush=True)
sys.stdin.read()
"""


def _ended(name: str, here: Here) -> list[ProcessKilled]:
    """What is told of a child that its parent waits for at once."""
    told: list[ProcessKilled] = []
    exits = Exits(told.append, Losses())
    words = [sys.executable, "-c", PARENT, name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdin
        here.pids = [int(parent.stdout.readline())]
        exits.hold(here.processes.look(), here.processes.process_of)
        parent.stdin.write("go\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "waited\n"
        ready, _, _ = select.select([exits.fileno()], [], [], 5)
        assert ready
        exits.hear()
        parent.stdin.close()
    assert not exits._held  # noqa: SLF001 - a descriptor each
    return told


@pytest.mark.skipif(KERNEL < (6, 15), reason="the kernel tells it to the parent alone")
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_child_that_a_signal_ends_is_told_though_its_parent_waited_for_it(here: Here, name: str) -> None:
    (event,) = _ended(name, here)
    assert (event.host, event.pid) == ("a", here.pids[0])
    assert event.status == 128 + getattr(signal, name)


def test_of_one_that_ends_by_itself_nothing_is_told(here: Here) -> None:
    assert _ended("", here) == []


def test_a_zombie_is_told_once_though_no_look_has_shown_it_alive(here: Here) -> None:
    told: list[ProcessKilled] = []
    exits = Exits(told.append, Losses())
    with subprocess.Popen([sys.executable, "-c", "import os; os.abort()"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        here.pids = [child.pid]
        for _ in range(3):
            exits.hold(here.processes.look(), here.processes.process_of)
            exits.hear()
    assert [(event.pid, event.status) for event in told] == [(child.pid, 128 + signal.SIGABRT)]


def test_a_zombie_tells_how_it_ended_on_any_kernel() -> None:
    with subprocess.Popen([sys.executable, "-c", "import os; os.abort()"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.status_of_zombie(child.pid) == 128 + signal.SIGABRT
        assert processes.status_of_zombie(os.getpid()) == 0
