"""Containers: the cage a host's programs run in, the sidecar, and what is ours on the machine."""

from __future__ import annotations

import contextlib
import json
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from lab.core.archive import FOLDER
from lab.core.errors import EngineError
from lab.engine import Engine, users
from lab.engine.labels import PROJECT, Labels
from lab.engine.workers import Workers, all_of

if TYPE_CHECKING:
    from lab.scenario.cast import Limits

TOOLS = "/opt/tcp-lab"
BUSYBOX = f"{TOOLS}/busybox"
"""A static busybox from the sidecar, read-only in every host: it keeps the host alive whatever its image."""

PLAIN = (BUSYBOX, "setpriv", "--nnp")
"""Before a command: it can gain no privileges, whatever it executes."""

RAW = (f"{TOOLS}/raw/busybox", *PLAIN[1:], "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw")
"""Before a command in a host that is ``raw``: the same, and it may open raw sockets.

The first file has that capability. A container that may gain no privileges at all could not execute it with
that, so that it is each process of the host that may gain none from then on.
"""

LEASE = "TCP_LAB_LEASE"
"""The sidecar's environment variable that says for how many seconds its agent may live at most."""

OWN_PROCESSES = 16
"""Processes of the lab's own in a host: two that keep it, and two for each program on a terminal."""

WORKERS = 4
"""Requests at once: on two cores more make the engine slower, not faster."""

_SIDECAR_SHARES = 1 << 18
"""The sidecar's weight for processors, the largest: what programs send must not keep it from capturing."""

CAPTURES = "/var/lib/tcp-lab"
"""Where the agent captures: in memory, because each frame is written by itself, and bounded."""

_CAPTURES_SIZE = 1024**3

_SIDECAR_MEMORY = 2 * 1024**3
"""Bytes at most, captures included."""

_SIDECAR_PROCESSES = 2048
"""At most, with 300 hosts: a tcpdump for each loopback that is captured, and another that is watched."""

_CPU_PERIOD, _SIDECAR_CPUS = 100_000, 4
"""The kernel's period for shares of processors (microseconds); how many a sidecar has at most."""

_REMOVAL_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 0.5
"""How long the engine may take to remove what it refused to, as it does while it removes it by itself."""

_SHARED = 16 * 1024**2
"""Bytes of /dev/shm."""

_BY_USER = {"core": 0, "sigpending": 4096, "msgqueue": 819200, "memlock": 8 * 1024**2}
"""Limits (setrlimit(2)) that no scenario changes: those of Linux, and fewer signals and timers."""


@cache
def system_calls(*, raw: bool = False) -> str:
    """Which system calls programs may use, as the engine takes it: in place of its own list.

    Docker's list, as measured and published, without what no program of a lab needs and what reaches beyond
    its container: io_uring, memfd_secret, modify_ldt, sockets but of four kinds (AF_VSOCK speaks to the
    machine's own machine, MPTCP is seen by no instrument), and system calls of 32-bit programs, whose
    families no filter can see. Those of a ``raw`` host may open raw sockets, too.
    """
    profile = json.loads((Path(__file__).parent / "seccomp.json").read_text(encoding="utf-8"))
    if not raw:
        rules = profile["syscalls"]
        profile["syscalls"] = [one for one in rules if not one["comment"].startswith(_RAW_ONLY)]
    return json.dumps(profile)


_RAW_ONLY = "raw hosts only"
"""What the comment of a rule begins with that is for hosts with raw sockets."""


class ContainerSpec(Struct, frozen=True):
    """A container to be: what differs between hosts. All the rest is the cage.

    One with a ``sidecar`` gets its tools and its network from there. The engine then does not look after
    networking at all, two fifths of what a start costs, and leaves /etc/hosts empty; loopback is there.
    """

    image: str
    command: tuple[str, ...]
    labels: Labels
    hostname: str
    limits: Limits
    uid: int
    """The user whose ``/work`` is: of a host the lab's own, of a build the build's."""

    sidecar: str | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    keeper: int | None = None
    """The user of its first process, where that is another."""

    programs: Mapping[str, int] = field(default_factory=dict)
    """Programs with a folder in ``/work`` in which they, and the lab's own user, may write; their users."""

    raw: bool = False
    """Whether its programs may open raw sockets: those started by ``RAW``."""


class Container(Struct, frozen=True):
    """One of our containers: its ``state`` in Docker's words, ``created`` in seconds since the epoch."""

    id: str
    name: str
    state: str
    labels: Labels
    created: int


