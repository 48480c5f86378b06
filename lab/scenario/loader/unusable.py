"""What is wrong with a source of a program."""

from __future__ import annotations

from msgspec import Struct


class Unusable(Struct, frozen=True):
    """What is wrong with a source, and how to mend it."""

    code: str
    what: str
    fix: str


class UnusableError(Exception):
    """Raised where the source is read; the loader tells where in the scenario it is named."""

    def __init__(self, code: str, what: str, fix: str) -> None:
        super().__init__(what)
        self.fault = Unusable(code, what, fix)
