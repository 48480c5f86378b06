"""What could not be read of a capture, told in bounded space however much it is."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "longer-than-its-frame",
    "ends-in-headers",
    "ends-in-udp-header",
    "bad-udp-length",
    "compressed",
    "no-capture",
    "fragments-missing",
    "fragments-overlap",
    "fragments-crowded",
    "more-behind-gzip",
    "gzip-ends-early",
    "gzip-damaged",
    "ends-in-icmp-header",
    "ends-in-ipv4-header",
    "bad-ipv4-header",
    "bad-ip-length",
    "ends-in-ipv6-header",
    "bad-ipv6-header",
    "fragment-in-fragment",
    "ends-in-ipv6-extension",
    "unknown-link-layer",
    "file-ends-in-header",
    "absurd-length",
    "file-ends-in-frame",
    "two-block-lengths",
    "bad-section",
    "bad-interface",
    "ends-in-block",
    "unknown-interface",
    "block-too-short",
    "ends-in-tcp-header",
    "bad-tcp-header",
]
"""Kinds of damage; ``lab.output.sentences.captures`` has their sentences."""


_MOST_PLACES = 1024
"""Places of damaged frames that are told apart: who sends may say that it is anybody."""


class Where(NamedTuple):
    """Where a damaged frame was seen, and the addresses in it.

    ``source`` is empty where it does not matter, ``target`` where it is not known.
    """

    interface: int
    leaving: bool
    source: bytes = b""
    target: bytes = b""


class Unread(NamedTuple):
    """A kind of damage: the first frame that has it, 0 for the file itself, and how many have it.

    ``places`` are where such frames were seen; there is none if that is not known of all of them.
    """

    kind: Kind
    first: int
    frames: int
    places: frozenset[Where] = frozenset()


class Damage(Exception):  # noqa: N818 - a fact about a frame; it never leaves this package
    """One frame cannot be read. The next frame may be sound."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


class Problems:
    """The kinds of damage met in a capture, each with its first frame and how often it came.

    ``refusal`` says why the file is no capture at all; None if it is one.
    """

    def __init__(self) -> None:
        self._kinds: dict[Kind, Unread] = {}
        self.refusal: Kind | None = None

    def add(self, frame: int, kind: Kind, where: Where | None = None) -> None:
        """Note that ``frame``, which was seen there, cannot be read."""
        known = self._kinds.get(kind)
        if known is None:
            self._kinds[kind] = Unread(kind, frame, 1, frozenset([where] if where else []))
            return
        places = known.places
        if where and len(places) >= _MOST_PLACES:
            where = where._replace(target=b"")
        if places and where not in places:
            places = places | {where} if where and len(places) < 2 * _MOST_PLACES else frozenset()
        self._kinds[kind] = known._replace(frames=known.frames + 1, places=places)

    def refuse(self, kind: Kind) -> None:
        """Note that the whole file is none that can be read."""
        self.refusal = kind
        self.add(0, kind)

    def found(self) -> tuple[Unread, ...]:
        """Each kind of damage, in the order they were met."""
        return tuple(self._kinds.values())
