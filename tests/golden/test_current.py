"""Files written from the models are current; ``pytest tests/golden --regenerate`` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli import schema as output
from lab.grade import document, matrix_document
from lab.grade.assignment import Assignment
from lab.output.analyze import schema as analysis
from lab.scenario import Scenario
from lab.scenario.base import Model
from lab.scenario.loader import load
from lab.scenario.reference import reference
from lab.scenario.schema import schema_text

CHECKOUT = Path(__file__).parents[2]
WRITTEN: dict[str, Callable[[], str]] = {
    "scenarios/results.schema.json": document.schema_text,
    "scenarios/matrix.schema.json": lambda: document.schema_text(matrix_document.Document, "matrix"),
    "scenarios/output.schema.json": output.schema_text,
    "scenarios/analysis.schema.json": analysis.schema_text,
}
SCHEMAS: dict[str, type[Model]] = {
    "scenarios/scenario.schema.json": Scenario,
    "scenarios/assignment.schema.json": Assignment,
}
BEGIN, END = "<!-- reference:", "<!-- end of the reference -->"


def with_reference(page: str) -> str:
    """The page with the reference between its two marks."""
    head, _, rest = page.partition(BEGIN)
    mark, _, _ = rest.partition("\n")
    return f"{head}{BEGIN}{mark}\n\n{reference()}\n{END}{rest.partition(END)[2]}"


def test_the_example_of_the_page_can_be_loaded(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "scenario.md").read_text(encoding="utf-8")
    file = tmp_path / "first.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    for source in ("server.cpp", "client.cpp"):
        (tmp_path / source).touch()
    assert set(load(file).lines) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("name", [*SCHEMAS, *WRITTEN, "docs/scenario.md"])
def test_current(name: str, regenerate: bool) -> None:
    file = CHECKOUT / name
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    wanted = schema_text(SCHEMAS[name]) if name in SCHEMAS else with_reference(before)
    if name in WRITTEN:
        wanted = WRITTEN[name]()
    if regenerate:
        file.write_text(wanted, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == wanted
