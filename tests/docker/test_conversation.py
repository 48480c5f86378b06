"""Programs that print, read and end in every way there is, and a script that speaks with them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.core.errors import ExitCode
from lab.core.limits import PROGRAM_OUTPUT
from lab.core.words import Outcome
from lab.evidence.transcript import Dropped, Exited, Input, Output, Started
from tests.docker.stage import (
    Stage,
    assert_passed,
    broken,
    command,
    environment,
    one_host,
    printed,
    results,
    steps_of,
    why_not_built,
)

ECHO = (
    "import sys\nfor line in sys.stdin:\n print('got', line.strip(), flush=True)\nprint('end', flush=True)\n"
)
SLEEPER = "import time\ntime.sleep(60)\n"


# What a program prints


def test_a_character_split_between_two_reads_is_whole(stage: Stage) -> None:
    program = (
        "import os, time\n"
        "for byte in '客户端成功连接 😀\\n'.encode():\n os.write(1, bytes([byte])); time.sleep(0.01)\n"
    )
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: {line: '客户端成功连接 😀'}}\n- a: {wait: {exited: true}}",
            checks="- output: {host: a, lines: {'客户端成功连接 😀': 1}}",
        ),
        {"p.py": program},
    )
    assert finished.verdict.outcome is Outcome.PASS
    assert printed(finished) == "客户端成功连接 😀\n"


def test_bytes_that_are_no_utf8_are_kept(stage: Stage) -> None:
    program = "import os\nos.write(1, b'caf\\xe9 \\xff\\x00 end\\n')\n"
    finished = stage.play(one_host("- a: {start: p}\n- a: {expect: end}"), {"p.py": program})
    assert steps_of(finished)["2"].outcome is Outcome.PASS
    assert printed(finished).encode("utf-8", "surrogateescape") == b"caf\xe9 \xff\x00 end\n"


@pytest.mark.parametrize("tty", ["true", "false"])
def test_a_line_of_a_megabyte(stage: Stage, tty: str) -> None:
    program = "print('<' + 'x' * 1_000_000 + '>', flush=True)\nprint('after', flush=True)\n"
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: {line: after}}\n- a: {wait: {exited: true}}",
            f"{{source: p.py, tty: {tty}}}",
            checks="- output: {host: a, lines: {after: 1}}",
        ),
        {"p.py": program},
    )
    assert finished.verdict.outcome is Outcome.PASS
    assert len(printed(finished)) == 1_000_009


MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""Runs a command and tells its peak of memory, in KiB. The peak of what starts a process counts as its own."""


def test_output_without_end_takes_bounded_memory(stage: Stage) -> None:
    file = stage.lay(
        one_host(
            "- a: {start: p}\n- a: {expect: never, within: 3s}",
            "{command: 'yes'}",
            checks="- output: {host: a, lines: {'y': 5}}",
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command("run", file)],
        cwd=stage.folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.FAILED, done.stderr
    told = " ".join(done.stdout.split())
    assert "not within 3 s: it printed something else, it is still running" in told
    assert int(done.stderr.split()[-1]) < 200 * 1024, f"{done.stderr} KiB"


def test_a_transcript_keeps_so_much_of_an_output_and_says_so(stage: Stage) -> None:
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: {line: last}}\n- a: {wait: {exited: true}}",
            checks="- {output: {host: a, lines: {last: 1}}, name: last}\n"
            "- {output: {host: a, lacks: xx}, name: lacks}",
        ),
        {"p.py": "print('xy\\n' * 1_000_000 + 'last')\n"},
    )
    assert len(printed(finished)) == PROGRAM_OUTPUT
    assert sum(isinstance(event, Dropped) for event in finished.evidence.transcript.events) == 1
    assert {result.outcome for result in finished.verdict.results[1:]} == {Outcome.INCONCLUSIVE}
    assert finished.verdict.outcome is Outcome.INCONCLUSIVE


def test_terminal_escapes_are_shown_and_not_obeyed(stage: Stage) -> None:
    program = "print('\\x1b[2J\\x1b]0;owned\\x07\\x9b31m PASS \\r\\x08 trick')\n"
    file = stage.lay(
        one_host("- a: {start: p}\n- a: {wait: {exited: true}}\n- a: {expect: never}"), {"p.py": program}
    )
    done = stage.lab("run", file, "-v")
    told = done.stdout + done.stderr
    assert done.returncode == ExitCode.FAILED
    assert set(told) & set("\x00\x07\x08\x1b\x9b\r") == set()
    assert "␛[2J␛]0;owned␇" in told


