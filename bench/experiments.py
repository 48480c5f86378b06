"""What is measured: each function takes one round of its figures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pkgutil
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import scenes
from measure import Samples, installed, process, seconds

from lab.agent.protocol import Request, WaitSocket
from lab.checks import judging
from lab.core.archive import FOLDER
from lab.core.assets import HOST_IMAGE
from lab.core.words import TcpState
from lab.deploy.build import built
from lab.deploy.deployment import Deployment, deployed
from lab.deploy.plan import PlannedHost, plan
from lab.deploy.sidecar import Agent
from lab.engine import Engine, users
from lab.engine import containers as box
from lab.engine.containers import ContainerSpec
from lab.engine.images import SIDECAR, ensure
from lab.engine.labels import Labels, Owner
from lab.evidence import record
from lab.evidence.transcript import Started, StepEnded, TranscriptEvent
from lab.run.interruption import Interruption
from lab.run.observe import Observer
from lab.run.options import Options
from lab.run.pipeline import played
from lab.scenario.loader import Loaded, load
from lab.scenario.programs import recipe

LAB = (sys.executable, "-m", "lab")
MULTI_CLIENT = Path(__file__).parent.parent / "scenarios" / "multi_client.yaml"
BARE = Path(__file__).parent / "bare.py"
_SAMPLED_SECONDS = 2.0
_WATCHED_SECONDS = 6.0
_SUSTAINED_SECONDS = 10.0
"""Of talking before it is measured: what was saved while nothing happened is spent by then."""

IDLE = f"agent's processor with {scenes.TALKERS} idle"
TALKING = f"agent's processor with {scenes.TALKERS} talking"
_LEASE = 600

_COMPOSE = """\
version: "2.4"
services:
  a: &sleeper {{image: {image}, command: [sleep, "600"], init: true}}
  b: *sleeper
  c: *sleeper
"""

_PHASES = {
    "make sure of the images": "lab.run.prepare.ensure",
    "bring the lab up": "lab.deploy.deployment.Deployment.up",
    "play the script": "lab.run.execute.ScriptRunner.play",
    "end the captures": "lab.run.observe.Observer.end_captures",
    "take the lab down": "lab.deploy.deployment.Deployment.down",
    "write the record": "lab.evidence.record.write",
    "read it back": "lab.evidence.record.read",
    "judge": "lab.run.pipeline.judge",
}
"""Where the time of a run goes, and the function that takes it."""

DISABLED = "with networking disabled"
"""F of containers that the engine gives no network to look after, as the lab has its own started."""


class Deaf:
    """An audience that hears nothing."""

    def say(self, text: str) -> None:
        """Nothing is shown."""

    def event(self, event: TranscriptEvent) -> None:
        """Nothing is shown."""

    def draw(self, lines: Iterable[str]) -> None:
        """Nothing is drawn."""


def start_up(samples: Samples) -> None:
    """The commands that must answer at once."""
    for words in ("--version", "--help"):
        samples.add(f"lab {words}", process([*LAB, words]).seconds)


def small(engine: Engine, samples: Samples, folder: Path) -> None:
    """A whole run against bare containers and against docker-compose."""
    loaded = load(MULTI_CLIENT)
    _bare(engine, samples, loaded, "F")
    _bare(engine, samples, loaded, f"F {DISABLED}", disabled=True)
    records = folder / "records"
    samples.add("run", process([*LAB, "run", str(MULTI_CLIENT), "--records", str(records)]).seconds)
    newest = max(records.iterdir(), key=lambda path: path.stat().st_mtime)
    script, starts = _script_seconds(newest)
    samples.add("script", script)
    samples.add("starts", starts)
    samples.add("run without script", samples.of["run"][-1] - script)
    _compose(samples, folder)


def _script_seconds(folder: Path) -> tuple[float, float]:
    """How long the script took from its first step to its last, and how much of that starting programs."""
    events = record.read_transcript(folder).events
    steps = [event for event in events if isinstance(event, StepEnded)]
    starting = {event.step for event in events if isinstance(event, Started)}
    starts = sum(step.at - step.began for step in steps if step.step in starting)
    return (steps[-1].at - steps[0].began) / 1e9, starts / 1e9


def _bare(engine: Engine, samples: Samples, loaded: Loaded, name: str, *, disabled: bool = False) -> None:
    """As many containers as the scenario has hosts, and one for the sidecar."""
    hosts, run = plan(loaded.scenario).hosts, labels("bare")
    words = [sys.executable, str(BARE), str(len(hosts) + 1), str(box.WORKERS)]
    with removed(engine, run):
        description = {**caged(engine, hosts[0], run), "NetworkDisabled": disabled}
        began = time.perf_counter()
        done = subprocess.run(
            words, input=json.dumps(description), capture_output=True, text=True, check=True, env=installed()
        )
        samples.add(name, time.perf_counter() - began)
    up, down = json.loads(done.stdout)
    samples.add(f"{name} up", up)
    samples.add(f"{name} down", down)
    samples.add(f"{name} up and down", up + down)


def caged(engine: Engine, host: PlannedHost, run: Labels) -> dict[str, Any]:
    """The cage of a host of the lab as the engine describes it, a sleeper in it."""
    image = ensure(engine, [HOST_IMAGE], Deaf().say)[HOST_IMAGE]
    spec = ContainerSpec(
        image, ("sleep", str(_LEASE)), run, "bare", host.limits, users.draw(1)[0], sysctls=host.sysctls,
    )  # fmt: skip
    container = box.create_caged(engine, spec)
    with engine.doing("look at a cage"):
        told = engine.client.inspect_container(container)
    box.remove(engine, [container])
    return {**told["Config"], "HostConfig": told["HostConfig"]}


def labels(name: str) -> Labels:
    """Labels of a benchmark's containers: `lab wipe` removes them should it be killed."""
    return Labels(
        run_id=f"{name}-{secrets.token_hex(4)}", scenario="benchmark", file="", host="", addresses="",
        role="host", owner=Owner.this_process(), expires=int(time.time()) + _LEASE,
    )  # fmt: skip


