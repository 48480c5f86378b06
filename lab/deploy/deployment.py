"""A lab that is up: all of it or nothing, and always taken down again.

::

    with deployed(engine, labels) as deployment:
        deployment.begin(image)             # the sidecar, beside whatever else is done
        ...
        await deployment.up(plan, ...)

What is made carries the run's labels, and goes by them. A host is created while the sidecar starts, gets its
programs through its first process's input, and is wired with all others in one batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from lab.agent import protocol
from lab.core import limits
from lab.core.errors import EngineError, LabError
from lab.core.words import signal_by_number
from lab.deploy.cabling import interfaces, wiring
from lab.deploy.clock import ahead
from lab.deploy.health import SILENCE_SECONDS, Health, not_counted
from lab.deploy.host import RunningHost, make, stay
from lab.deploy.removal import Removal
from lab.deploy.sidecar import ANSWER_SECONDS, Agent, Listener
from lab.engine import Engine, users
from lab.engine import containers as box
from lab.engine.containers import ContainerSpec, Stream
from lab.engine.events import Act, Events
from lab.engine.images import SIDECAR
from lab.engine.labels import Labels
from lab.engine.workers import Workers
from lab.evidence.capture import Interface
from lab.evidence.record.layout import BY_HAND

if TYPE_CHECKING:
    from lab.deploy.plan import Plan, PlannedHost

P = ParamSpec("P")
T = TypeVar("T")

CAPTURE_LIMIT = limits.CAPTURE
"""Bytes of one capture, after which it ends and the evidence is incomplete."""

BY_HAND_LIMIT = 64 * limits.MIB
"""Bytes of what is captured after the script; more is not kept."""

SAMPLING_INTERVAL = 0.005
UP_SECONDS, UP_SECONDS_A_HOST = 180.0, 3.0
"""How long a lab may take to go up, and each of its hosts beside that, images and builds not counted."""

_OUT_OF_MEMORY_NANOSECONDS = 200_000_000
"""How often the engine is asked whether a process was killed for its memory."""

_PATIENCE_NANOSECONDS = 2_000_000_000
"""So long after that it has said so at the latest: a busy machine takes a while."""

_JUST_NOW_NANOSECONDS = 1_000_000_000
"""What used up a host's memory so long before its first process was killed has killed that, too."""

_SIGKILL = 9
"""On Linux, where the hosts are."""

_SUBSCRIBING_SECONDS = 15.0


