"""A play that shows words of the checks, each with a program that is right and one that is wrong.

A play is one lab. In it each server is a host of its own, named after what it does, so that one host's kernel
counts nothing of another's; what is right for one word is often what is wrong for the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One word of a check that passes for one program and fails for another.

    ``@`` in the ``check`` stands for a host or a program: for ``right`` it passes, for ``wrong`` it fails and
    says ``told`` of what happened there, where again ``@`` is meant.
    """

    word: str
    check: str
    right: str
    wrong: str
    told: str

    def of(self, actor: str) -> str:
        """The check, as YAML, on one of the two."""
        return self.check.replace("@", actor)


@dataclass(frozen=True, slots=True)
class Play:
    """Hosts, what runs on them (a program's file is named after it), a script, and the words it shows."""

    title: str
    hosts: tuple[str, ...]
    programs: Mapping[str, str]
    steps: str
    rows: tuple[Row, ...]
    listens: Mapping[str, int] = field(default_factory=dict)
    """The port on which a program's host is in LISTEN when it is ready."""

    def __str__(self) -> str:
        return self.title

    def scenario(self) -> str:
        """The scenario file: each row is two checks, ``N right`` and ``N wrong``."""
        hosts = {host: f"10.9.7.{number}" for number, host in enumerate(self.hosts, 1)}
        programs = {name: self._program(name) for name in self.programs}
        checks = "".join(
            f"- {{name: {number} {side}, {row.of(actor)}}}\n"
            for number, row in enumerate(self.rows)
            for side, actor in (("right", row.right), ("wrong", row.wrong))
        )
        return (
            f"version: 1\ntitle: {self.title}\nnetworks: {{lan: 10.9.7.0/24}}\n"
            f"hosts: {json.dumps(hosts)}\nprograms: {json.dumps(programs)}\n"
            f"timeouts: {{step: 20s, scenario: 2m}}\nsteps:\n{self.steps}checks:\n{checks}"
        )

    def files(self) -> dict[str, str]:
        """The programs' files."""
        return {f"{name}.py": text for name, text in self.programs.items()}

    def _program(self, name: str) -> dict[str, str | int]:
        port = self.listens.get(name)
        return {"source": f"{name}.py"} | ({"listens": port} if port else {})
