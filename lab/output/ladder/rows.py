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

FIRST_BYTES = 32
"""Bytes of a payload that are shown at most."""

OUTSIDE = "(elsewhere)"
"""The column of addresses that no host has; no host can be called so."""


class _Row(Struct, frozen=True, tag_field="row", tag=str.lower):
    """What all rows have; JSON says under ``row`` of which kind one is."""

    time: int


class Opened(_Row, frozen=True):
    """A connection begins; ``number`` counts those of the run from 1, ends are ``host:port``."""

    number: int
    client: str
    server: str


class Packet(_Row, frozen=True):
    """A TCP segment, a UDP datagram or an ICMP message, once, however often the capture shows it.

    ``number`` is its connection's. ``seq`` and ``ack`` are relative to each side's SYN; ``ports`` are the
    sender's and the receiver's. ``delay`` is the time (ns) from one's port to the other's. ``states`` are
    those that the sender came into by sending it and the receiver by its arrival. ``blamed`` is the worst
    outcome of the checks that did not pass and name it as evidence. ``held`` says, in words, that a step of
    the script kept it back at the switch, and until when. ``datagram`` is what is told of a datagram or a
    message: it belongs to no connection, and has neither flags nor numbers. ``payload`` are the first bytes
    of what it brings (at most ``FIRST_BYTES``), none where they were not captured.
    """

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
    payload: bytes = b""


class Entered(_Row, frozen=True):
    """The end at ``port`` came into a state; ``number`` is its connection's, 0 for a listener."""

    number: int
    host: str
    port: int
    state: TcpState


class Queued(_Row, frozen=True):
    """The kernel showed a connection that waits in the accept queue: no program has accepted it yet.

    ``host`` and ``port`` are those of its server.
    """

    number: int
    host: str
    port: int


class Accepted(_Row, frozen=True):
    """The kernel showed such a connection to be held by a process.

    It was accepted after ``since``, when a look had shown it to wait still, and at ``time`` at the latest.
    """

    number: int
    host: str
    port: int
    since: int


class Said(_Row, frozen=True):
    """A line a program printed, what was typed at it, or that it began or ended.

    ``program`` is empty where the host ran only one.
    """

    host: str
    program: str
    kind: Literal["printed", "typed", "started", "ended"]
    text: str


class Broke(_Row, frozen=True):
    """A check or a step that did not pass, where it was decided; ``fields`` are expected and observed."""

    outcome: Outcome
    title: str
    fields: Mapping[str, str]


class Folded(_Row, frozen=True):
    """Rows that are not shown, in words: ``124 more segments``."""

    what: str


Numbered = Opened | Packet | Entered | Queued | Accepted
"""Those that say of which connection they are."""

Row = Opened | Packet | Entered | Queued | Accepted | Said | Broke | Folded