# How a program ends


def test_a_program_that_ends_early_is_told_with_its_status(stage: Stage) -> None:
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {expect: more}", checks="- exit: {host: a, status: 0}"),
        {"p.py": "print('that is all')\nraise SystemExit(3)\n"},
    )
    step = broken(finished)
    assert (step.expected, step.observed) == (
        "the text 'more'",
        "the program ended before it printed that: exit status 3",
    )
    assert step.rest == "that is all\n"
    assert "exit status 3" in results(finished)["exit of a"].observed


def test_a_crash_is_named(stage: Stage) -> None:
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: more}",
            "{source: p.cpp, build: 'g++ -o p p.cpp'}",
            checks="- {exit: {host: a, signal: SIGSEGV}, name: crash}\n- exit: {host: a, status: 0}",
        ),
        {"p.cpp": "int main() { volatile int* nowhere = nullptr; return *nowhere; }\n"},
    )
    assert "killed by SIGSEGV" in broken(finished).observed
    assert results(finished)["crash"].outcome is Outcome.PASS
    assert results(finished)["exit of a"].outcome is Outcome.FAIL
    assert "killed by SIGSEGV" in results(finished)["exit of a"].observed


def test_a_program_that_ignores_sigint_is_still_running(stage: Stage) -> None:
    program = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: up}\n- a: {key: ctrl-c}\n"
            "- a: {wait: {exited: true}, within: 400ms}",
            checks="- {exit: {host: a, signal: SIGINT}, name: by SIGINT}\n"
            "- {exit: {host: a, running: true}, name: runs}",
        ),
        {"p.py": program},
    )
    assert broken(finished).observed == "not within 0.4 s: it printed nothing more, it is still running"
    assert results(finished)["by SIGINT"].outcome is not Outcome.PASS
    assert results(finished)["runs"].outcome is Outcome.PASS


@pytest.mark.parametrize("tty", ["true", "false"])
def test_a_program_may_close_its_output_and_live_on(stage: Stage, tty: str) -> None:
    program = (
        "import os, signal, time\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "print('last words', flush=True)\nfor number in range(3): os.close(number)\ntime.sleep(60)\n"
    )
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: last words}\n- a: {expect: {text: more}, within: 300ms}",
            f"{{source: p.py, tty: {tty}}}",
            checks="- exit: {host: a, signal: SIGTERM}",
            **{"finally": "[a: {signal: SIGTERM}, a: {wait: {exited: true}}]"},
        ),
        {"p.py": program},
    )
    assert broken(finished).observed == "not within 0.3 s: it printed nothing more, it is still running"
    assert results(finished)["exit of a"].outcome is Outcome.PASS


@pytest.mark.parametrize("tty", ["true", "false"])
def test_a_child_that_holds_the_terminal_does_not_hide_its_parents_end(stage: Stage, tty: str) -> None:
    program = (
        "import os, signal, time\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n time.sleep(30)\nelse:\n print('parent', flush=True)\n os._exit(5)\n"
    )
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: parent}\n- a: {wait: {exited: true}, within: 20s}",
            f"{{source: p.py, tty: {tty}}}",
            checks="- exit: {host: a, status: 5}",
        ),
        {"p.py": program},
    )
    assert_passed(finished)


def test_a_program_that_is_not_there(stage: Stage) -> None:
    finished = stage.play(one_host("- a: {start: p}\n- a: {expect: hello}", "{command: nonsense --really}"))
    assert "exit status 127" in broken(finished).observed
    assert "nonsense" in broken(finished).rest


# Input


def test_pipes_take_long_lines_and_a_half_close(stage: Stage) -> None:
    program = "import sys\ndata = sys.stdin.read()\nprint(len(data), data[-5:].strip())\n"
    line = "y" * 100_000
    finished = stage.play(
        one_host(
            f"- a: {{start: p}}\n- a: {{send: '{line}'}}\n- a: {{type: last}}\n- a: {{close: stdin}}\n"
            "- a: {expect: {line: 100005 last}}\n- a: {wait: {exited: true}}",
            "{source: p.py, tty: false}",
            checks="- exit: {host: a, status: 0}",
        ),
        {"p.py": program},
    )
    assert_passed(finished)


