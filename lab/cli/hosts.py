"""The commands that look at labs that are up, into their hosts, and take them down."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from lab.cli.connected import connected
from lab.cli.screen import Screen
from lab.core.archive import FOLDER
from lab.core.errors import EngineError, ExitCode, UsageError
from lab.deploy.labs import Lab, Standing, all_labs, choose, listed
from lab.engine import users

if TYPE_CHECKING:
    from lab.engine import Engine
    from lab.engine.containers import Container

_EXIT_SECONDS = 5.0
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh")
_HEADINGS = ("RUN", "SCENARIO", "HOST", "ADDRESS", "STATE", "LEFT")


def ps(screen: Screen) -> ExitCode:
    """Every lab with its hosts, whose it is, and how long it may stay."""
    now = time.time()
    with connected(screen) as engine:
        labs = all_labs(engine, now)
    rows = [_row(lab, host, now) for lab in labs for host in lab.hosts]
    screen.show(screen.style.table(rows, _HEADINGS) if rows else ["no lab is up"])
    screen.answer({"labs": [as_data(lab) for lab in labs]})
    return ExitCode.PASSED


def _row(lab: Lab, host: Container, now: float) -> tuple[str, ...]:
    minutes = max(0, round((lab.expires - now) / 60))
    left = f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
    state = lab.standing.value if host.state == "running" else host.state
    return (lab.run_id, lab.scenario, host.labels.host, host.labels.addresses.replace(",", " "), state, left)


def as_data(lab: Lab) -> dict[str, object]:
    """A lab as JSON holds it; ``expires`` in seconds since the epoch."""
    return {
        "run": lab.run_id,
        "scenario": lab.scenario,
        "file": lab.file,
        "standing": lab.standing.value,
        "expires": lab.expires,
        "hosts": [
            {
                "host": one.labels.host,
                "addresses": one.labels.addresses,
                "state": one.state,
                "container": one.id,
            }
            for one in lab.hosts
        ],
    }


def execute(host: str, command: Sequence[str], word: str, screen: Screen) -> int:
    """Run a command in a host, on this terminal or on pipes; its exit status."""
    with connected(screen) as engine:
        return _joined(engine, _place(engine, host, word), command)


def shell(host: str, word: str, screen: Screen) -> int:
    """A shell in a host: its own if it has one, else the one that every host is given."""
    from lab.engine.containers import BUSYBOX

    tries = "; ".join(f"test -x {path} && exec {path}" for path in _SHELLS)
    with connected(screen) as engine:
        place = _place(engine, host, word)
        return _joined(engine, place, [BUSYBOX, "sh", "-c", f"{tries}; exec {BUSYBOX} sh"])


class _Place(Struct, frozen=True):
    """Where a command runs: in which container and folder, and as whom (none: its own user)."""

    container: str
    folder: str
    user: str


def _place(engine: Engine, actor: str, word: str) -> _Place:
    """The place of a host's own user, or that of a program, ``HOST.PROGRAM``. UsageError."""
    name, _, program = actor.partition(".")
    host = choose(all_labs(engine, time.time()), word).host(name)
    if not program:
        return _Place(host.id, FOLDER, "")
    known = dict(one.split("=") for one in host.labels.users.split())
    if program not in known:
        what = f"host {name!r} has no program {program!r} made of sources"
        raise UsageError("no-program", what, fix=f"its programs: {', '.join(known) or 'none'}")
    return _Place(host.id, f"{FOLDER}/{program}", users.of_program(int(known[program])))


def _joined(engine: Engine, place: _Place, command: Sequence[str]) -> int:
    """Run it with this process's own input and output; its exit status."""
    from lab.engine.containers import exec_resize, exec_start
    from lab.run import terminal

    person = terminal.at_terminal()
    env = {"HOME": place.folder} | ({"TERM": os.environ.get("TERM", "xterm")} if person else {})
    program = exec_start(
        engine, place.container, command, tty=person, workdir=place.folder, env=env, user=place.user
    )
    with program.stream.socket:
        if person:
            terminal.join_terminal(program.stream, partial(exec_resize, engine, program.id))
            return _status(engine, program.id)
        try:
            terminal.join_pipes(program.stream)
        except BrokenPipeError:
            return 128 + signal.SIGPIPE  # as a shell tells of a command whose reader has gone
    return _status(engine, program.id)


def _status(engine: Engine, exec_id: str) -> int:
    """How the program ended; the engine may know a moment after its output has."""
    from lab.engine.containers import exec_status

    deadline = time.monotonic() + _EXIT_SECONDS
    while True:
        state = exec_status(engine, exec_id)
        if not state.running and state.status is not None:
            return state.status
        if time.monotonic() > deadline:
            raise EngineError("exec-lost", "the connection to the program broke", fix="is it up? lab ps")
        time.sleep(0.01)


def down(word: str, every: bool, screen: Screen) -> ExitCode:
    """Take down what was left up: one lab, or all of them."""
    with connected(screen) as engine:
        labs = all_labs(engine, time.time())
        chosen = [lab for lab in labs if lab.abandoned] if every else [_idle(choose(labs, word), word)]
        _remove(engine, chosen, screen)
    if not chosen:
        screen.show(["no lab is up"])
    return ExitCode.PASSED


def _idle(lab: Lab, word: str) -> Lab:
    """The lab, unless its process is at work with it, or it is another machine's and was not named."""
    if lab.standing is Standing.BUSY:
        fix = "press ^C where it runs, or wait"
        raise UsageError("lab-busy", f"the process that runs lab {listed([lab])} is at work with it", fix=fix)
    if lab.standing is Standing.ELSEWHERE and not word:
        fix = f"if it is yours: lab down --lab {lab.run_id}"
        raise UsageError("lab-elsewhere", f"lab {listed([lab])} was made on another machine", fix=fix)
    return lab


def wipe(screen: Screen) -> ExitCode:
    """Remove every lab whose process has ended or whose time is over; nothing of others."""
    with connected(screen) as engine:
        labs = [lab for lab in all_labs(engine, time.time()) if lab.abandoned]
        _remove(engine, labs, screen)
    if not labs:
        screen.show(["nothing to remove"])
    return ExitCode.PASSED


def _remove(engine: Engine, labs: Sequence[Lab], screen: Screen) -> None:
    from lab.engine.containers import remove_listed

    remove_listed(engine, [container for lab in labs for container in lab.containers])
    screen.show(f"removed {lab.run_id} ({lab.scenario}): {len(lab.containers)} containers" for lab in labs)
    screen.answer(
        {
            "removed": [
                {
                    "run": lab.run_id,
                    "scenario": lab.scenario,
                    "standing": lab.standing.value,
                    "containers": [container.id for container in lab.containers],
                }
                for lab in labs
            ]
        }
    )
