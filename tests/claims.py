"""The tables of docs/claims.md: what is claimed of TCP, what proves it, and which mistake is caught by that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PAGE = CHECKOUT / "docs" / "claims.md"
SCENARIOS = CHECKOUT / "scenarios"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the mark of the claim or mistake, and a wrong program that fails a check of a scenario.

    ``wrong`` takes the place of program ``role``, and the check then says ``words``.
    """

    mark: str
    says: str
    scenario: Path
    check: str
    wrong: Path
    role: str
    words: str

    def __str__(self) -> str:
        return f"{self.mark} {self.scenario.stem} {self.role}={self.wrong.stem}"


def rows() -> Iterator[Row]:
    """The rows of both tables, in their order; a mark or a sentence that is left out is the one above it."""
    mark = says = ""
    for line in PAGE.read_text().splitlines():
        cells = [_plain(cell) for cell in line[1:-1].split("|")] if line.startswith("|") else []
        if len(cells) != len(fields(Row)) or cells[0] in {"claim", "mistake"} or line.startswith("|---"):
            continue
        mark, says = cells[0] or mark, cells[1] or says
        scenario, check, wrong, role, words = cells[2:]
        yield Row(
            mark, says, SCENARIOS / f"{scenario}.yaml", check, SCENARIOS / "programs" / wrong, role, words
        )


def _plain(cell: str) -> str:
    """A cell without the marks of Markdown: a link is its text, ``code`` the code."""
    text = _LINK.sub(r"\1", cell.strip())
    whole = text.startswith("`") and text.endswith("`")
    return text.removeprefix("`").removesuffix("`") if whole else text
