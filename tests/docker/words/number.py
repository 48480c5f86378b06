"""A number that a program printed."""

from __future__ import annotations

from tests.docker.words.play import Play, Row


def number() -> Play:
    def row(key: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"number.{key}", f"number: {{{rest}}}", right, wrong, told)

    return Play(
        "A number that a program printed",
        ("a",),
        {"counts": "print('small=7 large=41.5', flush=True)\ninput()\n"},
        """
- a: [{start: counts}, {expect: {regex: "small=(?P<small>\\\\S+) large=(?P<large>\\\\S+)"}}]
""",
        (
            row("value", "value: '${@}', min: 40", "large", "small", "it is 7"),
            row("min", "value: '${@}', min: 7.5", "large", "small", "it is 7"),
            row("max", "value: '${@}', max: 7.5", "small", "large", "it is 41.5"),
            row("near", "value: '${@}', near: 42, within: 1", "large", "small", "it is 7"),
            row("within", "value: '${small}', near: 10, within: @", "3", "2", "it is 7"),
            row("within", "value: '${small}', near: 10, within: @", "30%", "29%", "it is 7"),
        ),
    )