class Stream(Struct, frozen=True):
    """A connection to a program's terminal or pipes: the socket, and what had already arrived on it."""

    socket: socket.socket
    early: bytes

    def has_ended(self) -> bool:
        """Whether the other side has closed it, whatever of what it sent is still unread."""
        if self.socket.fileno() < 0:
            return True
        end = select.poll()
        end.register(self.socket, select.POLLRDHUP)
        return bool(end.poll(0))


class Exec(Struct, frozen=True):
    """A program that was started in a container."""

    id: str
    stream: Stream


class ExecState(Struct, frozen=True):
    """What became of it: ``status`` is None while it runs, ``pid`` is 0 before that."""

    running: bool
    status: int | None
    pid: int


def create_caged(engine: Engine, spec: ContainerSpec) -> str:
    """Create (not start) a container for programs that nobody trusts; its id.

    No network but loopback, no capability, nothing writable but bounded folders in memory and what the image
    declares as volumes, no way to new privileges, few system calls, a user of its own, bounded memory,
    processes, files and log.
    """
    from docker.types import Healthcheck, LogConfig, Ulimit

    limits = spec.limits
    client = engine.client
    with engine.doing(f"create the container of {spec.hostname}"):
        cage = client.create_host_config(
            network_mode="none",
            auto_remove=True,
            init=True,
            ipc_mode="private",
            cgroupns="private",
            cap_drop=["ALL"],
            cap_add=["NET_RAW"] if spec.raw else None,
            security_opt=[
                *([] if spec.raw else ["no-new-privileges:true"]),
                f"seccomp={system_calls(raw=spec.raw)}",
            ],
            read_only=True,
            tmpfs={
                **_work(spec),
                "/tmp": f"noexec,nosuid,nodev,size={limits.work},nr_inodes=4096,mode=1777",  # noqa: S108
                "/dev/shm": f"noexec,nosuid,nodev,size={_SHARED},nr_inodes=1024,mode=1777",  # noqa: S108
            },
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=int(limits.cpus * 1e9),
            pids_limit=limits.processes + OWN_PROCESSES,
            ulimits=[
                Ulimit(name="nofile", soft=limits.open_files, hard=limits.open_files),
                Ulimit(name="fsize", soft=limits.file_size, hard=limits.file_size),
                *(Ulimit(name=name, soft=most, hard=most) for name, most in _BY_USER.items()),
            ],
            log_config=LogConfig(type=LogConfig.types.NONE),
            volumes_from=[f"{spec.sidecar}:ro"] if spec.sidecar else None,
            sysctls=dict(spec.sysctls),
        )
        # Not create_container(): it adds the proxies of the user's Docker configuration, passwords and all.
        definition = client.create_container_config(
            spec.image,
            [*(PLAIN if spec.raw else ()), *spec.command],
            entrypoint=[],
            user=users.with_group(spec.uid if spec.keeper is None else spec.keeper),
            hostname=spec.hostname,
            working_dir="/work",
            environment={"HOME": "/work", "LANG": "C.UTF-8"},
            network_disabled=spec.sidecar is not None,
            healthcheck=Healthcheck(test=["NONE"]),  # an image's own would run where no step says so
            stdin_open=True,
            host_config=cage,
            labels=spec.labels.as_dict(),
        )
        return _create(engine, definition, spec.labels, spec.hostname)


def _work(spec: ContainerSpec) -> dict[str, str]:
    """Where programs lie. What is laid into a program's folder is of its group, by the folder's mode."""
    bounds = f"exec,nosuid,nodev,size={spec.limits.work},nr_inodes=4096,uid={spec.uid}"
    folders = {f"{FOLDER}/{name}": f"{bounds},gid={uid},mode=2775" for name, uid in spec.programs.items()}
    return {FOLDER: f"{bounds},gid={users.GROUP},mode=0755"} | folders