@contextlib.contextmanager
def removed(engine: Engine, run: Labels) -> Iterator[None]:
    """Whatever happens inside, no container with these labels is left."""
    try:
        yield
    finally:
        box.remove(engine, [one.id for one in box.ours(engine, run.run_id)])


def _compose(samples: Samples, folder: Path) -> None:
    """Three bare containers; nothing is measured where there is no docker-compose."""
    command = _compose_command()
    if not command:
        return
    file = folder / "docker-compose.yml"
    file.write_text(_COMPOSE.format(image=HOST_IMAGE), encoding="utf-8")
    words = [*command, "-p", "tcp-lab-benchmark", "-f", str(file)]
    try:
        up = process([*words, "up", "-d"]).seconds
    finally:
        down = process([*words, "down"]).seconds
    samples.add("compose up", up)
    samples.add("compose down", down)
    samples.add("compose", up + down)


def _compose_command() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    with contextlib.suppress(RuntimeError, FileNotFoundError):
        process(["docker", "compose", "version"])
        return ["docker", "compose"]
    return []


def phases(engine: Engine, samples: Samples, folder: Path) -> None:
    """Where the time of a run goes."""
    samples.add("read the scenario", seconds(lambda: load(MULTI_CLIENT)))
    options = Options(records=folder / "phases")
    with (
        _watched(_PHASES, samples),
        _requests(samples, "of a run"),
        Interruption() as interruption,
        played(engine, load(MULTI_CLIENT), options, Deaf(), interruption) as finished,
    ):
        pass
    samples.add("judge again", seconds(lambda: judging.judge(record.read(finished.record))))


def crowd(engine: Engine, samples: Samples, folder: Path, count: int) -> None:
    """Many hosts up and down, against as many bare containers."""
    loaded = scenes.crowd(folder, count)
    samples.add(f"read a scenario of {count}", seconds(lambda: load(loaded.file)))
    _bare(engine, samples, loaded, f"F{count}")
    _bare(engine, samples, loaded, f"F{count} {DISABLED}", disabled=True)
    asyncio.run(_up_and_down(engine, samples, loaded, str(count)))
    samples.add(f"{count}", samples.of[f"{count} up"][-1] + samples.of[f"{count} down"][-1])


async def _up_and_down(engine: Engine, samples: Samples, loaded: Loaded, name: str) -> None:
    run = labels("crowd")
    up = _up(engine, loaded, run)
    with removed(engine, run), _requests(samples, f"of {name}"):
        with deployed(engine, run, Observer().hear) as deployment:
            began = time.perf_counter()
            await up(deployment)
            samples.add(f"{name} up", time.perf_counter() - began)
            samples.add(f"agent's processor with {name}", await _agent_cpu(deployment, _SAMPLED_SECONDS))
            began = time.perf_counter()
            deployment.let_go()
        samples.add(f"{name} down", time.perf_counter() - began)


