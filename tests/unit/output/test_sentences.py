"""Each thing that is said has one sentence, said of just what it is said of; no sentence is said by nobody."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import pytest

from lab.agent.protocol import Reason
from lab.checks.causes.kinds import Cause, LastSent
from lab.checks.programs import State, Wait
from lab.core import assets
from lab.evidence.facts import StepFact
from lab.evidence.message import Proof, key_of, message, proof
from lab.output.describe import FORMATS, Teller
from lab.output.sentences import modules, sentences, words
from lab.output.sentences.captures import DAMAGE
from lab.wire.packets.icmp import Meaning
from lab.wire.packets.problems import Kind

FIELD = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
PLACE_OF_KEY = {"message": 0, "proof": 1, "context.frame": 1, "frame": 3}
"""Which argument of each function that makes messages is the key."""
SEEN = {"host", "time", "step"}
"""What a proof has by itself, so that its sentence may do without it."""

Said = tuple[str, str, frozenset[str], frozenset[str]]
"""Where something is said, its key, what it is said of, and what of that its sentence may leave out."""


def said() -> Iterator[Said]:
    for path in sorted(assets.PACKAGE.rglob("*.py")):
        if not path.is_relative_to(assets.PACKAGE / "output"):
            tree = ast.parse(path.read_text())
            for scope in ast.walk(tree):
                if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                    for call in (one for one in ast.walk(scope) if isinstance(one, ast.Call)):
                        yield from _said(call, scope, f"{path.name}:{call.lineno}")
    for fact in get_args(StepFact):
        yield fact.__name__, fact.__struct_config__.tag, frozenset(fact.__struct_fields__), frozenset()
    for kind in (*get_args(Cause), *get_args(State), Wait, LastSent):
        fields = {"before" if field == "at" else field for field in kind.__struct_fields__}
        yield kind.__name__, key_of(kind.__name__), frozenset(fields), frozenset()


def _said(call: ast.Call, scope: ast.AST, where: str) -> Iterator[Said]:
    function = ast.unparse(call.func)
    if (place := PLACE_OF_KEY.get(function)) is not None:
        given = [keyword.arg for keyword in call.keywords]
        for key in _texts(call.args[place], scope):
            names = frozenset(name or "**" for name in given)
            yield where, key, names, names & SEEN if function == "proof" else frozenset()


def _texts(key: ast.expr, scope: ast.AST) -> Iterator[str]:
    """The keys that an expression may be: a name stands for all that is assigned to it in its function."""
    match key:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(_, one, other):
            yield from (*_texts(one, scope), *_texts(other, scope))
        case ast.Name(name):
            for assign in (node for node in ast.walk(scope) if isinstance(node, ast.Assign)):
                for target, value in _pairs(assign):
                    if target == name:
                        yield from _texts(value, scope)


def _pairs(assign: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    match assign.targets[0], assign.value:
        case ast.Name(name), value:
            yield name, value
        case ast.Tuple(targets), ast.Tuple(values):
            yield from zip(map(ast.unparse, targets), values, strict=True)


def parameters(sentence: Any) -> set[str]:
    """What a sentence is made of; a function is given the teller first."""
    if isinstance(sentence, str):
        return {name for name, _ in FIELD.findall(sentence)}
    return set(list(inspect.signature(sentence).parameters)[1:])


def test_each_thing_that_is_said_has_a_sentence_for_just_its_parameters() -> None:
    amiss = [
        f"{where}: {key}: {sorted(given)}, and its sentence has {sorted(parameters(sentences().get(key, '')))}"
        for where, key, given, may in said()
        if key not in sentences() or not given - may <= parameters(sentences()[key]) <= given
    ]
    assert amiss == []


def test_each_sentence_is_said_once_and_by_somebody() -> None:
    keys = [key for module in modules() for key in module.SENTENCES]
    assert sorted(keys) == sorted({key for _, key, _, _ in said()})


def test_each_damage_and_each_meaning_has_its_words() -> None:
    assert DAMAGE.keys() == {*get_args(Kind)}
    assert words()["icmp-meaning"].keys() == {*get_args(Meaning)}


def test_fields_have_formats_and_tables_that_exist() -> None:
    forms = {
        form
        for sentence in sentences().values()
        if isinstance(sentence, str)
        for _, form in FIELD.findall(sentence)
        if form and "|" not in form
    }
    assert forms == {*FORMATS, *words()}


SHOWN: Iterable[tuple[str, dict[str, Any], str]] = [
    ("{a}", {"a": "x"}, "x"),
    ("{a} {a:byte|bytes}", {"a": 1}, "1 byte"),
    ("{a} {a:byte|bytes}", {"a": ">=1"}, ">=1 bytes"),
    ("{a} {a:holds|hold}", {"a": ("x", "y", "z")}, "x, y and z hold"),
    ("{a} {a:holds|hold}", {"a": (message("runs", program="x"),)}, "x runs holds"),
    ("a[ {flag}b][, {a}][; {b}]", {"flag": True, "a": None, "b": 0}, "a b"),
    ("{a:span}, {a:when}", {"a": 3_204_000}, "3.204 ms, -0.796 ms"),
    ("{a:span}", {"a": 1_500_000_000}, "1.500 s"),
    ("{a:quoted} {b}", {"a": "{x} [y] '\udcff", "b": 0.5}, '"{x} [y] \'\\xff" 0.5'),
]


@pytest.mark.parametrize(("template", "values", "text"), SHOWN)
def test_how_fields_are_shown(template: str, values: dict[str, Any], text: str) -> None:
    assert Teller(origin=4_000_000).filled(template, values) == text


def test_evidence_says_where_it_stands() -> None:
    teller = Teller(1_000_000, "capture.pcap")
    what = message("syn-from", host="a")
    assert (
        teller.proof(Proof("frame", what, "capture.pcap", 7, 2_000_000)) == "frame 7, +1.000 ms: SYN from a"
    )
    assert teller.proof(Proof("frame", what, "lo-a.pcap", 7, 0)) == "lo-a.pcap frame 7, -1.000 ms: SYN from a"
    assert teller.proof(Proof("frame", what)) == "SYN from a"
    looked = proof("socket", "kernel-shows", host="a", time=1_000_000, state="LISTEN")
    assert teller.proof(looked) == "the kernel of a shows LISTEN at +0.000 ms"


def test_of_very_many_things_the_first_are_told_each_once() -> None:
    some = [message("text", text=str(number % 10)) for number in range(30)]
    assert Teller().all(some) == "0; 1; 2; 3; 4; 5; 6; 7; and 2 more"


@pytest.mark.parametrize("why", get_args(Reason))
def test_each_reason_for_a_loss_has_its_words(why: str) -> None:
    told = Teller().text(message("lost", instrument="ends", host="a", count=2, why=why, limit=1000))
    assert told.startswith("ends of processes of a were missed 2 times: ")
    assert why not in told


def test_a_loss_by_an_error_is_told_as_that() -> None:
    lost = message("lost", instrument="hold", host="", count=1, why="OSError: {gone}", limit=0)
    assert Teller().text(lost) == "segments could not be passed on 1 time: OSError: {gone}"
