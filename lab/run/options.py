"""How a scenario is to be played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lab.output.style import Style


class Options(Struct, frozen=True):
    """How to play: where records go, whether the lab stays up, and for how many seconds.

    With ``watch`` the conversation is drawn while it goes on, in that style; the lab is watched until ^C.
    """

    records: Path = Path("runs")
    keep: bool = False
    lease: float = 8 * 3600.0
    seed: str = ""
    ca_bundle: Path | None = None
    watch: Style | None = None
    sanitized: frozenset[str] = frozenset()
    """Programs of C and C++ that are built with sanitizers (lab.scenario.sanitizers)."""