def test_a_terminal_takes_4095_bytes_a_line_and_ctrl_d(stage: Stage) -> None:
    steps = (
        "- a: {start: p}\n- a: {send: '%s'}\n- a: {expect: {line: 'got %s'}}\n- a: {close: stdin}\n"
        "- a: {expect: {line: end}}\n- a: {wait: {exited: true}}"
    )
    fits, too_long = "x" * 4094, "x" * 4096
    finished = stage.play(
        one_host(steps % (fits, fits), checks="- exit: {host: a, status: 0}"), {"p.py": ECHO}
    )
    assert_passed(finished)
    refused = broken(stage.play(one_host(steps % (too_long, too_long)), {"p.py": ECHO}))
    assert refused.step == "2"
    assert refused.expected == "a line of at most 4095 bytes, which is what a terminal takes"
    assert refused.observed == "4096 bytes; a program with `tty: false` takes any number"


def test_input_for_a_program_that_has_ended(stage: Stage) -> None:
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {wait: {exited: true}}\n- a: {send: hello}"),
        {"p.py": "print('bye')\n"},
    )
    step = broken(finished)
    assert (step.expected, step.observed) == ("the program takes input", "it had ended: exit status 0")


def test_a_signal_for_a_program_that_has_ended_is_a_failed_step(stage: Stage) -> None:
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: bye}\n- a: {signal: SIGTERM}\n- a: {wait: {exited: true}}\n"
            "- a: {signal: SIGTERM}"
        ),
        {"p.py": "print('bye', flush=True)\nimport time\ntime.sleep(60)\n"},
    )
    step = broken(finished)
    assert (step.step, step.expected) == ("5", "the program is running")
    assert step.observed == "it had ended: killed by SIGTERM (status 143)"


# The script's own words


def test_together_repeat_captures_and_several_programs_on_a_host(stage: Stage) -> None:
    steps = """- a: {start: p}
- a: {start: p, as: second, args: [again], env: {WHO: "you ${a.address}"}}
- repeat:
    times: 3
    steps:
    - a: {send: "round ${i}"}
    - a: {expect: {regex: "(?P<said>got round [0-9]+)$"}}
- together:
  - - a: {send: one}
    - a: {expect: got one}
  - - a.second: {expect: {line: "you 10.9.8.1 again"}}
    - a.second: {send: "${said}, ${nonce}, $${literal}"}
    - a.second: {expect: "got got round 3, ${nonce}, $${literal}"}
- a.second: {key: ctrl-d}
- a.second: {expect: {end: true}}
- a: {quiet: 100ms}
- a: {type: no newline}
- a: {bytes: "hex:21 0a"}
- a: {expect: {glob: "got no*!"}}
"""
    program = "import os, sys\nprint(os.environ.get('WHO'), *sys.argv[1:], flush=True)\n" + ECHO
    finished = stage.play(
        one_host(
            steps,
            checks="- exit: {host: a, program: second, status: 0}\n"
            "- exit: {host: a, program: p, running: true}",
        ),
        {"p.py": program},
        seed="always the same",
    )
    assert_passed(finished)
    assert {"3.1@1", "3.1@3", "4.2.3"} <= set(steps_of(finished))
    assert finished.evidence.info.variables["said"] == "got round 3"
    again = stage.play(one_host("- a: {start: p}"), {"p.py": ECHO}, seed="always the same")
    assert again.evidence.info.variables["nonce"] == finished.evidence.info.variables["nonce"]


@pytest.mark.parametrize(
    ("end", "outcome"), [("pass", Outcome.PASS), ("raise SystemExit(1)", Outcome.FAIL)], ids=["well", "badly"]
)
@pytest.mark.parametrize("step", ["signal: SIGTERM", "key: ctrl-c"])
def test_finally_has_nothing_to_end_where_a_program_has_ended_well(
    stage: Stage, step: str, end: str, outcome: Outcome
) -> None:
    steps = "- a: {start: p}\n- a: {expect: bye}\n- a: {sleep: 500ms}"
    tidies = {"finally": f"[a: {{{step}}}, a: {{wait: {{exited: true}}}}]"}
    finished = stage.play(
        one_host(steps, checks="- output: {host: a, lines: {bye: 1}}", **tidies),
        {"p.py": f"print('bye', flush=True)\n{end}\n"},
    )
    assert finished.verdict.outcome is outcome


