"""Wrong programs, and that the verdict alone says what is wrong with them."""

from __future__ import annotations

import pytest

from lab.checks.judging import judge
from lab.core.words import Outcome
from lab.evidence.record import is_recorded, read
from lab.output.document import verdict_as_data
from lab.run.pipeline import Finished
from tests.docker.stage import Stage, busy
from tests.judged import JudgedRun

HEADER = """version: 1
title: A wrong program
networks: {lan: 10.9.8.0/24}
timeouts: {step: 2s}
hosts: {server: {address: 10.9.8.1, limits: {memory: 48m}}, a: 10.9.8.2, b: 10.9.8.3}
programs:
  server: {source: FILE, listens: PORTS}
  client: {command: "nc server 5000"}
steps:
- server: {start: server}
STEPS
checks:
- exit: {host: server, running: true}
"""

TALK = """- a: {start: client}
- a: {send: one}
- a: {expect: "never said"}
"""

LEAVES = """- a: {start: client}
- server: {wait: {asleep_in: recv}}
- a: {key: ctrl-c}
- a: {wait: {exited: true}}
- a: {wait: {state: TIME_WAIT, peer: server}}
"""

TWO = """- a: {start: client}
- a: {send: one}
- server: {expect: one}
- b: {start: client}
- b: {send: two}
- server: {expect: two}
"""

LISTENS = "import os, socket, sys, time\nlistener = socket.create_server(('', 5000))\n"

SWAPPED = """
#include <netinet/in.h>
#include <unistd.h>
int main(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = 5000};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&here, sizeof here);
    listen(listener, 5);
    pause();
}
"""

EOF_LOOP = """
#include <netinet/in.h>
#include <iostream>
#include <string>
int main()
{
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(5000);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, reinterpret_cast<sockaddr *>(&here), sizeof here);
    listen(listener, 5);
    int connection = accept(listener, nullptr, nullptr);
    char data[100];
    for (ssize_t got; (got = recv(connection, data, sizeof data, 0)) >= 0;)
        if (got) std::cout << std::string(data, got) << std::flush;
}
"""

CASES = {
    "one at a time": (
        "s.py",
        LISTENS + "while True:\n connection, _ = listener.accept()\n"
        " while data := connection.recv(100):\n  print(data.decode(), flush=True)\n",
        TWO,
        [
            "the connection of b to port 5000 was never accepted",
            "server is asleep in recv on its connection with a",
        ],
    ),
    "an exception": (
        "s.py",
        LISTENS + "connection, _ = listener.accept()\nprint(int(connection.recv(100)))\n",
        TALK,
        ["server ended with an unhandled exception", "ValueError: invalid literal"],
    ),
    "a loop after the end": (
        "s.cpp",
        EOF_LOOP,
        TWO.replace("- b: {start", "- a: {key: ctrl-c}\n- a: {wait: {exited: true}}\n- b: {start"),
        [
            "server is busy, maybe in a loop",
            "its connection with a, who closed it (CLOSE_WAIT)",
            "recv returns 0",
        ],
    ),
    "too much memory": (
        "s.py",
        LISTENS + "connection, _ = listener.accept()\nprint(connection.recv(9), bytearray(200 << 20)[0])\n",
        TALK,
        ["48 MiB, was used up (limits.memory)"],
    ),
    "no byte order": (
        "s.c",
        SWAPPED,
        "",
        ["listens on port 34835, which is 5000 with its two bytes swapped"],
    ),
    "another port": (
        "s.py",
        LISTENS.replace("5000", "5001") + "listener.accept()\n",
        "",
        ["server listens on port 5001, not on 5000"],
    ),
    "no listen": (
        "s.py",
        "import socket, time\ns = socket.socket()\ns.bind(('', 5000))\ntime.sleep(60)\n",
        "",
        ["and has not called listen"],
    ),
    "UDP": (
        "s.py",
        "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('', 5000))\ns.recvfrom(9)\n",
        "",
        ["server has a UDP socket (SOCK_DGRAM) at port 5000"],
    ),
    "nobody reads": (
        "s.py",
        LISTENS + "listener.accept(), listener.accept()\n",
        TALK,
        ["4 bytes from a are unread: server is asleep in accept on port 5000"],
    ),
    "a parent that keeps its copy": (
        "s.py",
        LISTENS + "kept = []\nwhile True:\n kept += listener.accept()\n if os.fork() == 0:\n"
        "  while kept[-2].recv(9):\n   pass\n  os._exit(0)\n",
        LEAVES,
        ["server has not closed its connection with a: the child of server", "closed its copy, server"],
    ),
    "an exception in a thread": (
        "s.py",
        "import threading\n" + LISTENS + "connection, _ = listener.accept()\n"
        "threading.Thread(target=lambda: int(connection.recv(9))).start()\nlistener.accept()\n",
        TALK,
        ["server printed the traceback of an exception and runs on: ValueError"],
    ),
    "a lock": (
        "s.py",
        "import threading\n" + LISTENS + "lock = threading.Lock()\ndef serve(connection):\n"
        " while data := connection.recv(9):\n  lock.acquire()\n  print(data.decode(), flush=True)\n"
        "while True:\n threading.Thread(target=serve, args=(listener.accept()[0],)).start()\n",
        TWO,
        ["no thread of server reads from b, which waits", "futex"],
    ),
    "line ends": ("s.sh", "if true; then\r\n echo x\r\nfi\r\n", "", ["CR LF"]),
    "a child that crashes": (
        "s.py",
        LISTENS + "connection, _ = listener.accept()\nif os.fork() == 0:\n"
        " os.abort()\nos.wait()\ntime.sleep(60)\n",
        TALK,
        ["a child of server", "was killed by SIGABRT"],
    ),
}


