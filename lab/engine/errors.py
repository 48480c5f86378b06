"""What the engine's refusals and a broken connection mean to a person: one table, one function."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from http.client import HTTPException
from socket import gaierror

from msgspec import Struct

from lab.core.errors import EngineError

_START = "start it (systemctl start docker, or Docker Desktop), or say with DOCKER_HOST where it is"
_SPACE = "make room: `docker system df` shows what is used, `docker image prune` removes unused layers"


class _Reading(Struct, frozen=True):
    """Words in a message, and what they mean. ``fix`` may use the groups of ``words``."""

    words: re.Pattern[str]
    code: str
    fix: str


def _reading(words: str, code: str, fix: str) -> _Reading:
    return _Reading(re.compile(words, re.IGNORECASE), code, fix)


_READINGS = (
    _reading("no space left on device|disk quota exceeded", "disk-full", _SPACE),
    _reading("client version .* is too (new|old)", "engine-too-old", "install Docker Engine 20.10 or later"),
    _reading("no such image: (?P<image>[^ ]*[^ :])", "no-image", "`lab images build` makes the lab's own; "
             "others: docker pull {image}"),
    _reading("pull access denied|repository does not exist|manifest unknown|not found: manifest", "no-image",
             "check the image's name; a private one needs `docker login` and `docker pull`"),
    _reading("no such host|i/o timeout|network is unreachable|connection refused|TLS handshake|x509",
             "no-registry", "no image registry answers: load the image with `docker load` or `docker "
             "import`, or name one that `docker images` lists"),
    _reading("no such (container|exec instance)|is not running|No such exec", "no-container",
             "the container has gone: `lab ps` shows what there is"),
    _reading("(container )?name .* is already in use", "name-taken", "`lab ps` shows what runs, `lab wipe` "
             "removes what its owner left behind"),
    _reading("executable file not found|no such file or directory: unknown|exec format error", "no-program",
             "check the program's name, and that it is built for the engine's machine"),
    _reading("returned a non-zero code", "build-failed", "behind a proxy set http_proxy; if it inspects TLS, "
             "give its certificates with --ca-bundle"),
    _reading("pids.max|pids limit|cannot allocate memory|resource temporarily unavailable", "machine-full",
             "stop something, or run fewer hosts at once"),
)  # fmt: skip

_CONNECTION = {
    errno.ENOENT: ("engine-not-running", "there is no such socket: no engine runs there", _START),
    errno.ECONNREFUSED: ("engine-not-running", "nobody answers there: the engine is not running", _START),
    errno.EACCES: (
        "engine-permission",
        "this user may not use the engine's socket",
        "add yourself to the group docker (sudo usermod -aG docker $USER), then log in again",
    ),
    errno.ENOSPC: ("disk-full", "no space left on device", _SPACE),
}
_ADDRESS = "see whether DOCKER_HOST, DOCKER_CERT_PATH and `docker context ls` say what you mean"
_LOST = "see whether the engine still runs: `docker info`; its log says why it went"
_STRANGE = "see whether a container engine answers there, and nothing that changes its answers: `docker info`"
_SLOW = "see whether the engine or its disk is overloaded: `docker info`, `docker stats`"


_NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError)
"""What it raises to take an answer apart that is not what the engine's API says."""


def foreign() -> tuple[type[BaseException], ...]:
    """Every kind of error the engine's library lets through; imported late."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    return (DockerException, RequestException, HTTPError, HTTPException, OSError, *_NOT_UNDERSTOOD)


def is_absent(error: BaseException) -> bool:
    """True where nobody was there to be asked, or nobody may ask."""
    return any(isinstance(cause, OSError) and cause.errno in _CONNECTION for cause in _causes(error))


def explain(error: BaseException, what: str, address: str) -> EngineError:
    """The error a person reads when ``what`` could not be done with the engine at ``address``."""
    from docker.errors import APIError

    answer = next((cause for cause in _causes(error) if isinstance(cause, APIError)), None)
    if answer is not None:
        return refused(str(answer.explanation or answer).strip(), what, address)
    code, why, fix = _broken(error) or ("engine", str(error) or type(error).__name__, _ADDRESS)
    return EngineError(code, f"cannot {what}: {why}", where=address, fix=fix)


def refused(message: str, what: str, address: str) -> EngineError:
    """The error for what the engine itself answered, by the first reading whose words occur in it."""
    for reading in _READINGS:
        if found := reading.words.search(message):
            fix = reading.fix.format(**found.groupdict())
            return EngineError(reading.code, f"cannot {what}: {message}", where=address, fix=fix)
    return EngineError("engine-refused", f"cannot {what}: {message}", where=address)


def _broken(error: BaseException) -> tuple[str, str, str] | None:
    """The engine did not answer, or not to the end."""
    from requests.exceptions import JSONDecodeError, Timeout
    from urllib3.exceptions import TimeoutError as PoolTimeout

    for cause in _causes(error):
        if isinstance(cause, gaierror):
            return "engine-not-running", "no machine has that name", _ADDRESS
        if isinstance(cause, OSError) and cause.errno in _CONNECTION:
            return _CONNECTION[cause.errno]
    for cause in _causes(error):
        if isinstance(cause, TimeoutError | Timeout | PoolTimeout):
            return "engine-slow", "no answer in time", _SLOW
        if isinstance(cause, ConnectionError | HTTPException):
            return "engine-lost", "the connection broke half-way", _LOST
    if isinstance(error, JSONDecodeError) or (
        isinstance(error, _NOT_UNDERSTOOD) and not isinstance(error, OSError)
    ):
        return "engine-answer", f"its answer is not understood ({type(error).__name__}: {error})", _STRANGE
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from, outermost first.

    The libraries below hide the first cause among the arguments of the ones they raise, or in ``reason``.
    """
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