def test_a_broken_branch_ends_the_others_and_finally_is_played(stage: Stage) -> None:
    steps = """- a: {start: p}
- together:
  - - a: {expect: never, within: 200ms}
  - - a: {quiet: 50s}
- a: {send: not reached}
"""
    finished = stage.play(
        one_host(steps, **{"finally": "[a: {send: in the end}, a: {expect: got in the end}]"}), {"p.py": ECHO}
    )
    played = steps_of(finished)
    assert broken(finished).step == "2.1.1"
    assert played["finally.2"].outcome is Outcome.PASS
    assert "3" not in played
    assert finished.evidence.transcript.unplayed == "3"
    assert finished.evidence.info.ended - finished.evidence.info.began < 50_000_000_000


def test_quiet_run_and_wait(stage: Stage) -> None:
    server = (
        "import socket, time\ntime.sleep(0.2)\ns = socket.create_server(('', 7000))\nprint('up', flush=True)\n"
        "c = socket.create_connection(('10.9.8.1', 7000))\nd, _ = s.accept()\nc.close()\n"
        "input()\nd.close()\nprint('done', flush=True)\n"
    )
    steps = """- a: {start: p}
- a: {wait: {listening: 7000}}
- a: {wait: {state: CLOSE_WAIT, peer: a, port: 7000}}
- a: {run: "ss -Htan state close-wait | wc -l", expect: {regex: "(?P<waiting>[0-9]+)"}}
- a: {run: "exit 4", status: 4}
- a: {send: ""}
- a: {wait: {exited: true}}
- a: {run: "echo ${waiting}; echo to stderr >&2", expect: {line: "1"}}
"""
    finished = stage.play(
        one_host(steps, checks="- exit: {host: a, program: p, status: 0}"), {"p.py": server}
    )
    assert_passed(finished)


def test_sleep_lets_time_pass(stage: Stage) -> None:
    steps = "- a: {start: p}\n- a: {sleep: 300ms, within: 10s}"
    finished = stage.play(one_host(steps), {"p.py": "input()"})
    assert_passed(finished)
    step = steps_of(finished)["2"]
    assert step.what == "sleep 300ms"
    assert step.at - step.began >= 300_000_000


def test_a_program_whose_end_is_judged_may_end_a_moment_after_the_script(stage: Stage) -> None:
    program = "import time\nprint('last words', flush=True)\ntime.sleep(0.5)\n"
    steps = "- a: {start: p}\n- a: {expect: last words}"
    assert_passed(stage.play(one_host(steps, checks="- exit: {host: a, status: 0}"), {"p.py": program}))


def test_a_command_of_a_run_step_is_no_program_of_its_host(stage: Stage) -> None:
    steps = "- a: {run: 'echo oops; exit 3', status: 3}\n- a: {start: p}\n- a: {wait: {exited: true}}"
    checks = """- exit: {host: a, status: 0}
- output: {host: a, lacks: oops}
- exit: {host: a, program: run, status: 3}
- output: {host: a, program: run, lines: {oops: 1}}"""
    assert_passed(stage.play(one_host(steps, checks=checks), {"p.py": "print('hello')\n"}))


@pytest.mark.parametrize(
    ("steps", "expected", "observed"),
    [
        ("- a: {start: p}\n- a: {quiet: 20s}", "nothing is printed for 20 s", "it printed 'hello\\n'"),
        (
            "- a: {start: p}\n- a: {run: sleep 3}\n- a: {quiet: 20s}",
            "nothing is printed for 20 s",
            "it had printed 'hello\\n' before, and no step has expected that",
        ),
        (
            "- a: {start: p}\n- a: {expect: {regex: '(l*)*x'}, within: 2s}",
            "expect a match of '(l*)*x'",
            "not within 2 s: it printed something else, it is still running",
        ),
        ("- a: {run: 'echo no; exit 3'}", "exit status 0", "exit status 3"),
        (
            "- a: {run: 'echo no', expect: {line: yes indeed}}",
            "the line 'yes indeed'",
            "it is not in the command's output",
        ),
        (
            "- a: {run: 'sleep 20', within: 300ms}",
            "run 'sleep 20'",
            "not within 0.3 s: it printed nothing more, it is still running",
        ),
        (
            "- a: {wait: {state: TIME_WAIT}, within: 200ms}",
            "wait until a socket is in TIME_WAIT",
            "not within 0.2 s",
        ),
        (
            "- a: {wait: {listening: 80}, within: 200ms}",
            "wait until a socket is in LISTEN on port 80",
            "not within 0.2 s",
        ),
    ],
)
def test_what_a_broken_step_says(stage: Stage, steps: str, expected: str, observed: str) -> None:
    program = "import time\ntime.sleep(0.4)\nprint('hello', flush=True)\ntime.sleep(60)\n"
    if "{start: p}" not in steps:
        steps += "\n- a: {start: p}"
    step = broken(stage.play(one_host(steps), {"p.py": program}))
    assert (step.expected, step.observed) == (expected, observed)