class Deployment(Struct):
    """What is up, and the ways to it. Engine calls go through :meth:`call`, a few at once beside the loop."""

    engine: Engine
    labels: Labels
    on_event: Listener
    removal: Removal
    pool: Workers = field(default_factory=lambda: Workers(box.WORKERS))
    health: Health = field(default_factory=Health)
    sidecar: str = ""
    hosts: dict[str, RunningHost] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    clock_offset: int = 0
    kept: bool = False
    _agent: Agent | None = None
    _under_way: set[Future[Any]] = field(default_factory=set)
    _begun: tuple[Future[str], Future[Stream]] | None = None
    """The sidecar's container, and the connection to it once it is started."""
    _asides: Workers = field(default_factory=lambda: Workers(1))
    """To ask whether the engine is there: that must not wait until others are done."""
    _connections: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """How the programs are heard."""
    _others: Events | None = None
    """What others do to the containers."""
    _watches: set[asyncio.Task[None]] = field(default_factory=set)
    """Each hears how a host's first process ends."""
    _doubtful: set[str] = field(default_factory=set)
    """The hosts whose first process was killed, as long as it is not known by whom."""
    _known: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def agent(self) -> Agent:
        """The sidecar's agent. EngineError before it is connected."""
        if self._agent is None:
            raise EngineError("sidecar-gone", "the lab's sidecar has not started")
        return self._agent

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call of the engine, which blocks, beside the loop. A step's time does not include it."""
        with not_counted("a call of the container engine"):
            return await asyncio.wrap_future(self._submit(function, *args, **kwargs))

    async def engine_answers(self) -> None:
        """Ask the engine whether it is there. EngineError if it is not."""
        await asyncio.wrap_future(self._asides.submit(self.engine.ping, SILENCE_SECONDS))

    def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = self.pool.submit(function, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def now(self) -> int:
        """Nanoseconds since the epoch on the clock of the machine that captures."""
        return time.time_ns() + self.clock_offset

    async def keep(self, snaplen: int) -> None:
        """Let the lab outlive this process, until its lease ends or it is taken down.

        What is sent from now on is captured as well.
        """
        by_hand = protocol.BeginCapture(
            capture=BY_HAND.removesuffix(".pcap"), limit=BY_HAND_LIMIT, snaplen=snaplen, stays=True
        )
        await self.agent.ask(by_hand)
        await self.agent.ask(protocol.Keep())
        self.kept = True
        self.removal.begin_sweep()

    # --- going up ------------------------------------------------------------------------------

    def begin(self, sidecar_image: str) -> tuple[Future[str], Future[Stream]]:
        """Start the sidecar, beside whatever else is done."""
        created = self._submit(
            box.create_sidecar, self.engine, sidecar_image, replace(self.labels, role="sidecar")
        )
        self._begun = created, self._submit(_started, self.engine, created)
        return self._begun

    async def up(self, plan: Plan, images: Mapping[str, str], files: Mapping[tuple[str, str], bytes]) -> None:
        """Bring everything up; ``images`` by name, ``files`` (a tar of each program) by host and name."""
        seconds = UP_SECONDS + UP_SECONDS_A_HOST * len(plan.hosts)
        try:
            async with asyncio.timeout(seconds):
                await self._up(plan, images, files)
        except TimeoutError:
            what = f"the lab was not up after {seconds:g} s"
            raise EngineError("engine-slow", what, where=self.engine.address, fix="lab doctor") from None

    async def _up(
        self, plan: Plan, images: Mapping[str, str], files: Mapping[tuple[str, str], bytes]
    ) -> None:
        created, started = self._begun or self.begin(images[SIDECAR])
        self._hear_of_others()
        self.sidecar = await asyncio.wrap_future(created)
        async with asyncio.TaskGroup() as group:
            instruments = group.create_task(self._use_sidecar(started, plan.snaplen))
            ids = iter(users.draw(sum(1 + len(host.programs) for host in plan.hosts)))
            for host in plan.hosts:
                own = {name: files[host.name, name] for name in host.programs if (host.name, name) in files}
                uid, programs = next(ids), {name: next(ids) for name in own}
                spec = self._spec(host, images[host.image], uid, programs)
                group.create_task(self._start_host(host, spec, own, instruments))
        await self._wire(plan)
        if self._others is not None:
            async with asyncio.timeout(_SUBSCRIBING_SECONDS):
                await asyncio.wrap_future(self._others.subscribed)

    def _hear_of_others(self) -> None:
        """Hear of what others do to the containers: that is no program's doing."""
        loop = asyncio.get_running_loop()

        def fail(error: EngineError) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self.health.fail, error)

        self._others = Events(
            self.engine, self.labels.run_id, int(time.time()), lambda act: fail(_touched(act)), fail
        )
        self._others.start()

    async def _use_sidecar(self, started: Future[Stream], snaplen: int) -> None:
        self._agent = await Agent.connect(await asyncio.wrap_future(started), self.on_event, self.health.fail)
        self.health.ask("the lab's sidecar", self._agent_answers)
        asked = time.time_ns()
        lease = max(1.0, self.labels.expires - time.time())
        greeting = await self.agent.ask(protocol.Hello(lease=lease))
        self.clock_offset = ahead(asked, greeting.clock, time.time_ns())
        self.versions = {"kernel": greeting.kernel, "python": greeting.python}
        await self.agent.ask(protocol.BeginCapture(capture="capture", limit=CAPTURE_LIMIT, snaplen=snaplen))

    async def _agent_answers(self) -> None:
        """Ask the agent whether it is there. By whom hosts that it has told of were killed is known then."""
        await self.agent.answers()
        async with self._known:
            await self._known.wait_for(lambda: not self._doubtful)

    def _spec(self, host: PlannedHost, image: str, uid: int, programs: Mapping[str, int]) -> ContainerSpec:
        seconds = max(1, self.labels.expires - int(time.time()))
        labels = replace(
            self.labels, role="host", host=host.name, addresses=" ".join(sum(host.addresses.values(), ())),
            users=" ".join(f"{name}={user}" for name, user in programs.items()), raw=host.raw,
        )  # fmt: skip
        return ContainerSpec(
            image, stay(seconds), labels, host.name, host.limits, uid, self.sidecar, host.sysctls,
            programs=programs, raw=host.raw,
        )  # fmt: skip

    async def _start_host(
        self,
        host: PlannedHost,
        spec: ContainerSpec,
        files: Mapping[str, bytes],
        instruments: asyncio.Task[None],
    ) -> None:
        container, pid = await self.call(make, self.engine, spec, files)
        await instruments
        await self.agent.ask(protocol.Own(pid=pid))
        self.hosts[host.name] = RunningHost(host, container, pid, spec.uid, spec.programs)
        watch = asyncio.create_task(self._watch(self.hosts[host.name]))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, host: RunningHost) -> None:
        """Hear how a host's first process ends: no process inside can end it by a signal, as its init.

        But a program can use up the host's memory, so that the kernel kills all that is in it.
        """
        name, number = host.plan.name, 0
        with contextlib.suppress(EngineError):  # the agent was let go
            number = await self.agent.ask(protocol.WaitKilled(pid=host.pid))
        if number == 0:
            return
        self._doubtful.add(name)
        if number != _SIGKILL or not await self._was_short_of_memory(name):
            self.health.fail(_touched(Act(name, f"sent {signal_by_number(number)}", host.container[:12])))
        async with self._known:
            self._doubtful.discard(name)
            self._known.notify_all()

    async def _was_short_of_memory(self, host: str) -> bool:
        with contextlib.suppress(EngineError):
            told = await self.out_of_memory(self.now() - _JUST_NOW_NANOSECONDS, patient=True)
            return any(where == host for where, _ in told)
        return False

    async def out_of_memory(self, since: int, *, patient: bool) -> tuple[tuple[str, int], ...]:
        """On which hosts a process was killed because their memory was used up, and when.

        The engine tells of that a moment after the process has ended: for that one has to be ``patient``.
        """
        hosts = {host.container: host.plan.name for host in self.hosts.values()}
        enough = self.now() + (_PATIENCE_NANOSECONDS if patient else 0)
        while True:
            until = min(enough, self.now() + _OUT_OF_MEMORY_NANOSECONDS)
            told = await self.call(box.out_of_memory, self.engine, hosts, since, until)
            if told or self.now() >= enough:
                return tuple((hosts[one], at) for one, at in told if one in hosts)

    async def _wire(self, plan: Plan) -> None:
        seconds = ANSWER_SECONDS + UP_SECONDS_A_HOST * len(plan.hosts)
        indices = await self.agent.ask(wiring(plan, self.hosts), seconds=seconds)
        self.interfaces = interfaces(plan, indices)
        await self.sample()
        for host in plan.hosts:
            if host.loopback:
                name, pid = f"loopback-{host.name}", self.hosts[host.name].pid
                capture = protocol.BeginCapture(
                    capture=name, limit=CAPTURE_LIMIT, snaplen=plan.snaplen, pid=pid
                )
                await self.agent.ask(capture)

    async def sample(self) -> None:
        """Have the hosts' sockets and processes looked at from now on."""
        pids = {name: host.pid for name, host in self.hosts.items()}
        await self.agent.ask(protocol.BeginSampling(hosts=pids, interval=SAMPLING_INTERVAL))

    # --- going down ----------------------------------------------------------------------------

    async def begin_down(self) -> None:
        """Take the lab down, beside whatever else is done; :meth:`down` waits until it is."""
        self.let_go()
        await asyncio.sleep(0)  # only then are connections closed
        self.removal.begin(self._submit(self.removal.remove_all))
        self.removal.begin_sweep()

    def when_let_go(self, act: Callable[[], None]) -> None:
        """Have something done before the agent is let go."""
        self._connections.callback(act)

    def let_go(self) -> None:
        """Let programs and the agent go, on the loop where they were connected.

        Unless the lab is kept, the hosts end. To remove a host in which a program is still heard takes the
        engine 20 s.
        """
        self._connections.close()
        if self._others is not None:
            self._others.stop()
        if self._agent is not None:
            self._agent.close()

    def down(self) -> None:
        """Take down all that carries the run's labels, whoever was making what.

        Raises:
            EngineError: something could not be removed, or not in time; it is named.
        """
        try:
            self.removal.finish(self._under_way, kept=self.kept)
        finally:
            self._close_unused()
            self.pool.shutdown()
            self._asides.shutdown()

    def _close_unused(self) -> None:
        """Close the connection to a sidecar that nobody came to use."""
        if self._begun is not None and self._agent is None:
            _, started = self._begun
            started.add_done_callback(_close)


