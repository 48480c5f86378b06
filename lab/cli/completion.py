"""What the shell offers while a command is typed: hosts, labs, runs, examples."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lab.deploy.labs import Lab

Offer = Callable[[typer.Context, str], list[str]]


def _offer(words: Callable[[typer.Context], Iterator[str]]) -> Offer:
    """Those of the words that begin as what is typed; none where they cannot be known."""

    @wraps(words)
    def offered(ctx: typer.Context, incomplete: str) -> list[str]:
        with suppress(Exception):  # a shell that completes shows no errors
            return [word for word in words(ctx) if word.startswith(incomplete)]
        return []

    offered.__annotations__ = {"ctx": typer.Context, "incomplete": str, "return": list[str]}
    del offered.__wrapped__  # typer looks at the parameters
    return offered


def _labs() -> tuple[Lab, ...]:
    from lab.deploy.labs import all_labs
    from lab.engine import connect

    with connect() as engine:
        return all_labs(engine, time.time())


@_offer
def hosts(ctx: typer.Context) -> Iterator[str]:
    """The hosts of the lab that is meant, and their programs."""
    from lab.deploy.labs import choose

    word = ctx.params.get("lab") or os.environ.get("LAB_RUN", "")
    for host in choose(_labs(), word, str(Path.cwd())).hosts:
        yield host.labels.host
        yield from (f"{host.labels.host}.{one.partition('=')[0]}" for one in host.labels.users.split())


@_offer
def labs(_: typer.Context) -> Iterator[str]:
    """The run ids of labs."""
    yield from (lab.run_id for lab in _labs())


@_offer
def runs(ctx: typer.Context) -> Iterator[str]:
    """The run ids of saved runs."""
    from lab.cli.saved import ids

    yield from ids(Path(ctx.params.get("records") or "runs"))


@_offer
def examples(_: typer.Context) -> Iterator[str]:
    """The scenarios that come with the lab."""
    from lab.core.assets import EXAMPLES

    yield from sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


@_offer
def languages(_: typer.Context) -> Iterator[str]:
    """Those that have an image."""
    from lab.core.assets import LANGUAGE_IMAGES

    yield from LANGUAGE_IMAGES