def test_a_server_that_never_listens(stage: Stage) -> None:
    late = broken(
        stage.play(one_host("- a: {start: p, within: 3s}", "{source: p.py, listens: 99}"), {"p.py": SLEEPER})
    )
    assert (late.expected, late.observed) == (
        "start p",
        "not within 3 s: it printed nothing more, it is still running",
    )
    dead = broken(
        stage.play(one_host("- a: {start: p}", "{source: p.py, listens: 99}"), {"p.py": "exit('no luck')\n"})
    )
    assert (dead.expected, dead.observed) == ("p listens on port 99", "it had ended: exit status 1")
    assert dead.rest == "no luck\n"


def test_the_whole_script_has_a_time_out(stage: Stage) -> None:
    step = broken(
        stage.play(
            one_host("- a: {start: p}\n- a: {expect: never}", timeouts="{scenario: 3s, step: 3s}"),
            {"p.py": SLEEPER},
        )
    )
    assert (
        step.observed == "not before the script's 3 s were over: it printed nothing more, it is still running"
    )


# Order and time


def test_a_transcript_tells_a_start_before_what_was_printed(stage: Stage) -> None:
    steps = "- repeat: {times: 3, steps: [a: {start: p}, a: {expect: hello}, a: {wait: {exited: true}}]}"
    finished = stage.play(one_host(steps, "{command: echo hello}", checks="- exit: {host: a, status: 0}"))
    events = finished.evidence.transcript.events
    told = [type(event) for event in events if isinstance(event, Started | Output | Exited)]
    assert told[::3] == [Started] * 3
    assert [{*told[place : place + 3]} for place in (0, 3, 6)] == [{Started, Output, Exited}] * 3
    assert finished.verdict.outcome is Outcome.PASS


def test_causes_stand_before_their_effects(stage: Stage) -> None:
    """Whoever is heard first: an answer from the engine or the agent may come later than what it is about."""
    text = """
version: 1
title: Causes come first
networks: {lan: 10.9.8.0/24}
programs:
  server: {command: "nc -lk -p 5000", listens: 5000}
  client: {command: nc 10.9.8.1 5000}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
steps:
- server: {start: server}
- repeat:
    times: 5
    steps:
    - client: {start: client}
    - client: {send: "one ${i}"}
    - server: {expect: "one ${i}"}
    - client: {key: ctrl-c}
    - client: {wait: {exited: true}}
- server: {signal: SIGTERM}
- server: {wait: {exited: true}}
checks:
- connections: {to: "server:5000", count: 5}
"""
    finished = stage.play(text)
    assert_passed(finished)
    events = finished.evidence.transcript.events
    assert [event.at for event in events] == sorted(event.at for event in events)
    starts, ends = (
        [event.at for event in events if isinstance(event, kind) and event.host == "client"]
        for kind in (Started, Exited)
    )
    keys = [event.at for event in events if isinstance(event, Input) and event.kind == "key"]
    connections = finished.evidence.connections
    syns = [one.client.syn.first.time for one in connections if one.client.syn and one.client.syn.first]
    fins = [one.client.fin.first.time for one in connections if one.client.fin and one.client.fin.first]
    for times in zip(starts, syns, keys, fins, ends, strict=True):
        assert list(times) == sorted(times)
    (signal,) = (event.at for event in events if isinstance(event, Input) and event.kind == "signal")
    assert signal < next(event.at for event in events if isinstance(event, Exited) and event.host == "server")


