"""F, what the lab is measured against: the same containers through the engine's library, and nothing else.

``bare.py COUNT WORKERS < container.json`` makes COUNT containers, starts them and removes them, WORKERS at
once, and prints how long both took. It is a process of its own that imports the library alone.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker  # noqa: TID251 - the bare library is what is measured
from docker.utils import kwargs_from_env  # noqa: TID251


def main() -> None:
    """Start and remove; the seconds of both as JSON."""
    count, workers = int(sys.argv[1]), int(sys.argv[2])
    description = json.load(sys.stdin)
    client = docker.APIClient(version="auto", **kwargs_from_env())
    with ThreadPoolExecutor(workers) as pool:
        began = time.perf_counter()
        made = list(pool.map(lambda _: _started(client, description), range(count)))
        up = time.perf_counter()
        list(pool.map(lambda container: _remove(client, container), made))
        down = time.perf_counter()
    print(json.dumps([up - began, down - up]))


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
