"""The ladder as JSON: all rows, none folded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, to_builtins

from lab.output.ladder.rows import Row


class LadderHost(Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the ladder."""

    host: str
    address: str


class Flow(Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag=1):
    """``lab flow``: all rows in order of time (ns since 1970); ``origin`` is the time of the first SYN."""

    exit: int
    record: str
    origin: int
    hosts: Sequence[LadderHost]
    rows: Sequence[Row]


def as_json(flow: Flow, rows: Iterable[Row]) -> Iterator[str]:
    """The document in parts, a row a line: there may be very many, which are not kept; ``flow`` has none."""
    head, _, _ = json.dumps(to_builtins(flow)).rpartition("[]}")
    yield f"{head}["
    for number, row in enumerate(rows):
        yield f"{',' if number else ''}\n{json.dumps(to_builtins(row))}"
    yield "\n]}"
