"""README.md: its sample is what is printed, and its table has every scenario."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from tests.cli.fakes import Lab

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_the_sample_verdict_is_what_is_printed(lab: Lab, golden: Path) -> None:
    (sample,) = re.findall(r"^```text\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert len(sample.splitlines()) > 20
    assert lab("check", golden / "multi_client").out.startswith(sample)


def test_the_table_has_every_scenario() -> None:
    named = re.findall(r"`([\w*]+\.yaml)`", TEXT)
    scenarios = [path.name for path in (CHECKOUT / "scenarios").glob("*.yaml")]
    assert [name for name in scenarios if not any(fnmatch(name, pattern) for pattern in named)] == []
    assert [pattern for pattern in named if not any(fnmatch(name, pattern) for name in scenarios)] == []


def test_every_page_is_linked() -> None:
    pages = [f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")]
    assert [page for page in pages if f"({page}" not in TEXT] == []
