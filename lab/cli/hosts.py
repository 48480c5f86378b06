"""The commands that look at labs that are up, into their hosts, and take them down."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.connected import connected
from lab.cli.documents import HostDocument, LabDocument, Labs, Removed, RemovedLab
from lab.cli.screen import Screen
from lab.core.archive import FOLDER
from lab.core.errors import EngineError, ExitCode, LabError, UsageError
from lab.deploy.copying import Place
from lab.deploy.labs import Lab, LabStatus, all_labs, choose, listed
from lab.engine import users

if TYPE_CHECKING:
    from lab.engine import Engine
    from lab.engine.containers import Container

_EXIT_SECONDS = 5.0
_BECOME = (
    'case $1 in */*) test -f "$1" -a -x "$1" && exec "$@" ;; *) IFS=:; for d in $PATH; do p=$d/$1; '
    'test -f "$p" -a -x "$p" && shift && exec "$p" "$@"; done ;; esac; '
    "printf 'lab: %s: this host has no such program\\n' \"$1\" >&2; exit 127"
)
"""Become the program with a shell's exit status where there is none (POSIX, Exit Status for Commands)."""

_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh")
_HEADINGS = ("RUN", "SCENARIO", "HOST", "ADDRESS", "STATE", "AGE", "LEFT", "FOLDER")


def ps(screen: Screen) -> ExitCode:
    """Every lab with its hosts, whose it is, and how long it may stay."""
    now = time.time()
    with connected(screen) as engine:
        labs = all_labs(engine, now)
    rows = [_row(lab, host, now) for lab in labs for host in lab.hosts]
    screen.show(screen.style.table(rows, _HEADINGS) if rows else ["no lab is up"])
    screen.answer(Labs(labs=[_document(lab) for lab in labs], exit=ExitCode.PASSED))
    return ExitCode.PASSED


def _row(lab: Lab, host: Container, now: float) -> tuple[str, ...]:
    age, left = _minutes(now - lab.created), _minutes(lab.expires - now)
    state = lab.standing.value if host.state == "running" else host.state
    addresses = host.labels.addresses.replace(",", " ")
    return lab.run_id, lab.scenario, host.labels.host, addresses, state, age, left, lab.folder