def create_sidecar(engine: Engine, image: str, labels: Labels) -> str:
    """Create (not start) the trusted container that holds the lab's network and its instruments; its id.

    ``stdin_once``: the engine ends the agent's input when the CLI lets go of it or dies. Should it not, the
    agent ends by itself when the labels' time is over.
    """
    from docker.types import LogConfig

    client = engine.client
    with engine.doing("create the sidecar"):
        config = client.create_host_config(
            network_mode="none",
            pid_mode="host",
            auto_remove=True,
            read_only=True,
            mem_limit=_SIDECAR_MEMORY,
            memswap_limit=_SIDECAR_MEMORY,
            pids_limit=_SIDECAR_PROCESSES,
            cpu_shares=_SIDECAR_SHARES,
            # Not nano_cpus: the engine refuses more processors than there are.
            cpu_period=_CPU_PERIOD,
            cpu_quota=_CPU_PERIOD * _SIDECAR_CPUS,
            tmpfs={CAPTURES: f"noexec,nosuid,nodev,size={_CAPTURES_SIZE},nr_inodes=4096,mode=0700"},
            cap_drop=["ALL"],
            # SETGID: tcpdump sets its groups even where it stays root, and ends if it may not.
            # DAC_OVERRIDE: which descriptors another user's process holds is in a folder of that user's, and
            # the pipe of its input is that user's, which is kept open for writing.
            # SYS_CHROOT: to go where a host's files are mounted needs it beside SYS_ADMIN (setns(2)).
            cap_add=[
                "NET_ADMIN",
                "SYS_ADMIN",
                "SYS_PTRACE",
                "NET_RAW",
                "KILL",
                "SETGID",
                "DAC_OVERRIDE",
                "SYS_CHROOT",
            ],
            # Ubuntu's profile for containers forbids entering another namespace.
            security_opt=["no-new-privileges:true", "apparmor=unconfined"],
            log_config=LogConfig(type=LogConfig.types.NONE),
            sysctls={"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"},
        )
        definition = client.create_container_config(
            image,
            None,  # type: ignore[arg-type]  # the image's own command; the library knows, its types do not
            network_disabled=True,
            stdin_open=True,
            environment={LEASE: str(max(1, labels.expires - int(time.time())))},
            host_config=config,
            labels=labels.as_dict(),
        )
        definition["StdinOnce"] = True
        return _create(engine, definition, labels, "sidecar")


def _create(engine: Engine, definition: dict[str, Any], labels: Labels, what: str) -> str:
    """Create a container; its id.

    Its name is of this request alone: the client may ask twice, and where that name is taken, the first
    request was carried out and its answer was lost.
    """
    from docker.errors import APIError

    name = f"tcp-lab-{labels.run_id}-{what}-{secrets.token_hex(4)}"
    try:
        return str(engine.client.create_container_from_config(definition, name)["Id"])
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        return str(engine.client.inspect_container(name)["Id"])


def attach(engine: Engine, container: str) -> Stream:
    """A connection to a container's first process: its input, and its output in :mod:`lab.engine.frames`."""
    with engine.doing("attach to a container"):
        answer = engine.client.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        return _raw(answer)


def start(engine: Engine, container: str) -> None:
    """Start a created container."""
    with engine.doing("start a container"):
        engine.client.start(container)


def first_process(engine: Engine, container: str) -> int:
    """The process id of a running container's first process, as the engine's machine counts."""
    with engine.doing("inspect a container"):
        pid = int(engine.client.inspect_container(container)["State"]["Pid"])
    if pid == 0:
        raise EngineError("container-ended", "a container ended as soon as it was started", fix="lab doctor")
    return pid


def processes_in(engine: Engine, container: str) -> int:
    """How many processes a running container has, as the engine's machine counts."""
    with engine.doing("list the processes of a container"):
        return len(engine.client.top(container)["Processes"])


def processor_seconds(engine: Engine, container: str) -> float:
    """How much processor time a running container's processes have used."""
    with engine.doing("ask what a container has used"):
        told = engine.client.stats(container, stream=False, one_shot=True)
        return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def exec_start(
    engine: Engine,
    container: str,
    argv: Iterable[str],
    *,
    tty: bool,
    workdir: str = "/work",
    env: Mapping[str, str] | None = None,
    user: str = "",
) -> Exec:
    """Start a program in a running container, as its user or another, connected to its terminal or pipes."""
    client = engine.client
    with engine.doing("start a program"):
        made = client.exec_create(
            container,
            list(argv),
            stdin=True,
            tty=tty,
            workdir=workdir,
            environment=dict(env or {}),
            user=user,
        )["Id"]
        return Exec(made, _raw(client.exec_start(made, tty=tty, socket=True)))


def exec_status(engine: Engine, exec_id: str) -> ExecState:
    """Whether a program still runs, and how it ended."""
    with engine.doing("ask for a program's exit status"):
        told = engine.client.exec_inspect(exec_id)
        return ExecState(bool(told["Running"]), told["ExitCode"], int(told["Pid"]))


def out_of_memory(
    engine: Engine, containers: Iterable[str], since: int, until: int
) -> tuple[tuple[str, int], ...]:
    """Which containers had a process killed because their memory was used up, and when, between two times.

    Times are in nanoseconds since the epoch, on the clock of the engine's machine. The engine remembers its
    last 256 events of all kinds. That a container was short of memory is in its state only once it has ended.
    """
    filters = {"event": ["oom"], "container": list(containers)}
    with engine.doing("ask for what ran out of memory"):
        told = engine.client.events(  # type: ignore[call-overload]  # whole seconds would be too coarse
            since=_seconds(since), until=_seconds(until), filters=filters, decode=True
        )
        return tuple((str(one["id"]), int(one["timeNano"])) for one in told)


