"""The processes of hosts as /proc shows them: in a /proc written down, and in the real one."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.agent import processes
from lab.agent.losses import Losses
from lab.agent.processes import HIDDEN, UNKNOWN, WRAPPER, Processes
from lab.agent.protocol import ProcessRow

X86_64, AARCH64, I386 = (2, 62), (2, 183), (1, 3)
ACCEPT, READ, FUTEX = 43, 0, 202
MARK = (1 << 50) + 2048
_LOCKS = 10
"""RLIMIT_LOCKS (asm-generic/resource.h)."""


class Tree:
    """A /proc of its own. A namespace is a file, whose number is the namespace's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self, pid: int, host: str, *, name: str = "srv", state: str = "S", parent: int = 1, session: int = 0,
        sockets: tuple[int, ...] = (), files: int = 0, calls: tuple[str, ...] = (), machine: tuple[int, int] = X86_64,
        mark: int = 0, locks: int = 0, threads: int = 1, began: int = 0,
    ) -> None:  # fmt: skip
        """A process; ``calls`` are the lines of /proc/PID/task/TID/syscall, one a thread.

        ``locks`` is its limit of file locks, if that is not the one that belongs to its ``mark``.
        """
        here = self.folder / str(pid)
        (here / "ns").mkdir(parents=True)
        namespace = self.folder / f"namespace-{host}"
        namespace.touch()
        os.link(namespace, here / "ns" / "pid")
        (here / "stat").write_text(
            f"{pid} ({name}) {state} {parent} {pid} {session or pid} 0 -1{' 0' * 11} {threads} 0 {began}\n"
        )
        locks = locks or (processes.locks_of(mark) if mark else 0)
        (here / "limits").write_text(
            f"Max resident set          1024                 {mark or 'unlimited':<20} bytes     \n"
            f"Max file locks            1024                 {locks or 'unlimited':<20} locks     \n"
        )
        (here / "status").write_text(f"Name:\t{name}\nNSpid:\t{pid}\t{pid % 100}\nSeccomp:\t2\n")
        head = b"\x7fELF" + bytes([machine[0], 1]) + bytes(12) + machine[1].to_bytes(2, "little")
        (here / "program").write_bytes(head + bytes(40))
        (here / "exe").symlink_to(here / "program")
        (here / "fd").mkdir()
        links = ["/dev/pts/0"] * files + [f"socket:[{inode}]" for inode in sockets]
        for number, target in enumerate(links):
            (here / "fd" / str(number)).symlink_to(target)
        for number, call in enumerate(calls):
            (here / "task" / str(pid + number)).mkdir(parents=True)
            (here / "task" / str(pid + number) / "syscall").write_text(f"{call}\n")
        (here / "task").mkdir(exist_ok=True)

    def end(self, pid: int) -> None:
        """A process is gone."""
        (self.folder / str(pid)).rename(self.folder / f"gone-{pid}")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Two hosts, each with its first process."""
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    found = Tree(tmp_path)
    (tmp_path / "cpuinfo").write_text("no process\n")
    found.add(100, "a")
    found.add(200, "b")
    return found


def watching(losses: Losses | None = None) -> Processes:
    found = Processes(losses or Losses())
    found.start({"a": 100, "b": 200})
    return found


def call(number: int, first: int = 3) -> str:
    """A thread in a system call: its number, six arguments, stack and program counters."""
    return f"{number} {first:#x} 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f01"


def test_programs_are_found_in_their_hosts(tree: Tree) -> None:
    tree.add(101, "a", name="tail -f", session=100)
    tree.add(102, "a", name="runc:[2:INIT]")
    tree.add(111, "a", sockets=(7, 8), files=3)
    tree.add(211, "b", name="a (strange) name", parent=200)
    tree.add(300, "elsewhere")
    seen = watching().look()
    assert seen["a"] == ((111, 1, 111, 11, "srv", False, 5, (7, 8), (), 0),)
    assert [(row[0], row[4]) for row in seen["b"]] == [(211, "a (strange) name")]


def test_what_a_process_calls_itself_hides_nothing(tree: Tree) -> None:
    tree.add(111, "a", name="runc:[2:INIT]", mark=MARK, state="Z")
    tree.add(112, "a", name="runc:[2:INIT]", mark=MARK, locks=7)
    assert [(row[0], row[5], row[9]) for row in watching().look()["a"]] == [
        (111, True, MARK),
        (112, False, HIDDEN),
    ]


def test_a_process_whose_first_thread_has_ended_runs(tree: Tree) -> None:
    tree.add(111, "a", state="Z", threads=2, sockets=(7,))
    (tree.folder / "111" / "fd" / "0").unlink()
    tree.add(113, "a", sockets=(8,))
    thread = tree.folder / "111" / "task" / "113"
    thread.mkdir()
    (thread / "stat").write_text("113 (srv) S 1\n")
    (thread / "syscall").write_text(f"{call(ACCEPT, 0)}\n")
    row, _ = watching().look()["a"]
    assert row[:9] == (111, 1, 111, 11, "srv", False, 1, (8,), (("accept", 8),))


def test_a_path_longer_than_the_kernel_tells_spoils_nothing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.add(111, "a", files=2, sockets=(7,), calls=(call(ACCEPT, 2),))
    readlink = os.readlink

    def refused(path: str) -> str:
        if path.endswith(("fd/0", "exe")):
            raise OSError(errno.ENAMETOOLONG, "File name too long", path)
        return readlink(path)

    monkeypatch.setattr(os, "readlink", refused)
    losses = Losses()
    (row,) = watching(losses).look()["a"]
    assert row[6:9] == (3, (7,), (("accept", 7),))
    assert losses.told() == []


def test_zombies_are_told_and_hold_nothing(tree: Tree) -> None:
    tree.add(111, "a", sockets=(7,), state="Z", session=110)
    assert watching().look()["a"] == ((111, 1, 110, 11, "srv", True, 0, (), (), 0),)


def asleep(row: ProcessRow) -> Any:
    return row[8]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (call(ACCEPT, 1), ("accept", 7)),
        (call(READ, 1), ("recv", 7)),
        (call(READ, 0), ("read", 0)),
        (call(READ, 9), ("read", 0)),
        (call(FUTEX, 1), ("futex", 0)),
        (call(999), None),
        ("running", None),
        ("-1 0x7ffc 0x7f01", None),
    ],
)
def test_where_a_thread_sleeps(tree: Tree, line: str, expected: Any) -> None:
    tree.add(111, "a", files=1, sockets=(7,), calls=(line,))
    (row,) = watching().look()["a"]
    assert asleep(row) == ((expected,) if expected else ())


def test_each_thread_is_told(tree: Tree) -> None:
    tree.add(111, "a", sockets=(7,), calls=(call(ACCEPT, 0), call(FUTEX), "running"))
    (row,) = watching().look()["a"]
    assert sorted(asleep(row)) == [("accept", 7), ("futex", 0)]


@pytest.mark.parametrize(
    ("machine", "number", "expected"),
    [
        (X86_64, 43, "accept"),
        (AARCH64, 202, "accept"),
        (AARCH64, 43, None),
        (I386, 102, UNKNOWN),
        ((2, 243), 202, UNKNOWN),
        ((1, 62), 43, UNKNOWN),
    ],
)
def test_the_numbers_are_those_of_the_programs_machine(
    tree: Tree, machine: tuple[int, int], number: int, expected: str | None
) -> None:
    tree.add(111, "a", calls=(call(number), "running"), machine=machine)
    (row,) = watching().look()["a"]
    assert [name for name, _ in asleep(row)] == ([expected] if expected else [])


def test_a_process_that_has_just_ended_is_no_trouble(tree: Tree) -> None:
    tree.add(111, "a")
    tree.add(112, "a")
    losses = Losses()
    watched = watching(losses)
    assert len(watched.look()["a"]) == 2
    (tree.folder / "111" / "stat").unlink()
    tree.end(112)
    assert watched.look()["a"] == ()
    assert losses.told() == []


def test_a_number_that_is_used_again_is_another_process(tree: Tree) -> None:
    tree.add(111, "a")
    watched = watching()
    assert len(watched.look()["a"]) == 1
    tree.end(111)
    assert watched.look() == {"a": (), "b": ()}
    tree.add(111, "b")
    assert [row[0] for row in watched.look()["b"]] == [111]


def test_a_number_that_is_used_again_at_once_has_the_mark_of_its_process(tree: Tree) -> None:
    tree.add(111, "a", mark=MARK, began=5)
    watched = watching()
    assert [row[9] for row in watched.look()["a"]] == [MARK]
    (tree.folder / "111").rename(tree.folder / "gone")
    tree.add(111, "a", mark=MARK + 1024, began=9)
    assert [row[9] for row in watched.look()["a"]] == [MARK + 1024]


def unreadable(stat: Path) -> None:
    stat.unlink()
    stat.mkdir()


def unknown(stat: Path) -> None:
    stat.write_text("111 (srv) S\n")


@pytest.mark.parametrize("spoil", [unreadable, unknown])
def test_what_cannot_be_looked_at_is_lost_of_its_host_alone(
    tree: Tree, spoil: Callable[[Path], None]
) -> None:
    tree.add(111, "a")
    tree.add(211, "b")
    spoil(tree.folder / "111" / "stat")
    losses = Losses()
    seen = watching(losses).look()
    assert seen["a"] == ()
    assert [row[0] for row in seen["b"]] == [211]
    assert [(one.instrument, one.host, one.count) for one in losses.told()] == [("processes", "a", 1)]


def test_very_many_processes_are_not_all_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MOST", 3)
    for pid in range(110, 120):
        tree.add(pid, "a")
    tree.add(211, "b")
    losses = Losses()
    seen = watching(losses).look()
    assert [row[0] for row in seen["a"]] == [110, 111, 112]
    assert [row[0] for row in seen["b"]] == [211]
    assert [(one.host, one.why, one.limit) for one in losses.told()] == [("a", "too-many-processes", 3)]


def test_very_many_descriptors_are_not_looked_at(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MOST_DESCRIPTORS", 3)
    tree.add(111, "a", sockets=(1, 2, 3))
    tree.add(112, "a", sockets=(4, 5), state="S", mark=MARK)
    tree.add(113, "a", sockets=(6, 7), state="S", mark=MARK)
    tree.add(211, "b", sockets=(8,))
    losses = Losses()
    watched = watching(losses)
    for _ in range(2):
        seen = watched.look()
        assert [row[7] for row in (*seen["a"], *seen["b"])] == [(), (), (), (8,)]
    assert [(one.host, one.count, one.why, one.limit) for one in losses.told()] == [
        ("a", 2, "too-many-descriptors", 3)
    ]


def test_a_host_with_too_much_rests_before_it_is_looked_at_again(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MOST_DESCRIPTORS", 1)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    tree.add(111, "a", sockets=(1, 2))
    tree.add(211, "b", sockets=(3,))
    watched = watching()
    first = watched.look()
    tree.add(112, "a")
    tree.add(212, "b")
    assert watched.look({"a"}) == {"a": first["a"]}
    assert [row[0] for row in watched.look()["b"]] == [211, 212]
    now[0] += 2.0
    assert [row[0] for row in watched.look()["a"]] == [111, 112]


def test_a_host_that_is_gone(tree: Tree) -> None:
    tree.end(200)
    with pytest.raises(FileNotFoundError):
        watching()


# Which start a process came from


def test_the_processes_of_a_start_are_told_by_their_mark_whoever_is_their_parent(tree: Tree) -> None:
    tree.add(111, "a", mark=MARK, sockets=(7,))
    tree.add(112, "a", mark=MARK, sockets=(8, 9), parent=100)
    tree.add(113, "a", mark=MARK, state="Z")
    tree.add(114, "a", mark=MARK + 1024, sockets=(10,))
    tree.add(115, "a", sockets=(11,))
    tree.add(211, "b", mark=MARK)
    watched = watching()
    assert watched.of_start("a", MARK) == {111: frozenset({7}), 112: frozenset({8, 9})}
    tree.end(111)
    tree.end(112)
    assert watched.of_start("a", MARK) == {}


def test_a_program_is_told_in_the_place_of_the_shell_that_wraps_it(tree: Tree) -> None:
    tree.add(111, "a", name="busybox", mark=WRAPPER, parent=100)
    tree.add(109, "a", name="docker-init", mark=WRAPPER, parent=111, session=111)
    tree.add(112, "a", mark=MARK, parent=109, session=111, sockets=(7,))
    tree.add(113, "a", mark=MARK, parent=112, session=111)
    watched = watching()
    assert [row[:5] for row in watched.look()["a"]] == [
        (111, 100, 111, 12, "srv"),
        (113, 111, 111, 13, "srv"),
    ]
    assert [watched.program(pid) for pid in (111, 112, 113)] == [112, 112, 113]
    tree.end(112)
    tree.add(120, "a", name="usleep", mark=WRAPPER, parent=111, session=111)
    assert watched.program(111) == 0
    assert [row[0] for row in watched.look()["a"]] == [113]


# The real one


def test_the_mark_and_the_beginning_of_a_real_process(sleeper: subprocess.Popen[str]) -> None:
    assert processes.mark_of(sleeper.pid) == 0
    locks = processes.locks_of(MARK)
    resource.prlimit(sleeper.pid, _LOCKS, (locks, locks))
    assert processes.mark_of(sleeper.pid) == 0, "it is being marked"
    resource.prlimit(sleeper.pid, resource.RLIMIT_RSS, (MARK, MARK))
    assert processes.mark_of(sleeper.pid) == MARK
    resource.prlimit(sleeper.pid, resource.RLIMIT_RSS, (1024, MARK))
    assert processes.mark_of(sleeper.pid) == MARK, "what a program may set back is no mark"
    resource.prlimit(sleeper.pid, resource.RLIMIT_RSS, (1024, MARK - 1024))
    assert processes.mark_of(sleeper.pid) == HIDDEN, "what it may not is told"
    ago = time.time_ns() - processes.began(sleeper.pid)
    assert 0 <= ago < 10_000_000_000


SLEEPER = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(flush=True); s.accept()"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    """A process that waits for a connection."""
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout is not None
        found.stdout.readline()
        yield found
        found.kill()


@pytest.mark.skipif(os.uname().machine not in {"x86_64", "aarch64"}, reason="its calls are not known")
def test_a_real_process_asleep_in_accept(sleeper: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    calls: list[tuple[str, int]] = []
    held = processes.descriptors(sleeper.pid)
    while not calls and time.monotonic() < deadline:
        calls = list(processes._asleep(sleeper.pid, held, processes._machine(sleeper.pid)))  # noqa: SLF001
    ((name, inode),) = calls
    assert name == "accept"
    assert inode in held.values()


def test_a_real_descriptor_of_a_socket() -> None:
    with socket.socket() as opened:
        held = processes.descriptors(os.getpid())
        assert held[opened.fileno()] == os.fstat(opened.fileno()).st_ino
        assert set(held.values()) >= {0}


def test_a_child_that_no_look_has_shown(tree: Tree) -> None:
    tree.add(111, "a", calls=(call(ACCEPT),))
    watched = watching()
    watched.look()
    children = tree.folder / "111" / "task" / "111" / "children"
    assert not watched.has_new_child("a"), "where the kernel does not tell, nobody knows"
    children.write_text("")
    assert not watched.has_new_child("a")
    children.write_text("112 ")
    assert watched.has_new_child("a")
    assert not watched.has_new_child("b")
    tree.add(112, "a", parent=111)
    watched.look()
    assert not watched.has_new_child("a")


def test_a_name_is_told_with_all_its_bytes() -> None:
    words = "import ctypes, sys\nctypes.CDLL(None).prctl(15, b'caf\\xe9', 0, 0, 0)\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert processes.status_of(child.pid).name == "caf\udce9"
        child.communicate()