def test_a_socket_that_is_only_bound_is_no_trouble(stage: Stage) -> None:
    program = (
        "import socket, time\ns = socket.socket()\ns.bind(('', 7000))\n"
        "print('bound', flush=True)\ntime.sleep(60)\n"
    )
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {expect: bound}\n- a: {quiet: 200ms}"), {"p.py": program}
    )
    assert_passed(finished)


# Building


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("g++ -o p p.cpp", "p.cpp:1:"),
        ("echo to stdout; exit 9", "to stdout"),
        ("exit 9", "the build failed without a word"),
        ("sleep 60", "it takes longer than 1 s"),
        ("yes", "it takes longer than 1 s"),
        ("yes >&2", "it takes longer than 1 s"),
        ("head -c 200m /dev/zero > big", "File size limit exceeded"),
    ],
)
def test_a_build_that_fails(stage: Stage, build: str, words: str) -> None:
    text = one_host(
        "- a: {start: p}",
        f"{{source: p.cpp, build: '{build}'}}",
        timeouts="{build: 1s}" if "longer" in words else "{build: 30s}",
    )
    said = why_not_built(stage.play(text, {"p.cpp": "nonsense\n"}))
    assert words in said
    assert len(said) < 20_000
    assert f"the command was: {build}" in said


POSIX_C = """
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
int main(void) {
    struct sigaction action = {.sa_handler = SIG_IGN, .sa_flags = SA_RESTART};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    puts(sigaction(SIGPIPE, &action, NULL) || getaddrinfo("a", "1", &hints, &found) ? "no" : "posix");
}
"""
GNU_CXX = (
    '#include <cstdio>\nint main() { __int128 n = 1; typeof(n) m = n; std::puts(m == n ? "gnu" : "no"); }\n'
)


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("p.c", POSIX_C, "posix"),
        ("P.C", POSIX_C, "posix"),
        ("p.cpp", GNU_CXX, "gnu"),
        ("p.CC", GNU_CXX, "gnu"),
    ],
)
def test_c_is_gnu_c_whatever_the_case_of_its_ending(stage: Stage, name: str, source: str, says: str) -> None:
    assert_passed(
        stage.play(
            one_host(
                f"- a: {{start: p}}\n- a: {{expect: {says}}}\n- a: {{wait: {{exited: true}}}}",
                f"{{source: {name}}}",
                checks="- exit: {host: a, status: 0}",
            ),
            {name: source},
        )
    )


def test_a_built_program_is_not_built_again(stage: Stage) -> None:
    text = one_host(
        "- a: {start: p}\n- a: {expect: {line: all}}",
        "{source: p.sh, build: 'echo echo made at $(date +%N) > q; echo echo all >> q', run: sh q}",
    )
    first, second = stage.play(text, {"p.sh": ""}), stage.play(text, {"p.sh": ""})
    assert printed(first) == printed(second)


def test_a_command_is_the_hosts_own_and_not_the_labs(stage: Stage) -> None:
    steps = """- a: {start: p}
- a: {expect: {line: /usr/bin/python3}}
- a: {run: "readlink -f /proc/$$/exe; ip -V", expect: iproute2}
- a: {run: "/opt/tcp-lab/busybox sh -c 'readlink /proc/self/exe'", expect: busybox}
"""
    assert_passed(
        stage.play(
            one_host(
                steps,
                '{command: "python3 -c \'import shutil; print(shutil.which(\\"python3\\"))\'"}',
                checks="- exit: {host: a, status: 0}",
            )
        )
    )


# What a step that fails shows


@pytest.mark.parametrize(
    "step",
    ["{run: 'echo its own; sleep 30', within: 1s}", "{start: talker, as: second, within: 1s}"],
)
def test_a_step_that_takes_too_long_shows_its_own_output(stage: Stage, step: str) -> None:
    """Not that of the host's main program."""
    talker = "print('its own', flush=True)\nimport time\ntime.sleep(60)\n"
    programs = "{command: \"sh -c 'echo the main one; sleep 30'\"}\n  talker: {source: t.py, listens: 5000}"
    yaml = one_host(f"- a: {{start: p}}\n- a: {step}", programs)
    finished = stage.play(yaml, {"t.py": talker})
    failed = steps_of(finished)["2"]
    assert failed.outcome is Outcome.FAIL
    assert failed.rest.strip() == "its own"