def _seconds(nanoseconds: int) -> str:
    """A time as the engine takes it."""
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def exec_resize(engine: Engine, exec_id: str, rows: int, columns: int) -> None:
    """Tell a program's terminal its size."""
    with engine.doing("resize a terminal"):
        engine.client.exec_resize(exec_id, height=rows, width=columns)


def ours(engine: Engine, run_id: str | None = None) -> list[Container]:
    """Every container that is ours, or those of one run; running or not."""
    wanted = [f"{key}={value}" for key, value in PROJECT.items()]
    if run_id:
        wanted.append(f"tcp-lab.run={run_id}")
    with engine.doing("list containers"):
        listed = engine.client.containers(all=True, filters={"label": wanted})
        return [
            Container(
                one["Id"], one["Names"][0].lstrip("/") if one["Names"] else one["Id"][:12], one["State"],
                Labels.read(one["Labels"]), one["Created"],
            )
            for one in listed
        ]  # fmt: skip


def _nobody() -> None:
    """Hears of each container that is gone where nobody asks."""


def remove_listed(
    engine: Engine, containers: Sequence[Container], removed: Callable[[], None] = _nobody
) -> None:
    """End and remove containers as :func:`ours` lists them, paused ones too.

    ``removed`` is called after each. EngineError if the engine does not do it.
    """
    _side_by_side([partial(_remove_listed, engine, container, removed) for container in containers])


def remove(engine: Engine, containers: Iterable[str], workers: int = WORKERS) -> None:
    """End and remove containers with their volumes; return when they are gone, as some may already be."""
    _side_by_side([partial(_remove, engine, container) for container in containers], workers)


def _side_by_side(removals: Iterable[Callable[[], None]], workers: int = WORKERS) -> None:
    pool = Workers(workers)
    try:
        all_of([pool.submit(removal) for removal in removals])
    finally:
        pool.shutdown()


def _remove_listed(engine: Engine, container: Container, removed: Callable[[], None]) -> None:
    """Where cgroups are of version 1 a paused container hears no signal: the engine waits for nothing."""
    if container.state == "paused":
        with contextlib.suppress(EngineError), engine.doing("unpause a container"):
            _unless_gone(partial(engine.client.unpause, container.id))
    _remove(engine, container.id)
    removed()


def _remove(engine: Engine, container: str) -> None:
    with engine.doing("remove a container"):
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while _unless_gone(lambda: engine.client.remove_container(container, force=True, v=True)):
            # Where the engine is removing it by itself, ours is refused, and theirs is awaited. It refuses,
            # too, what it cannot end just now: then it is asked again.
            if _is_gone_within(_ASK_AGAIN_SECONDS, engine, container):
                return
            if time.monotonic() > deadline:
                what = f"container {container[:12]} cannot be removed"
                raise EngineError("container-stays", what, fix="lab wipe")


def _is_gone_within(seconds: float, engine: Engine, container: str) -> bool:
    deadline = time.monotonic() + seconds
    while _unless_gone(lambda: engine.client.inspect_container(container)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _unless_gone(request: Callable[[], Any]) -> bool:
    """Make a request about a container; False if it is no longer there."""
    from docker.errors import APIError, NotFound

    try:
        request()
    except NotFound:
        return False
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
    return True


def _raw(answer: Any) -> Stream:
    """A socket of our own for the connection under the library's stream: only so can it half-close.

    What the engine sent right behind its headers waits in the reader that the library leaves aside.
    """
    response = answer._response  # noqa: SLF001 - the library has no other way to it, nor to the socket
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise ValueError(f"status {response.status_code} in place of a stream")
    connection: socket.socket = answer._sock  # noqa: SLF001
    if type(connection) is not socket.socket:
        what = "a program's terminal cannot be held over TLS or ssh"
        fix = "run the lab on the engine's machine, or set DOCKER_HOST to its socket"
        raise EngineError("engine-not-plain", what, fix=fix)
    connection.settimeout(0)
    early = bytes(response.raw._fp.fp.peek())  # noqa: SLF001
    own = connection.dup()
    response.close()
    return Stream(own, early)


def image_command(engine: Engine, image: str) -> tuple[tuple[str, ...], str]:
    """What an image runs by itself, its entry point and its command, and the folder in which it does."""
    with engine.doing(f"look at image {image}"):
        config = engine.client.inspect_image(image)["Config"]
        return (*(config["Entrypoint"] or ()), *(config["Cmd"] or ())), config["WorkingDir"] or "/"
