"""docs/commands.md: what it shows works, and it leaves nothing out."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from lab.cli.schema import DOCUMENTS, schema
from lab.core.errors import ExitCode
from tests.cli.fakes import Lab
from tests.cli.test_usage import COMMANDS
from tests.contract import validator

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "docs" / "commands.md").read_text(encoding="utf-8")
JSON = (CHECKOUT / "docs" / "json.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SHOWN = [line for block in _BLOCKS for line in block.splitlines()]


@pytest.mark.usefixtures("no_engine")
def test_the_commands_that_need_no_engine_work(lab: Lab, tmp_path: Path) -> None:
    for folder in ("scenarios", "tests"):
        (tmp_path / folder).symlink_to(CHECKOUT / folder)
    assert len(SHOWN) > 5
    for line in SHOWN:
        program, *words = shlex.split(line)
        said = lab(*words)
        assert (program, said.code, said.err) == ("lab", 0, ""), line


def test_every_command_and_option_is_there(lab: Lab) -> None:
    for command in COMMANDS:
        assert f"`lab {command}" in TEXT
        options = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", lab(command, "--help").out, re.MULTILINE)
        assert [option for option in options if option != "--help" and f"`{option}" not in TEXT] == []


def test_every_exit_code_is_there() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)} == {
        code.value for code in ExitCode
    }


def test_the_json_shown_is_json() -> None:
    blocks = [
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", JSON, re.MULTILINE | re.DOTALL)
    ]
    failure, runs, message = blocks
    for kind, shown in (("Failure", failure), ("Runs", runs), ("Message", message)):
        validator(kind).validate(shown)


def test_the_page_names_every_document_and_every_key() -> None:
    parts = schema()["$defs"]
    keys = {key for part in parts.values() for key in part.get("properties", {})}
    named = {word for words in re.findall(r"`([\w, ]+)`", JSON) for word in re.findall(r"\w+", words)}
    assert keys - named == set()
    assert {kind.__name__ for several in DOCUMENTS.values() for kind in several} - named == set()
