"""What a command line asks for, before anything is done."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from lab.cli.screen import Screen


class Invocation(Struct, frozen=True):
    """A command with its options filled in; ``run`` gives the exit code."""

    run: Callable[[Screen], int]
    json: bool = False
    verbose: bool = False
