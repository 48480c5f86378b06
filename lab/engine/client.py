"""The engine's API client: asks again where that is safe, and goes to its own machine by no proxy.

Imports the engine's library, so it is imported late.
"""

from __future__ import annotations

import ipaddress
import re
import time
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from requests import PreparedRequest, Response
from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout  # noqa: A004 - not the built-in

from lab.engine.errors import is_absent

_PAUSE_SECONDS = 0.1
_OUT_OF_ORDER = 500

_REPEATABLE = re.compile(
    r"(GET|HEAD|DELETE) |POST /v[\d.]+/containers/(create\?name=|[^/]+/start$|[^/]+/exec$)|POST .*/resize\?"
)
"""Requests that may be made twice, method and path.

They change nothing, or what they change is by a name or id of the lab's own: what is there is not made or
removed a second time. A program that was made ready in a container (exec) does nothing until it is started.
"""


_ATTACH = re.compile(r"POST /v[\d.]+/containers/[^/]+/attach\?")
"""The library itself waits for ever."""

_NO_WORK_SECONDS = 15
"""For what is no work for the engine: to say what there is, and to attach to a container."""


class Client(APIClient):
    """The library's client. Its requests are made by ``send`` (requests.Session)."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Make a request, and once more if the engine was out of order or the connection broke."""
        asked = f"{request.method} {request.path_url}"
        if _ATTACH.match(asked):
            options["timeout"] = _NO_WORK_SECONDS
        elif options.get("timeout") and request.method == "GET":
            options["timeout"] = min(options["timeout"], _NO_WORK_SECONDS)
        if not _REPEATABLE.match(asked):
            return super().send(request, **options)
        try:
            response = super().send(request, **options)
            if response.status_code != _OUT_OF_ORDER:
                return response
        except Timeout:
            raise
        except (ConnectionError, ChunkedEncodingError) as error:
            if is_absent(error):
                raise
        time.sleep(_PAUSE_SECONDS)
        return super().send(request, **options)

    def merge_environment_settings(self, url: Any, *settings: Any) -> Any:
        """What the environment says of proxies does not hold for this machine itself."""
        merged = super().merge_environment_settings(url, *settings)
        if is_loopback(str(url)):
            merged["proxies"] = {}
        return merged


def is_loopback(address: str) -> bool:
    """Whether the engine at this address is on the machine that asks."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
