"""When a program has started: its terminal is set, its own sockets are in LISTEN, and what it leaves behind counts."""

from __future__ import annotations

import signal
import time

import pytest

from lab.core.errors import ExitCode
from lab.core.words import Outcome
from lab.evidence.transcript import Input, Output
from tests.docker.stage import Stage, assert_passed, broken, one_host, printed, statuses, steps_of

LISTENS = (
    "import socket, time\nlistener = socket.socket()\nlistener.bind(('', 5000))\nlistener.listen(8)\n"
    "print('mine', flush=True)\ntime.sleep(60)\n"
)

DAEMON_IN_C = """
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    if (daemon(0, 0) != 0)
        return 1;
    usleep(100000);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(5000)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&here, sizeof here);
    listen(listener, 8);
    for (;;) {
        int connection = accept(listener, 0, 0);
        write(connection, "hi\\n", 3);
        close(connection);
    }
}
"""

TWICE = """
import os, socket, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for number in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), number)
listeners = [socket.create_server(("", port)) for port in (5000, 5001)]
time.sleep(60)
"""


# Its terminal


def test_what_is_typed_at_once_is_never_taken_for_output(stage: Stage) -> None:
    steps = """- repeat:
    times: 12
    steps:
    - a: {start: p}
    - a: {send: "heard?"}
    - a: {key: ctrl-d}
    - a: {wait: {exited: true}}
"""
    finished = stage.play(
        one_host(steps, '{command: sh -c "cat > /dev/null"}', checks="- output: {host: a, lacks: heard}")
    )
    assert printed(finished) == ""
    assert {step.outcome for step in steps_of(finished).values()} == {Outcome.PASS}
    assert statuses(finished) == [0] * 12


def test_a_key_that_is_pressed_at_once_is_the_programs(stage: Stage) -> None:
    steps = "- repeat: {times: 8, steps: [a: {start: p}, a: {key: ctrl-c}, a: {wait: {exited: true}}]}"
    finished = stage.play(one_host(steps, "{command: sleep 60}", checks="- exit: {host: a, status: 130}"))
    assert_passed(finished)
    assert printed(finished) == ""


def test_signals_reach_the_program_itself(stage: Stage) -> None:
    program = (
        "import signal, os, sys, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('heard', flush=True))\n"
        "print('to stderr', file=sys.stderr, flush=True)\n"
        "print(os.isatty(0), os.tcgetpgrp(0) == os.getpgrp(), open('/dev/tty').isatty(), flush=True)\n"
        "while True:\n time.sleep(0.02)\n"  # a signal just before pause() would wait for another
    )
    steps = """- a: {start: p}
- a: {expect: to stderr}
- a: {expect: {line: True True True}}
- a: {signal: SIGUSR1}
- a: {expect: {line: heard}}
- a: {signal: SIGSTOP}
- a: {signal: SIGUSR1}
- a: {quiet: 100ms}
- a: {signal: SIGCONT}
- a: {expect: {line: heard}}
- a: {signal: SIGHUP}
- a: {wait: {exited: true}}
"""
    finished = stage.play(one_host(steps, checks="- exit: {host: a, signal: SIGHUP}"), {"p.py": program})
    assert_passed(finished)
    assert [event.text for event in finished.evidence.transcript.events if isinstance(event, Input)] == [
        "SIGUSR1", "SIGSTOP", "SIGUSR1", "SIGCONT", "SIGHUP",
    ]  # fmt: skip


def test_a_program_is_the_terminals_job_as_in_a_shell(stage: Stage) -> None:
    """It leads its group and cannot leave it: ^C reaches it though it tried, and so does what is typed."""
    program = (
        "import os\nos.setpgid(0, 0)\n"
        "try:\n os.setsid()\nexcept PermissionError:\n print('no session', flush=True)\n"
        "print('heard', input(), flush=True)\ninput()\n"
    )
    steps = """- a: {start: p}
- a: {expect: no session}
- a: {send: you}
- a: {expect: {line: heard you}}
- a: {key: ctrl-c}
- a: {wait: {exited: true}}
"""
    checks = "- exit: {host: a, program: p, signal: SIGINT}"
    assert_passed(stage.play(one_host(steps, checks=checks), {"p.py": program}))


def test_only_the_program_is_seen_among_the_processes(stage: Stage) -> None:
    steps = "- a: {start: p}\n- a: {expect: up}\n- a: {wait: {asleep_in: wait}}"
    program = "import os, time\nif os.fork() == 0:\n time.sleep(60)\nprint('up', flush=True)\nos.wait()\n"
    checks = "- process: {host: a, program: p, children: 1, zombies: 0, asleep_in: wait}"
    finished = stage.play(one_host(steps, checks=checks), {"p.py": program})
    assert_passed(finished)
    names = {row.name for sample in finished.evidence.processes for row in sample.rows}
    assert "python3" in names
    last = finished.evidence.processes[-1].rows
    assert [row.parent for row in last if row.pid != last[0].pid] == [last[0].pid]


# Its sockets


