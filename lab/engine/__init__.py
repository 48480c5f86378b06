"""The container engine: connecting to it, and the one seam where its errors become ours.

No other room imports the engine's library, and this one imports it late (0.13 s). What is done with the
engine lies in the modules of this package, as functions that take an :class:`Engine`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from lab.core.errors import EngineError, UsageError
from lab.engine.errors import explain, foreign

if TYPE_CHECKING:
    from docker import APIClient
    from docker.context import Context

OLDEST_API = "1.41"
"""Docker Engine 20.10: the oldest that the lab is tested with."""

ANSWER_TIMEOUT = 60
"""Seconds without a byte from the engine after which a request is given up."""

Trace = Callable[[str], None]


class Engine:
    """A connection to a container engine, usable from several threads.

    ``client`` is the engine's API; every use of it stands in ``with engine.doing(...)``.
    """

    def __init__(
        self, options: Mapping[str, Any], *, timeout: int = ANSWER_TIMEOUT, trace: Trace | None = None
    ) -> None:
        """``options`` say where the engine is, in the words of docker.APIClient."""
        self.address: str = options.get("base_url") or "unix:///var/run/docker.sock"
        self._options = options
        with self.doing("reach the container engine"):
            from lab.engine.client import Client

            self.client: APIClient = Client(version="auto", timeout=timeout, **options)
        if trace:
            self.client.hooks["response"].append(_tracer(trace))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    def ping(self, seconds: float) -> None:
        """Ask the engine whether it is there. EngineError if it does not say so within so many seconds."""
        with self.doing("reach the container engine"):
            self.client.get(f"{self.client.base_url}/_ping", timeout=seconds).raise_for_status()

    def hurried(self, timeout: int) -> Engine:
        """Another connection to the same engine, that waits for an answer for so many seconds only."""
        return Engine(self._options, timeout=timeout)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """The seam: what the engine or its library raises inside is an EngineError, "cannot WHAT: ..."."""
        with _translated(what, self.address):
            yield


def connect(*, trace: Trace | None = None) -> Engine:
    """Connect to the engine the user's ``docker`` would use: DOCKER_HOST, else its context, else the socket.

    ``trace`` is told every request with its outcome and how long it took.

    Raises:
        UsageError: DOCKER_HOST is no address.
        EngineError: nobody answers there, one may not ask, it is older than :data:`OLDEST_API`, or it is
            reached over TLS or ssh.
    """
    _require_address(os.environ.get("DOCKER_HOST", ""))
    with _translated("find the container engine", os.environ.get("DOCKER_HOST", "docker's context")):
        options = _endpoint()
    _require_plain(options)
    engine = Engine(options, trace=trace)
    try:
        _require_api(engine)
    except EngineError:
        engine.close()
        raise
    return engine


def _require_address(address: str) -> None:
    """UsageError for what is no address of an engine."""
    from docker.errors import DockerException
    from docker.utils import parse_host

    try:
        parse_host(address)
    except (DockerException, ValueError) as error:
        what, fix = f"{address} is no address: {error}", "write tcp://HOST:PORT or unix:///PATH"
        raise UsageError("docker-host", what, where="DOCKER_HOST", fix=fix) from None


def _require_plain(options: Mapping[str, Any]) -> None:
    """EngineError for an engine over TLS or ssh: a program's input is ended by half a plain socket."""
    address = str(options.get("base_url") or "")
    if not options.get("tls") and not address.startswith(("https://", "ssh://")):
        return
    raise EngineError(
        "engine-not-plain",
        "the lab cannot use a container engine over TLS or ssh: it needs a plain socket",
        where=address,
        fix="run lab on the engine's machine, or forward the engine's socket: ssh -nNT -L "
        "/tmp/engine.sock:/var/run/docker.sock HOST, then DOCKER_HOST=unix:///tmp/engine.sock",
    )


def _endpoint() -> dict[str, Any]:
    """Where the engine is, as arguments of the client."""
    from docker.utils import kwargs_from_env

    options: dict[str, Any] = {**kwargs_from_env()}
    if "base_url" in options:
        return options
    context = _context()
    if context is None:
        return options
    return {"base_url": context.Host, "tls": context.TLSConfig}


def _context() -> Context | None:
    """The context that ``docker context use`` or DOCKER_CONTEXT chose; None for the default."""
    from docker.context import Context
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return None
    try:
        context = Context.load_context(name)
    except Exception as error:  # so the library says that the file is damaged
        raise _no_context(name, str(error)) from error
    if context is None:
        raise _no_context(name, "it does not exist")
    return context


def _no_context(name: str, why: str) -> EngineError:
    return EngineError(
        "no-context",
        f"the docker context {name!r} cannot be used: {why}",
        where="DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "docker's config.json",
        fix="choose one of `docker context ls`: docker context use NAME",
    )


def _require_api(engine: Engine) -> None:
    from docker.utils import version_lt

    version = engine.client.api_version
    if version_lt(version, OLDEST_API):
        raise EngineError(
            "engine-too-old",
            f"the container engine speaks API {version}, the lab needs {OLDEST_API}",
            where=engine.address,
            fix="install Docker Engine 20.10 or later",
        )


def _tracer(trace: Trace) -> Callable[..., None]:
    def told(response: Any, *_: Any, **__: Any) -> None:
        if response.request.path_url == "/_ping":  # one each second
            return
        took = response.elapsed.total_seconds()
        trace(f"{response.request.method} {response.request.path_url} {response.status_code} {took:.3f}s")

    return told


@contextmanager
def _translated(what: str, address: str) -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # not ^C: it may come while the library is half imported
        if not isinstance(error, foreign()):
            raise
        raise explain(error, what, address) from error
