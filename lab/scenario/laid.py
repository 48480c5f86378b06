"""What is in the files that a program is given: the same for the same scenario and the same variables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lab.scenario.cast import LaidFile
from lab.scenario.variables import substitute


def content_of(file: LaidFile, taken: bytes | None, variables: Mapping[str, str]) -> bytes:
    """What is in a file; ``taken`` is what was read where it is taken ``from`` another."""
    if file.text is not None:
        return substitute(file.text, variables).encode(errors="surrogateescape")
    return random_bytes(file.random, file.seed or 0) if file.random is not None else taken or b""


def random_bytes(size: int, seed: int) -> bytes:
    """So many bytes that look random: SHAKE-256 of the seed (FIPS 202), the same in every version."""
    return hashlib.shake_256(f"lab {seed}".encode()).digest(size)


def permissions(mode: str) -> int:
    """The permissions with which a file is laid: the program is in its group, and gets what the owner has."""
    bits = int(mode, 8)
    return bits | (bits & 0o700) >> 3
