"""How long it takes from one mark to another."""

from __future__ import annotations

from tests.docker.words.play import Play, Row


def elapsed() -> Play:
    def row(key: str, rest: str, right: str, wrong: str) -> Row:
        return Row(f"elapsed.{key}", f"elapsed: {{{rest}}}", right, wrong, "it took ")

    return Play(
        "How long it takes from one mark to another",
        ("a",),
        {"waits": "input()\n"},
        """
- a: [{start: waits}, {mark: begin}, {mark: soon}, {sleep: 3s}, {mark: after}, {mark: late}]
""",
        (
            row("max", "from: begin, to: '@', max: 1500ms", "soon", "late"),
            row("min", "from: begin, to: '@', min: 1500ms", "late", "soon"),
            row("from", "from: '@', to: late, min: 1500ms", "begin", "after"),
            row("to", "from: begin, to: '@', max: 1500ms", "soon", "late"),
        ),
    )