def _minutes(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def _document(lab: Lab) -> LabDocument:
    return LabDocument(
        run=lab.run_id,
        scenario=lab.scenario,
        file=lab.file,
        folder=lab.folder,
        created=lab.created,
        standing=lab.standing,
        expires=lab.expires,
        hosts=[
            HostDocument(
                host=one.labels.host, addresses=one.labels.addresses, state=one.state, container=one.id
            )
            for one in lab.hosts
        ],
    )


def execute(host: str, command: Sequence[str], word: str, screen: Screen) -> int:
    """Run a command in a host, on this terminal or on pipes; its exit status."""
    from lab.engine.containers import BUSYBOX

    words = command[1:] if command[:1] == ["--"] else command
    if not words or words[0].startswith("-"):
        what = f"{words[0]!r} is no program" if words else "there is no command"
        fix = "`lab exec` takes its options before the host: lab exec --lab RUN HOST CMD..."
        raise UsageError("usage", what, fix=fix)
    with connected(screen) as engine:
        become = [BUSYBOX, "sh", "-c", _BECOME, "sh", *words]
        return _joined(engine, place_of(engine, host, word, screen), become)


def shell(host: str, word: str, screen: Screen) -> int:
    """A shell in a host: its own if it has one, else the one that every host is given."""
    from lab.engine.containers import BUSYBOX

    tries = "; ".join(f"test -x {path} && exec {path}" for path in _SHELLS)
    with connected(screen) as engine:
        place = place_of(engine, host, word, screen)
        return _joined(engine, place, [BUSYBOX, "sh", "-c", f"{tries}; exec {BUSYBOX} sh"])


def place_of(engine: Engine, actor: str, word: str, screen: Screen) -> Place:
    """The place of a host's own user, or that of a program, ``HOST.PROGRAM``. UsageError."""
    name, _, program = actor.partition(".")
    host = chosen(all_labs(engine, time.time()), word, screen).host(name)
    if not program:
        return Place(host.id, FOLDER, "", host.labels.raw)
    known = dict(one.split("=") for one in host.labels.users.split())
    if program not in known:
        what = f"host {name!r} has no program {program!r} made of sources"
        raise UsageError("no-program", what, fix=f"its programs: {', '.join(known) or 'none'}")
    return Place(host.id, f"{FOLDER}/{program}", users.of_program(int(known[program])), host.labels.raw)


def _joined(engine: Engine, place: Place, command: Sequence[str]) -> int:
    """Run it with this process's own input and output; its exit status."""
    from lab.engine.containers import RAW, exec_resize, exec_start
    from lab.run import terminal

    person = terminal.at_terminal()
    env = {"HOME": place.folder} | ({"TERM": os.environ.get("TERM", "xterm")} if person else {})
    command = [*(RAW if place.raw else ()), *command]
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
        meant = _own(labs, screen) if every else [_idle(chosen(labs, word, screen), word)]
        _remove(engine, meant, screen)
    if not meant:
        screen.show(["no lab is up"])
    return ExitCode.PASSED


def _own(labs: Sequence[Lab], screen: Screen) -> list[Lab]:
    """The labs that this user has left on this machine, told before any is removed; those of others stay."""
    own = [lab for lab in labs if lab.abandoned and lab.owner.is_of_this_user()]
    others = [lab for lab in labs if lab.abandoned and not lab.owner.is_of_this_user()]
    if own:
        screen.tell(f"removing {listed(own)}")
    if others:
        screen.tell(f"not yours, or not known to be: {listed(others)} (lab down --lab RUN)")
    return own


def chosen(labs: Sequence[Lab], word: str, screen: Screen) -> Lab:
    """The lab that is meant: by ``word``, by the environment (LAB_RUN), or the newest of this folder.

    Where it is one of another folder, which nobody named, that is told.
    """
    word, folder = word or os.environ.get("LAB_RUN", ""), str(Path.cwd())
    lab = choose(labs, word, folder)
    if not word and lab.folder != folder:
        screen.tell(
            f"no lab of this folder is up: this is {listed([lab])}, which was started from {lab.folder}"
        )
    return lab


def _idle(lab: Lab, word: str) -> Lab:
    """The lab, unless its process is at work with it, or it is another machine's and was not named."""
    if lab.standing is LabStatus.BUSY:
        fix = "press ^C where it runs, or wait"
        raise UsageError("lab-busy", f"the process that runs lab {listed([lab])} is at work with it", fix=fix)
    if lab.standing is LabStatus.ELSEWHERE and not word:
        fix = f"if it is yours: lab down --lab {lab.run_id}"
        raise UsageError("lab-elsewhere", f"lab {listed([lab])} was made on another machine", fix=fix)
    return lab


def replace_earlier(engine: Engine, file: Path, screen: Screen) -> None:
    """Take down the labs that `lab up` of this file left up on this machine."""
    path = os.path.abspath(file)  # noqa: PTH100 - Path.resolve would follow links
    earlier = [
        lab for lab in all_labs(engine, time.time()) if lab.standing is LabStatus.UP and lab.path == path
    ]
    _take_down(engine, earlier, screen)
    for lab in earlier:
        screen.say(f"removed lab {lab.run_id}: this one replaces it (--beside keeps both)")


def wipe(screen: Screen) -> ExitCode:
    """Remove every lab whose process has ended or whose time is over; nothing of others."""
    with connected(screen) as engine:
        labs = [lab for lab in all_labs(engine, time.time()) if lab.abandoned]
        _remove(engine, labs, screen)
    if not labs:
        screen.show(["nothing to remove"])
    return ExitCode.PASSED


def _take_down(engine: Engine, labs: Sequence[Lab], screen: Screen) -> None:
    """Remove labs; what was sent in them by hand goes into their records before that."""
    from lab.engine.containers import remove_listed

    for lab in labs:
        save_by_hand(engine, lab, screen)
    remove_listed(engine, [container for lab in labs for container in lab.containers])


def save_by_hand(engine: Engine, lab: Lab, screen: Screen) -> None:
    """Bring what was sent in a lab after its script into its record; a warning if that fails."""
    from lab.deploy.by_hand import save

    try:
        save(engine, lab)
    except LabError as error:
        screen.warn(f"what was sent by hand in lab {lab.run_id} is not saved: {error.what}")


def _remove(engine: Engine, labs: Sequence[Lab], screen: Screen) -> None:
    _take_down(engine, labs, screen)
    screen.show(f"removed {lab.run_id} ({lab.scenario}): {len(lab.containers)} containers" for lab in labs)
    removed = [
        RemovedLab(
            run=lab.run_id,
            scenario=lab.scenario,
            standing=lab.standing,
            containers=[container.id for container in lab.containers],
        )
        for lab in labs
    ]
    screen.answer(Removed(removed=removed, exit=ExitCode.PASSED))
