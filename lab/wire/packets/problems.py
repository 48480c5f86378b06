"""What could not be read of a capture, told in bounded space however much it is."""

from __future__ import annotations

from msgspec import Struct


class _Kind(Struct):
    first: int
    count: int = 1


class Damage(Exception):  # noqa: N818 - a fact about a frame; it never leaves this package
    """One frame cannot be read; its text says why. The next frame may be sound."""


class Problems:
    """The kinds of damage met in a capture, each with its first frame and how often it came."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def add(self, frame: int, what: str) -> None:
        """Note that ``frame`` cannot be read; ``what`` is one of a fixed set of texts, without figures."""
        if kind := self._kinds.get(what):
            kind.count += 1
        else:
            self._kinds[what] = _Kind(frame)

    def texts(self) -> tuple[str, ...]:
        """One sentence for each kind of damage, in the order they were met."""
        return tuple(_sentence(what, kind) for what, kind in self._kinds.items())


def _sentence(what: str, kind: _Kind) -> str:
    if not kind.first:
        return what
    others = kind.count - 1
    more = "" if not others else f" and {others} other{'s' if others > 1 else ''}"
    return f"frame {kind.first}{more}: {what}"
