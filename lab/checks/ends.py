"""Words of a check that name an end of its connection: a host, or ``from`` or ``to``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from lab.scenario.checks import ConnectionRef
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake, Path


class End(Struct, frozen=True):
    """A word for an end and the path to it; ``on_key`` says that the word is the key there."""

    path: Path
    word: str
    on_key: bool = False


def not_ends(ref: ConnectionRef, ends: Iterable[End]) -> Iterator[Mistake]:
    """Each must be an end of the connection, and one of the two."""
    both = tuple(dict.fromkeys((ref.from_, ref.to.host)))
    for end in ends:
        roles = ref.roles(end.word)
        if not roles:
            what = f': "{end.word}" is no end of this connection'
            fix = did_you_mean(end.word, both, "its ends")
            yield Mistake("not-an-end", end.path, what, fix, end.on_key)
        elif len(roles) > 1:
            what = f': "{end.word}" is both ends of this connection'
            fix = "write from for the end that opened it, or to for the other"
            yield Mistake("both-ends", end.path, what, fix, end.on_key)
