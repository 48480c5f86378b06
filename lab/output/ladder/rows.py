"""What a ladder is made of: one row an event, each with its time (ns since the epoch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from lab.core.words import Outcome, TcpState

Fate = Literal["arrived", "lost", "unseen"]
"""``lost``: a complete capture does not show it arrive; ``unseen``: nor does one that may lack frames."""

Mark = Literal["", "again", "keep-alive", "window probe"]
"""``again``: the sender had sent these sequence numbers before."""

OUTSIDE = "(elsewhere)"
"""The column of addresses that no host has; no host can be called so."""


class Opened(Struct, frozen=True):
    """A connection begins; ``number`` counts those of the run from 1, ends are ``host:port``."""

    time: int
    number: int
    client: str
    server: str


class Packet(Struct, frozen=True):
    """A TCP segment or a UDP datagram, once, however often the capture shows it.

    ``number`` is its connection's. ``seq`` and ``ack`` are relative to each side's SYN; ``ports`` are the
    sender's and the receiver's. ``delay`` is the time (ns) from one's port to the other's. ``states`` are
    those that the sender came into by sending it and the receiver by its arrival. ``blamed`` is the worst
    outcome of the checks that did not pass and name it as evidence. ``held`` says, in words, that a step of
    the script kept it back at the switch, and until when. ``datagram`` is what is told of a datagram: it
    belongs to no connection, and has neither flags nor numbers.
    """

    time: int
    number: int
    source: str
    target: str
    ports: tuple[int, int]
    flags: int
    seq: int
    ack: int
    length: int
    fate: Fate = "arrived"
    mark: Mark = ""
    delay: int = 0
    states: tuple[tuple[TcpState, ...], tuple[TcpState, ...]] = ((), ())
    blamed: Outcome | None = None
    held: str = ""
    datagram: str = ""


class Entered(Struct, frozen=True):
    """The end at ``port`` came into a state; ``number`` is its connection's, 0 for a listener."""

    time: int
    number: int
    host: str
    port: int
    state: TcpState


class Said(Struct, frozen=True):
    """A line a program printed, what was typed at it, or that it began or ended.

    ``program`` is empty where the host ran only one.
    """

    time: int
    host: str
    program: str
    kind: Literal["printed", "typed", "started", "ended"]
    text: str


class Broke(Struct, frozen=True):
    """A check or a step that did not pass, where it was decided; ``fields`` are expected and observed."""

    time: int
    outcome: Outcome
    title: str
    fields: Mapping[str, str]


class Folded(Struct, frozen=True):
    """Rows that are not shown, in words: ``124 more segments``."""

    time: int
    what: str


Row = Opened | Packet | Entered | Said | Broke | Folded
