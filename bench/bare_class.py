"""The floor of grading a class: the same containers through the engine's library, and nothing else.

``bare_class.py WORKERS < class.json`` goes through the submissions, WORKERS at once. Of each it starts one
container, in which it compiles the source, and removes it; then it starts and removes the containers of each
of its scenarios. It prints the seconds that all of it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker  # noqa: TID251 - the bare library is what is measured
from docker.utils import kwargs_from_env  # noqa: TID251


def main() -> None:
    """Go through the class."""
    told = json.load(sys.stdin)
    client = docker.APIClient(version="auto", **kwargs_from_env())
    with ThreadPoolExecutor(int(sys.argv[1])) as pool:
        began = time.perf_counter()
        list(pool.map(lambda source: _graded(client, source, told), told["sources"]))
        print(json.dumps(time.perf_counter() - began))


def _graded(client: docker.APIClient, source: str, told: Mapping[str, Any]) -> None:
    container = _started(client, told["container"])
    words = [
        "sh",
        "-c",
        f'cd {told["folder"]} && printf %s "$1" > server.c && {told["compile"]}',
        "sh",
        source,
    ]
    made = client.exec_create(container, words)["Id"]
    said = client.exec_start(made)
    if client.exec_inspect(made)["ExitCode"] != 0:
        raise RuntimeError(said.decode(errors="replace"))
    _remove(client, container)
    for count in told["scenarios"]:
        with ThreadPoolExecutor(count) as pool:
            containers = list(pool.map(lambda _: _started(client, told["container"]), range(count)))
            list(pool.map(lambda each: _remove(client, each), containers))


def _started(client: docker.APIClient, description: dict[str, Any]) -> str:
    container = str(client.create_container_from_config(description)["Id"])
    client.start(container)
    return container


def _remove(client: docker.APIClient, container: str) -> None:
    """Return when it is gone: it removes itself as well, and whoever comes second is told so."""
    try:
        client.remove_container(container, force=True, v=True)
        while client.inspect_container(container):
            time.sleep(0.005)
    except docker.errors.NotFound:
        return


if __name__ == "__main__":
    main()
