"""docs/claims.md is true as far as that can be seen without playing it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from lab.scenario.loader import load
from tests.claims import PAGE, SCENARIOS, Row, besides, rows

CLAIMS = [str(number) for number in range(1, 21)]
MISTAKES = [f"M{number}" for number in range(1, 9)]
"""The mistakes of the tutorials' own programs, in their order."""


def test_every_claim_and_every_mistake_has_a_row() -> None:
    assert list(dict.fromkeys(row.mark for row in rows())) == CLAIMS + MISTAKES
    assert all(row.says for row in rows())


def test_what_the_page_says_stands_nowhere_else() -> None:
    def facts(some: Iterable[Row]) -> set[tuple[object, ...]]:
        return {(row.scenario, row.role, row.wrong, row.check) for row in some}

    assert not facts(rows()) & facts(besides())


@pytest.mark.parametrize("row", [*rows(), *besides()], ids=str)
def test_a_row_names_what_there_is(row: Row) -> None:
    scenario = load(row.scenario).scenario
    assert row.check in {"conversation", *(check.name for check in scenario.checks)}
    assert row.wrong.is_file()
    program = scenario.programs[row.role]
    assert row.wrong.suffix == SCENARIOS.joinpath(program.paths[0]).suffix
    assert row.words


def test_what_is_wrong_says_so() -> None:
    for row in rows():
        if row.wrong.parent.name == "wrong":
            assert row.wrong.read_text().startswith("// Wrong: ")


def test_no_scenario_of_a_claim_is_left_out() -> None:
    written = {*SCENARIOS.glob("claim_*.yaml"), *SCENARIOS.glob("mistake_*.yaml")}
    assert written <= {row.scenario for row in rows()}


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"]\(([^)]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).exists()