def _nobody(_: protocol.Event | protocol.Misheard) -> None:
    """Hears what the agent tells as long as nobody else does."""


def _never() -> bool:
    return False


@contextlib.contextmanager
def deployed(
    engine: Engine, labels: Labels, on_event: Listener = _nobody, hurried: Callable[[], bool] = _never
) -> Iterator[Deployment]:
    """A deployment that is taken down on every way out, unless it was told to keep the lab.

    ``hurried`` says whether somebody has interrupted. What ends it and is an error stays the error that is
    raised; what could not be removed is told beside it.
    """
    deployment = Deployment(engine, labels, on_event, Removal(engine, labels.run_id, hurried))
    deployment.health.ask("the container engine", deployment.engine_answers)
    try:
        yield deployment
    except (LabError, KeyboardInterrupt) as error:
        _down_after(error, deployment)
        raise
    except BaseException:
        deployment.down()
        raise
    else:
        deployment.down()


def _down_after(error: LabError | KeyboardInterrupt, deployment: Deployment) -> None:
    """Take down after an error; trouble with that is told by the error."""
    try:
        deployment.down()
    except EngineError as trouble:
        told = f"{trouble.what}; {trouble.fix}" if trouble.fix else trouble.what
        if isinstance(error, LabError):
            error.what = f"{error.what}\n{told}"
        else:
            error.args = (told,)


def _started(engine: Engine, created: Future[str]) -> Stream:
    """Start a container that is just being created; its input and output."""
    container = created.result()
    stream = box.attach(engine, container)
    try:
        box.start(engine, container)
    except BaseException:
        stream.socket.close()
        raise
    return stream


def _close(started: Future[Stream]) -> None:
    if not started.cancelled() and started.exception() is None:
        started.result().socket.close()


def _touched(act: Act) -> EngineError:
    who = f"host {act.host}" if act.host else "the lab's sidecar"
    what = f"{who} was {act.done} from outside the lab: what it did since then cannot be judged"
    return EngineError("host-touched", what, where=act.container, fix="run it again")
