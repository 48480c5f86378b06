"""The script in a lab that is up, played and observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from lab.core.archive import FOLDER
from lab.deploy.deployment import Deployment
from lab.deploy.host import RunningHost
from lab.engine import users
from lab.engine.containers import image_command
from lab.evidence.files import FileEvidence
from lab.evidence.sockets import Sampling
from lab.evidence.transcript import Transcript, TranscriptEvent
from lab.run.files import read_files
from lab.run.observe import Observer
from lab.run.prepare import Prepared
from lab.scenario.variables import substitute
from lab.steps.program import Starter
from lab.steps.programs import Programs
from lab.steps.recorder import Recorder
from lab.steps.runner import ScriptRunner

Hear = Callable[[TranscriptEvent], None]


class Executed(Struct, frozen=True):
    """What a script left: who said what. Times in ns since the epoch."""

    began: int
    ended: int
    transcript: Transcript
    variables: Mapping[str, str]
    files: tuple[FileEvidence, ...] = ()
    """Those that checks look at."""


async def execute(prepared: Prepared, deployment: Deployment, observer: Observer, hear: Hear) -> Executed:
    """Play the script in a lab that is up; its programs are heard until the lab is let go."""
    scenario = prepared.loaded.scenario
    recorder = Recorder(deployment.now, hear)
    variables = dict(prepared.variables)
    began = deployment.now()
    programs = Programs(scenario, deployment, await _starters(deployment, prepared, variables), recorder)
    deployment.when_let_go(programs.let_go)

    async def look_around() -> None:
        await observer.look_around(deployment, programs.unread())

    await ScriptRunner(scenario, prepared.loaded.lines, programs, recorder, variables).play(look_around)
    killed = programs.killed or observer.saw_killed({one.pid for one in programs.told_to_end})
    if killed or observer.has_looked_around:
        await observer.ask_for_memory(deployment, began, patient=killed)
    files = await read_files(deployment, prepared)
    return Executed(began, deployment.now(), recorder.transcript(), variables, files)


def nothing_executed(deployment: Deployment) -> tuple[Executed, Sampling]:
    """What is left of a run whose programs were not built: no step was played, and nothing observed."""
    now = deployment.now()
    return Executed(now, now, Transcript((), "1"), {}), Sampling(now, now, 0, 0)


async def _starters(
    deployment: Deployment, prepared: Prepared, variables: Mapping[str, str]
) -> dict[tuple[str, str], Starter]:
    """How each host starts each of its programs, the variables in its words and environment filled in."""
    found = {}
    for host in prepared.plan.hosts:
        for name in host.programs:
            argv = prepared.built[host.name, name].recipe.argv or ()
            program = prepared.loaded.scenario.programs[name]
            words = [substitute(word, variables) for word in (*argv, *program.args)]
            workdir, env, user = _place(deployment.hosts[host.name], name)
            if not argv:
                image = prepared.images[host.image]
                command, workdir = await deployment.call(image_command, deployment.engine, image)
                words = [*command, *words]
            env |= {key: substitute(value, variables) for key, value in program.env.items()}
            found[host.name, name] = Starter(tuple(words), workdir, env, user)
    return found


def _place(host: RunningHost, name: str) -> tuple[str, dict[str, str], str]:
    """The folder, environment and user of a program: its own if it has sources, else those of its host."""
    uid = host.programs.get(name)
    folder = f"{FOLDER}/{name}"
    return (FOLDER, {}, "") if uid is None else (folder, {"HOME": folder}, users.of_program(uid))
