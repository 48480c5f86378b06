"""What wrong programs fail: the tables of docs/claims.md, and what else is seen when those are played.

The page says what is claimed of TCP, what proves it, and which mistake is caught by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PAGE = CHECKOUT / "docs" / "claims.md"
SCENARIOS = CHECKOUT / "scenarios"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the mark of the claim or mistake, and a wrong program that fails a check of a scenario.

    ``wrong`` takes the place of program ``role``, and the check then says ``words``. Without a mark it is one
    :data:`BESIDES` those of the page.
    """

    mark: str
    says: str
    scenario: Path
    check: str
    wrong: Path
    role: str
    words: str

    def __str__(self) -> str:
        return f"{self.mark} {self.scenario.stem} {self.role}={self.wrong.stem}".lstrip()


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


def besides() -> Iterator[Row]:
    """What wrong programs fail besides the rows of the page."""
    for (scenario, role, wrong), told in BESIDES.items():
        for check, words in told.items():
            file = SCENARIOS / "programs" / "wrong" / f"{wrong}.cpp"
            yield Row("", "", SCENARIOS / f"{scenario}.yaml", check, file, role, words)


def _plain(cell: str) -> str:
    """A cell without the marks of Markdown: a link is its text, ``code`` the code."""
    text = _LINK.sub(r"\1", cell.strip())
    whole = text.startswith("`") and text.endswith("`")
    return text.removeprefix("`").removesuffix("`") if whole else text


_FIRST, _CLIENT_A = (
    "The first connection, from SYN to the last ACK",
    "Client A's connection, from SYN to the last ACK",
)
_UNCLOSED = "its program has read the whole input and not closed"
_RST = "RST from server: its program closed with"
BESIDES: Mapping[tuple[str, str, str], Mapping[str, str]] = {
    ("basic", "server", "basic_server_never_closes"): {
        "conversation": "it is still running",
        "Both clients were served": "1 connection",
    },
    ("basic", "server", "basic_server_sends_rst"): {
        _FIRST: _RST,
        "The second connection, the same": _RST,
    },
    ("basic", "server", "basic_server_wrong_text"): {
        "conversation": "the program ended before it printed that: exit status 0",
        "The client got its own words back": "0 lines 'recv data successfully, data: helloworld'",
    },
    ("basic", "server", "basic_server_wrong_port"): {
        "conversation": "it is still running",
    },
    ("basic", "server", "basic_server_bound_to_loopback"): {
        _FIRST: "server refused: RST answers the SYN to port 3000; at that time it listened on 127.0.0.1:3000 only",
        "Both clients were served": "0 connections, and 1 more without a completed handshake",
        "The client ends without an error": "client: exit status 1",
    },
    ("multi_client", "server", "chat_server_parent_keeps_connection"): {
        _CLIENT_A: "server never sent FIN",
        "The server closes soon after client A": _UNCLOSED,
    },
    ("multi_client", "server", "chat_server_never_closes"): {
        _CLIENT_A: "server never sent FIN",
        "The server closes soon after client A": _UNCLOSED,
    },
    ("multi_client", "server", "chat_server_bound_to_loopback"): {
        "Two clients, two connections": "0 connections, and 2 more without a completed handshake",
        _CLIENT_A: "server refused: RST answers the SYN to port 19999",
    },
    ("multi_client", "client", "chat_client_address_compiled_in"): {
        "conversation": "the program ended before it printed that: exit status 1",
    },
    ("oneway_joined", "server", "oneway_server_misses_joined_exit"): {
        "conversation": "the program ended before it printed that: exit status 0",
    },
}
"""Scenario, the program that is swapped, and who takes its place: the checks that fail, and their words."""
