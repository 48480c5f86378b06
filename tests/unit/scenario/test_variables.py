from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.errors import LabError
from lab.scenario.loader import load
from lab.scenario.variables import VariableError, host_variables, is_unclosed, references, substitute


def test_replaces_every_reference() -> None:
    assert substitute("${a} and ${b.c} and ${a}", {"a": "1", "b.c": "2"}) == "1 and 2 and 1"


def test_what_is_put_in_is_not_looked_through_again() -> None:
    assert substitute("${a}", {"a": "${b} $${", "b": "no"}) == "${b} $${"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("$${a}", "${a}"), ("$$${a}", "$${a}"), ("$5", "$5"), ("cost: $", "cost: $"), ("{a}", "{a}"), ("", "")],
)
def test_dollar_signs_that_refer_to_nothing(text: str, meant: str) -> None:
    assert substitute(text, {}) == meant
    assert references(text) == ()


def test_names_are_told_once_in_order() -> None:
    assert references("${b} ${a} ${b} $${c}") == ("b", "a")


def test_an_unknown_name_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(VariableError) as caught:
        substitute("hello ${nme}", {"name": "x"})
    assert isinstance(caught.value, LabError)
    assert "${nme}" in caught.value.what
    assert "name" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "unclosed"), [("${a", True), ("a ${b} ${c", True), ("${a}", False), ("$${a", False)]
)
def test_unclosed(text: str, unclosed: bool) -> None:
    assert is_unclosed(text) is unclosed


def test_an_unclosed_reference_has_no_value() -> None:
    with pytest.raises(VariableError):
        substitute("${a", {"a": "1"})


def test_host_variables(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        """
version: 1
title: Addresses
networks: {wan: 10.2.0.0/16, lan: {subnet: 10.1.0.0/16, ipv6: "fd00::/64"}}
hosts:
  one: 10.1.0.1
  two: {addresses: {lan: [10.1.0.2, "fd00::2"], wan: 10.2.0.2}}
steps: [one: {run: "true"}]
checks: [connections: {to: "one:80", count: 0}]
""",
        encoding="utf-8",
    )
    assert host_variables(load(file).scenario) == {
        "one.address": "10.1.0.1",
        "one.address.lan": "10.1.0.1",
        "two.address": "10.1.0.2",
        "two.address.lan": "10.1.0.2",
        "two.address.wan": "10.2.0.2",
        "two.address6": "fd00::2",
        "two.address6.lan": "fd00::2",
    }
