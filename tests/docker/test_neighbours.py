"""Programs beside one another on one host: none changes another, a command, or what a person looks at."""

from __future__ import annotations

import json
import re

from lab.core.errors import ExitCode
from tests.docker.stage import Stage, assert_passed, one_host, printed

TEACHERS = """
import getpass, os
input()
print("judged by", open("key").read().strip(), flush=True)
open("key", "a").write("and more\\n")
open("seen", "w").write(os.environ["HOME"] + " " + getpass.getuser() + " ")
input()
"""

HOSTILE = """
import glob, os, resource, signal

def tried(name, attack, targets=("",)):
    for target in targets:
        try:
            attack(target)
            print(name, target, "DONE", flush=True)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
        except OSError as error:
            refused.add(name + ": " + error.strerror)

def others():
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            if os.stat(folder).st_uid != os.getuid():
                yield folder
        except FileNotFoundError:
            pass

def commands():
    for folder in others():
        try:
            yield open(folder + "/cmdline").read()
        except FileNotFoundError:
            pass

refused = set()
open("own", "w").write("mine")
open("data", "a").write("mine")
input()
while not any("hostile/done" in command for command in commands()):
    pass
tried("overwrite", lambda _: open("/work/teachers/key", "w").write("me"))
tried("replace", lambda _: os.rename("own", "/work/teachers/t.py"))
tried("remove", lambda _: os.remove("/work/teachers/t.py"))
tried("shadow", lambda _: open("/work/teachers/os.py", "w"))
tried("shadow a command's", lambda _: open("/work/os.py", "w"))
tried("profile", lambda name: open(name, "w").write("echo FORGED"), ("/work/.bashrc", "/work/.profile"))
tried("output", lambda folder: os.write(os.open(folder + "/fd/1", os.O_WRONLY), b"FORGED"), others())
tried("memory", lambda folder: os.open(folder + "/mem", os.O_RDWR), others())
tried("terminal", lambda path: os.open(path, os.O_WRONLY), {*glob.glob("/dev/pts/[0-9]*")} - {os.ttyname(0)})
tried("limit", lambda folder: resource.prlimit(int(folder[6:]), resource.RLIMIT_CPU, (1, 1)), others())
tried("signal", lambda folder: os.kill(int(folder[6:]), signal.SIGKILL), others())
print(*sorted(refused), sep="\\n")
print("end", open("own").read(), open("data").read(), open("/work/teachers/key").read(), flush=True)
open("done", "w")
input()
"""

TOGETHER = """
version: 1
title: A hostile neighbour
networks: {lan: 10.9.8.0/24}
hosts: {a: 10.9.8.1}
programs:
  teachers: {sources: [t.py, key]}
  hostile: {sources: [h.py, data]}
  tool: {command: cat}
steps:
- a: {start: teachers}
- a: {start: tool, as: tool}
- a: {start: hostile, as: hostile}
- together:
  - - a: {run: "until test -e hostile/done; do sleep 0.1; done; echo after", within: 20s}
  - - a.hostile: {send: go}
    - a.hostile: {expect: {line: end mine given mine teacher}, within: 20s}
- a.tool: [{send: alive}, {expect: {line: alive}}]
- a: [{send: go}, {expect: {line: judged by teacher}}]
- a: {run: "cat hostile/own teachers/seen; grep -c . teachers/key", expect: "mine/work/teachers nobody 2"}
- a: {run: "echo prepared > teachers/given && cat teachers/given", expect: {line: prepared}}
checks:
- exit: {host: a, program: hostile, running: true}
- exit: {host: a, program: teachers, running: true}
- exit: {host: a, program: tool, running: true}
- exit: {host: a, program: run, status: 0}
"""
REFUSED = {
    "memory: Permission denied", "output: Permission denied", "overwrite: Permission denied",
    "profile: Permission denied", "remove: Permission denied", "replace: Invalid cross-device link",
    "shadow a command's: Permission denied", "shadow: Permission denied", "signal: Operation not permitted",
    "limit: Operation not permitted", "terminal: Permission denied",
}  # fmt: skip


def test_a_hostile_program_and_its_neighbours(stage: Stage) -> None:
    finished = stage.play(TOGETHER, {"t.py": TEACHERS, "key": "teacher\n", "h.py": HOSTILE, "data": "given "})
    told = printed(finished)
    assert_passed(finished)
    assert {*told.replace("\r", "").split("\n")} >= REFUSED, told
    assert not re.search("DONE|FORGED", told)


def test_who_looks_around_is_the_hosts_user_or_a_programs(stage: Stage) -> None:
    """Only as a program's own user its processes can be touched, and its descriptors seen."""
    file = stage.lay(one_host("- a: {start: p}\n- a: {expect: there}"), {"p.py": "print('there')\ninput()\n"})
    run_id = json.loads(stage.lab("up", "--json", file).stdout)["runs"][0]["run"]
    try:
        pid = stage.lab("exec", "--lab", run_id, "a", "pgrep", "-x", "python3").stdout.strip()
        look = f"pwd; ls /proc/{pid}/fd/1"
        outside = stage.lab("exec", "--lab", run_id, "a", "sh", "-c", look)
        assert outside.stdout == "/work\n", outside
        assert "Permission denied" in outside.stderr
        inside = stage.lab("exec", "--lab", run_id, "a.p", "--", "sh", "-c", f"{look} && kill {pid}")
        assert inside.stdout == f"/work/p\n/proc/{pid}/fd/1\n", inside
        missing = stage.lab("exec", "--lab", run_id, "a", "no-such", "-v")
        assert (missing.returncode, missing.stderr) == (127, "lab: no-such: this host has no such program\n")
        unknown = stage.lab("exec", "--lab", run_id, "a.q", "true")
        assert unknown.returncode == ExitCode.USAGE
        assert "no program 'q'" in unknown.stderr
        assert "its programs: p" in unknown.stderr
    finally:
        stage.lab("down", "--lab", run_id)