def _up(engine: Engine, loaded: Loaded, run: Labels) -> Callable[[Deployment], Awaitable[None]]:
    """How to bring up a lab whose one program is built, so that only its start is left to do."""
    images = ensure(engine, [SIDECAR, HOST_IMAGE], Deaf().say)
    program = recipe("idle", loaded.scenario.programs["idle"], loaded.trees["idle"])
    packed = built(engine, program, [images[HOST_IMAGE]], run, seconds=60, say=Deaf().say)
    planned = plan(loaded.scenario)
    files = {(host.name, "idle"): packed for host in planned.hosts if "idle" in host.programs}
    return lambda deployment: deployment.up(planned, images, files)


def watching(engine: Engine, samples: Samples, folder: Path) -> None:
    """What the agent takes of a processor while the hosts do nothing, and while they talk."""
    asyncio.run(_watching(engine, samples, folder))


async def _watching(engine: Engine, samples: Samples, folder: Path) -> None:
    run = labels("talk")
    loaded, talkers = scenes.talking(folder)
    up, observer = _up(engine, loaded, run), Observer()
    with removed(engine, run), deployed(engine, run, observer.hear) as deployment:
        await up(deployment)
        samples.add(IDLE, await _agent_cpu(deployment, _WATCHED_SECONDS))
        for talker in talkers:
            await _until_runs(deployment, talker)
        await asyncio.sleep(_SUSTAINED_SECONDS)
        heard = len(observer.samples)
        samples.add(TALKING, await _agent_cpu(deployment, _WATCHED_SECONDS))
        samples.add("samples told in a second", (len(observer.samples) - heard) / _WATCHED_SECONDS)


async def _until_runs(deployment: Deployment, talker: scenes.Talker) -> None:
    """Start a program; return when it listens, or its first connection has ended."""
    there = deployment.hosts[talker.host]
    with deployment.engine.doing("start a program"):
        client = deployment.engine.client
        made = client.exec_create(there.container, talker.words, workdir=FOLDER, stdout=False, stderr=False)
        client.exec_start(made["Id"], detach=True)
    state = TcpState.TIME_WAIT if talker.server else TcpState.LISTEN
    where = talker.server or talker.host
    await deployment.agent.ask(WaitSocket(host=where, states=[state], port=scenes.PORT, peers=[]))


async def _agent_cpu(deployment: Deployment, seconds: float) -> float:
    """Seconds of processor that the agent takes in a second of sampling; tcpdump is a process of its own."""
    pid = await deployment.call(box.first_process, deployment.engine, deployment.sidecar)
    file = Path(f"/proc/{pid}/schedstat")  # the first figure is ns on a processor

    def used() -> int:
        return int(file.read_text().split()[0])

    began, before = time.perf_counter_ns(), used()
    await asyncio.sleep(seconds)
    return (used() - before) / (time.perf_counter_ns() - began)


def memory(samples: Samples, folder: Path) -> None:
    """The memory the command needs, whether a program prints nothing or floods its terminal."""
    for name, file in (("silent", scenes.silent(folder)), ("flooding", scenes.flooding(folder))):
        ended = process([*LAB, "run", str(file), "--records", str(folder / name)])
        samples.add(f"peak {name}", ended.peak)
        samples.add(f"time {name}", ended.seconds)


@contextlib.contextmanager
def _watched(functions: dict[str, str], samples: Samples) -> Iterator[None]:
    """Measure every call of functions, each known by its dotted name."""
    with contextlib.ExitStack() as stack:
        for name, dotted in functions.items():
            stack.enter_context(patch(dotted, _timing(dotted, name, samples)))
        yield


def _timing(dotted: str, name: str, samples: Samples) -> Callable[..., Any]:
    real = pkgutil.resolve_name(dotted)
    if asyncio.iscoroutinefunction(real):

        async def timed_later(*args: Any, **kwargs: Any) -> Any:
            with samples.timed(name):
                return await real(*args, **kwargs)

        return timed_later

    def timed(*args: Any, **kwargs: Any) -> Any:
        with samples.timed(name):
            return real(*args, **kwargs)

    return timed


@contextlib.contextmanager
def _requests(samples: Samples, suffix: str) -> Iterator[None]:
    """Measure every request to the agent by its word."""
    real = Agent.ask

    async def ask(agent: Agent, request: Request[Any], **options: Any) -> Any:
        with samples.timed(f"{request.op} {suffix}"):
            return await real(agent, request, **options)

    with patch.object(Agent, "ask", ask):
        yield