@pytest.mark.parametrize("tty", ["true", "false"])
def test_a_socket_of_another_start_makes_nobody_ready(stage: Stage, tty: str) -> None:
    steps = "- a: {start: p}\n- a: {start: p, as: second}\n- a: {run: echo no}"
    program = f"{{source: p.py, listens: 5000, tty: {tty}}}"
    step = broken(stage.play(one_host(steps, program), {"p.py": LISTENS}))
    assert (step.step, step.expected) == ("2", "second listens on port 5000")
    assert "Address already in use" in step.rest


@pytest.mark.parametrize(
    ("program", "source"), [("p.c", DAEMON_IN_C), ("p.py", TWICE)], ids=["daemon", "two forks"]
)
@pytest.mark.parametrize("tty", ["true", "false"])
def test_what_goes_into_the_background_is_ready_when_it_listens(
    stage: Stage, tty: str, program: str, source: str
) -> None:
    ports = "5000" if program == "p.c" else "[5000, 5001]"
    steps = "- a: {start: p}\n- a: {run: nc -z -w 1 10.9.8.1 5000}"
    text = one_host(
        steps,
        f"{{source: {program}, listens: {ports}, tty: {tty}}}",
        checks="- listener: {host: a, port: 5000}\n- exit: {host: a, program: p, status: 0}",
    )
    assert_passed(stage.play(text, {program: source}))


def test_what_goes_into_the_background_and_dies_there_is_told(stage: Stage) -> None:
    program = "import os, time\nif os.fork():\n os._exit(0)\nos.setsid()\ntime.sleep(0.5)\n"
    step = broken(stage.play(one_host("- a: {start: p}", "{source: p.py, listens: 5000}"), {"p.py": program}))
    assert (step.expected, step.observed) == ("p listens on port 5000", "it had ended: exit status 0")
    assert step.at - step.began < 3_000_000_000


# Its input


def test_a_command_of_a_run_step_has_nothing_to_read(stage: Stage) -> None:
    steps = "- a: {run: 'cat; echo end', expect: {line: end}}\n- a: {start: p}"
    checks = "- exit: {host: a, program: p, running: true}"
    assert_passed(stage.play(one_host(steps, "{command: sleep 60}", checks=checks)))


@pytest.mark.parametrize("typed", ["", "half", "whole\\n", "whole\\nhalf"])
def test_the_end_of_the_input_ends_it(stage: Stage, typed: str) -> None:
    typing = f'- a: {{type: "{typed}"}}\n' if typed else ""
    program = (
        "import os\nwhile data := os.read(0, 100):\n print('got', data, flush=True)\n"
        "print('end', flush=True)\nos.read(0, 100)\nprint('one end too many', flush=True)\n"
    )
    finished = stage.play(
        one_host(
            f"- a: {{start: p}}\n{typing}- a: {{close: stdin}}\n- a: {{expect: end}}\n- a: {{quiet: 200ms}}"
        ),
        {"p.py": program},
    )
    assert_passed(finished)
    assert all(part in printed(finished) for part in typed.split("\\n"))


# What it prints


def test_a_flood_is_not_quiet(stage: Stage) -> None:
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {run: sleep 0.5}\n- a: {quiet: 300ms}", "{command: 'yes'}")
    )
    assert "it had printed 'y\\ny\\n" in broken(finished).observed


def test_the_end_of_a_line_that_was_expected_is_no_output(stage: Stage) -> None:
    program = "import os, time\nos.write(1, b'hello'); time.sleep(0.2); os.write(1, b'\\n'); time.sleep(60)\n"
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {expect: hello}\n- a: {quiet: 400ms}"), {"p.py": program}
    )
    assert_passed(finished)
    assert len([one for one in finished.evidence.transcript.events if isinstance(one, Output)]) == 2


def test_an_expression_that_takes_for_ever_ends_with_its_step(stage: Stage) -> None:
    """Meanwhile everybody else is heard as ever."""
    steps = """- together:
  - - a: {start: p}
    - a: {expect: {regex: "(a+)+b"}, within: 3s}
  - - repeat: {times: 3, steps: [{a: {run: "sleep 0.1"}}]}
    - a: {run: "echo done", expect: {line: done}}
"""
    finished = stage.play(
        one_host(steps, "{source: p.py}"), {"p.py": f"print('{'a' * 50}', flush=True)\ninput()\n"}
    )
    step = broken(finished)
    assert "not within 3 s: the expression was still being matched with 51 characters" in step.observed
    assert step.at - step.began < 4_500_000_000
    assert steps_of(finished)["1.2.2"].outcome is Outcome.PASS


def test_an_expression_that_takes_for_ever_can_be_interrupted(stage: Stage) -> None:
    file = stage.lay(
        one_host("- a: {start: p}\n- a: {expect: {regex: '(a+)+b'}, within: 50s}", "{source: p.py}"),
        {"p.py": f"print('{'a' * 50}', flush=True)\ninput()\n"},
    )
    with stage.popen("run", "-v", file) as lab:
        assert lab.stderr is not None
        assert any("a: start p" in line for line in lab.stderr)
        time.sleep(0.5)
        began = time.monotonic()
        lab.send_signal(signal.SIGINT)
        _, rest = lab.communicate(timeout=60)
    assert lab.returncode == ExitCode.INTERRUPTED, rest
    assert time.monotonic() - began < 20
