"""What a rule of the language says of a scenario that makes no sense."""

from __future__ import annotations

from msgspec import Struct

Path = tuple[str | int, ...]
"""Keys and positions: ``("steps", 3, "action", "expect", "text")``."""


class Mistake(Struct, frozen=True):
    """One thing wrong, and how to mend it.

    ``path`` leads there from the top of the normal form, or from the action or check that finds it wrong.
    With ``on_key`` it is the key at the end of the path that is wrong, not what stands under it.
    """

    code: str
    path: Path
    what: str
    fix: str
    on_key: bool = False
