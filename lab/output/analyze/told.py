"""What is told of a capture: its connections, each as far as it is asked for, and the others counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from lab.core.endpoint import endpoint
from lab.wire.tcp import Connection, Flows, Outcome, Side


class Tally(Struct):
    """Connections that are only counted, by how they began and ended."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count some."""
        self.outcomes.update(outcomes)

    @property
    def count(self) -> int:
        """How many they are."""
        return self.outcomes.total()

    @property
    def handshakes(self) -> Counter[str]:
        """How they began."""
        return _sums((outcome.handshake, number) for outcome, number in self.outcomes.items())

    @property
    def closes(self) -> Counter[str]:
        """How they ended."""
        return _sums((outcome.close, number) for outcome, number in self.outcomes.items())


def _sums(numbers: Iterable[tuple[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for key, number in numbers:
        sums[key] += number
    return sums


class Told(Struct, frozen=True):
    """A connection of a capture.

    ``before`` is the frame with which another connection between the same ports began before, 0 if none did.
    """

    connection: Connection
    before: int

    @property
    def anomalies(self) -> tuple[str, ...]:
        """What is odd about it, a sentence each."""
        return anomalies(self.connection, self.before)


class Analysis(Struct, frozen=True):
    """What a capture holds. ``began`` and ``ended`` are the times (ns) of its first and last TCP segment.

    ``others`` counts the connections that ``flows`` has no room for, ``not_tcp`` the frames that hold no TCP,
    by what they hold. ``unsound`` says what could not
    be read, ``backwards`` how many segments have a time before that of the one in front of them.
    """

    frames: int
    segments: int
    began: int
    ended: int
    backwards: int
    flows: Flows
    others: Tally
    not_tcp: Mapping[str, int]
    unsound: tuple[str, ...]

    def connections(self) -> Iterator[Told]:
        """Its connections, made anew each time: all of them at once take twice the memory of what is read."""
        used: dict[tuple[tuple[str, int], ...], int] = {}
        for connection in self.flows.told():
            ends = tuple(sorted((side.address, side.port) for side in connection.sides))
            yield Told(connection, used.get(ends, 0))
            used[ends] = connection.began.frame


def anomalies(connection: Connection, before: int = 0) -> tuple[str, ...]:
    """What is odd about a connection, a sentence each; ``before`` as :class:`Told` has it."""
    reused = (f"the ports were used before, from frame {before} on",) if before else ()
    return *reused, *_of_both(connection), *(one for side in connection.sides for one in _of_side(side))


def _of_both(connection: Connection) -> Iterator[str]:
    client, server = connection.sides
    if client.syn is None and server.syn is None:
        yield "it began before the capture"
    elif connection.handshake == "unknown":
        yield "the capture lacks a part of its handshake"
    silent = [side for side in connection.sides if side.silent]
    if silent and (connection.handshake == "unknown" or silent == [client]):
        yield f"only one direction was captured: nothing from {end_of(silent[0])}"


def _of_side(side: Side) -> Iterator[str]:
    whose = end_of(side)
    if side.gaps:
        yield f"{side.gaps} gaps: segments from or to {whose} are not in the capture"
    if side.reordered:
        yield f"{side.reordered} segments from {whose} were overtaken by later ones"
    if side.isn is not None and side.isn + 1 + side.bytes > 0xFFFFFFFF:
        yield f"the sequence numbers of {whose} wrap around"
    if side.reset and side.reset.cause == "after_close":
        yield f"RST from {whose} after both had closed"


def end_of(side: Side) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``."""
    return endpoint(side.address, side.port)