def why(finished: Finished) -> str:
    """Why the script broke off, in one line: told with what that follows from."""
    results = JudgedRun(finished.verdict).results
    script = results[0]
    top = next((one for one in results if one.name == script.follows), script)
    return " ".join(top.causes)


LOOPS = pytest.mark.alone  # it takes a processor; that others took it would be a doubt


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=LOOPS if "loop" in name else ()) for name in CASES]
)
def test_the_verdict_says_why(stage: Stage, name: str) -> None:
    file, program, steps, expected = CASES[name]
    text = HEADER.replace("FILE", file).replace("PORTS", "5000").replace("STEPS\n", steps)
    finished = stage.play(text, {file: program})
    assert finished.verdict.outcome is Outcome.FAIL
    for words in expected:
        assert words in why(finished)
    assert is_recorded(finished.record, verdict_as_data(judge(read(finished.record)))), (
        "the record tells the same, byte for byte"
    )


def test_what_finally_ends_was_alive_at_the_failure(stage: Stage) -> None:
    """The client tries an address of no host, and gives up a second later; both programs are ended."""
    text = HEADER.replace("FILE", "s.py").replace("PORTS", "5000").replace("nc server", "nc -w 1 10.9.8.77")
    steps = (
        "- a: {start: client}\n- a: {send: one}\n- server: {expect: one}\nfinally:\n- server: {key: ctrl-c}\n"
    )
    finished = stage.play(text.replace("STEPS\n", steps), {"s.py": LISTENS + "listener.accept()\n"})
    result = JudgedRun(finished.verdict).results[0]
    assert result.programs[0] == "server: asleep in accept on port 5000"
    assert "killed" not in "".join((*result.programs, *result.causes))


def test_a_program_that_lives_for_half_a_second_was_looked_at(stage: Stage) -> None:
    """Ten times: what it does between two events is seen each time."""
    program = "import select, socket\nlistener = socket.create_server(('', 5000))\nselect.select([listener], [], [], 0.5)\n"
    steps = "- server: {wait: {exited: true}}\n" + "".join(
        f"- server: {{start: server, as: s{number}}}\n- server.s{number}: {{wait: {{exited: true}}}}\n"
        for number in range(9)
    )
    text = HEADER.replace("FILE", "s.py").replace("PORTS", "5000").replace("STEPS\n", steps)
    text = text.replace("exit: {host: server, running: true}", "process: {host: server, asleep_in: poll}")
    finished = stage.play(text, {"s.py": program})
    assert [result.outcome for result in finished.verdict.results] == [Outcome.PASS, Outcome.PASS]


STARVED = """
version: 1
title: A program that needs half a second of a processor
networks: {lan: 192.168.153.0/24}
programs: {works: {source: works.py}}
hosts: {a: 192.168.153.128}
steps:
- a: {start: works}
- a: {expect: begun, within: 30s}
- a: {expect: done, within: 2s}
checks: [{output: {host: a, lines: {done: 1}}}]
"""

WORKS = """
import time
print("begun", flush=True)
while time.process_time() < 0.8:
    pass
print("done")
"""


@pytest.mark.alone  # it takes all processors
def test_no_program_is_blamed_for_a_machine_that_is_short_of_processors(stage: Stage) -> None:
    """It ends in time, or it had no processor for half of the time: whichever, it does not fail."""
    with busy(12):
        finished = stage.play_once(STARVED, {"works.py": WORKS})
    assert finished.verdict.outcome is not Outcome.FAIL, finished.verdict
