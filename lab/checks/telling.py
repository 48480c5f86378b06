"""Evidence in sentences: frames with their times, counted from the run's first SYN."""

from __future__ import annotations

from lab.core.quote import quoted
from lab.evidence.evidence import Evidence
from lab.scenario.base import Count
from lab.wire.packets import IcmpError
from lab.wire.tcp import Moment, Side

_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000

_SHOWN = 200
"""Characters of output that are shown."""


def span(nanoseconds: int) -> str:
    """A length of time: ``3.204 ms``, ``1.500 s``."""
    if abs(nanoseconds) < _SECOND:
        return f"{nanoseconds / _MILLISECOND:.3f} ms"
    return f"{nanoseconds / _SECOND:.3f} s"


def seconds(duration: float) -> int:
    """A scenario's seconds in nanoseconds."""
    return round(duration * _SECOND)


def unread(rest: str) -> str:
    """The end of what a program had printed and no step consumed."""
    return f"not consumed: {quoted(rest[-_SHOWN:])}"


class Teller:
    """Tells moments of one run."""

    def __init__(self, evidence: Evidence) -> None:
        self._origin = evidence.origin
        self._main = next((capture.path for capture in evidence.info.captures if not capture.host), "")

    def when(self, time: int) -> str:
        """A time, relative to the run's first SYN: ``+3.204 ms``."""
        after = time - self._origin
        return f"{'+' if after >= 0 else ''}{span(after)}"

    def frame(self, capture: str, moment: Moment | None, what: str) -> str:
        """``frame 12, +3.204 ms: FIN from client_a``; the file is named unless it is the switch's."""
        if moment is None:
            return what
        where = "" if capture in {"", self._main} else f"{capture} "
        return f"{where}frame {moment.frame}, {self.when(moment.time)}: {what}"


def refused_by(error: IcmpError, evidence: Evidence) -> str:
    """``r1 did not pass it on: fragmentation needed (ICMP, frame 12)``."""
    who = evidence.info.hosts_by_address.get(error.source, error.source)
    return f"{who} did not pass it on: {error.meaning} (ICMP, frame {error.frame})"


def counted(number: int | Count, noun: str) -> str:
    """``1 byte``, ``7 bytes``, ``>=1 bytes``."""
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def named(side: Side) -> str:
    """A side by its host, or by its address where no host has that."""
    return side.host or side.address


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; ``nobody`` without any."""
    if len(words) < 2:
        return words[0] if words else "nobody"
    return f"{', '.join(words[:-1])} and {words[-1]}"
