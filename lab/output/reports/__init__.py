"""Results for other programs: one file a format, whose name is that of its option.

Each module has ``HELP``, what the option's help says, and ``document(results) -> str``, the whole file.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from msgspec import Struct

from lab.evidence.verdict import Verdict


class Result(Struct, frozen=True):
    """What became of one scenario file or record: a verdict, or the ``trouble`` for which there is none."""

    name: str
    verdict: Verdict | None = None
    trouble: str = ""


def formats() -> Mapping[str, Any]:
    """The modules of all formats, by their names."""
    return {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
