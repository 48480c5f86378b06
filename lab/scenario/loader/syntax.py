"""From the bytes of a file to its tree: everything that can be wrong before the first word has a meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from lab.core.errors import LabError, Problem, ScenarioError, SourceRef, UsageError
from lab.core.files import IrregularError, opened
from lab.scenario.loader.tree import Node, compose

MAX_BYTES = 1024 * 1024

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What a YAML file may not contain (YAML 1.1, section 4.1.1)."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_tree(path: Path) -> Node:
    """The tree of a YAML file; UsageError if it cannot be read, ScenarioError if it is no proper YAML."""
    file = str(path)
    text = _text(_content(path), file)
    try:
        tree = compose(yaml.parse(text, Loader=_LOADER), file)
    except yaml.MarkedYAMLError as error:
        raise ScenarioError([_syntax_problem(error, text, file)]) from None
    if tree is None:
        raise ScenarioError([Problem("empty-file", "the file is empty", SourceRef(file, 1, 1), _BEGIN)])
    return tree


_BEGIN = "a scenario begins with `version: 1` and a title; `lab init` lays down a first one"


def _content(path: Path) -> bytes:
    try:
        with opened(path) as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(content) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 1024**2} MiB"
        raise ScenarioError(
            [Problem("too-big", what, SourceRef(str(path), 1, 1), "split it into several scenarios")]
        )
    return content


def _unreadable(path: Path, error: OSError) -> LabError:
    if isinstance(error, FileNotFoundError):
        return UsageError("no-file", f"there is no file {path}", fix="check the path; scenarios end in .yaml")
    if isinstance(error, IrregularError):
        return UsageError("no-file", f"{path} is no regular file", fix="name a scenario file")
    if isinstance(error, IsADirectoryError):
        return UsageError("no-file", f"{path} is a folder", fix="name one scenario file in it")
    return UsageError(
        "no-file", f"{path} cannot be read: {error.strerror}", fix="check the path and its permissions"
    )


def _text(content: bytes, file: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        what = f"the file is not UTF-8: byte 0x{content[error.start]:02x} cannot be read"
        raise ScenarioError(
            [Problem("not-utf8", what, _place(before, file), "save the file as UTF-8")]
        ) from None
    found = _UNPRINTABLE.search(text)
    if found:
        what = f"the file contains the unprintable character U+{ord(found[0]):04X}"
        fix = f'take it away; in text between double quotes it is written "\\x{ord(found[0]):02x}"'
        raise ScenarioError([Problem("unprintable", what, _place(text[: found.start()], file), fix)])
    return text


def _place(before: str, file: str) -> SourceRef:
    """The place that comes after this much text."""
    lines = before.split("\n")
    return SourceRef(file, len(lines), len(lines[-1]) + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    at = _mark_place(error.problem_mark, file)
    lines = text.split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    tab = line[: len(line) - len(line.lstrip())].find("\t")
    if tab >= 0:
        place = SourceRef(file, at.line, tab + 1)
        return Problem(
            "yaml-tab", "a tab stands in the indentation", place, "indent with spaces: YAML takes no tabs"
        )
    for sign, what, fix in _WHERE_IT_BREAKS:
        if sign in f"{error.problem} {error.context}":
            return Problem("yaml-syntax", what, at, fix)
    for sign, what, fix in _WHERE_IT_BEGINS:
        if sign in (error.context or ""):
            return Problem("yaml-syntax", what, _mark_place(error.context_mark, file), fix)
    fix = "look for a missing quote, bracket or colon here or a line before"
    return Problem("yaml-syntax", "YAML cannot be read from here on", at, fix)


def _mark_place(mark: Any, file: str) -> SourceRef:
    return SourceRef(file, mark.line + 1, mark.column + 1) if mark else SourceRef(file, 1, 1)


_Row = tuple[str, str, str]
"""A part of what libyaml says, what it means, and how to mend it."""

_WHERE_IT_BREAKS: tuple[_Row, ...] = (
    (
        "mapping values are not allowed",
        "a `:` makes this a key, and none can stand here",
        "put text that holds a colon in quotes, and let all keys of one mapping begin in the same column",
    ),
    (
        "unknown escape",
        "a `\\` in double quotes is followed by a letter that means nothing",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    ("cannot start any token", "no text can begin with this character", "put the text in quotes"),
    ("expected node content", "no value can begin with this", "write a value, or put text in quotes"),
    (
        "expected <document start>",
        "this line does not belong to the mapping before it",
        "let all keys of one mapping begin in the same column",
    ),
    (
        "unexpected ':'",
        "a `:` ends this text",
        "write a space after the colon of a key, or put text in quotes",
    ),
    (
        "block sequence entries are not allowed",
        "a `-` stands where no list can begin",
        "begin it on a line of its own",
    ),
    (
        "block mapping",
        "the mapping before does not go on like this: the indentation is off, or a `key:` is missing",
        "let all keys of one mapping begin in the same column",
    ),
    (
        "block collection",
        "the list before does not go on like this: the indentation is off, or a `-` is missing",
        "let all items of one list begin in the same column",
    ),
)
"""Told at the place where the reader gave up."""

_SPECIAL_TO_YAML = ("a block scalar", "an anchor", "an alias", "a tag", "a directive")
_SPECIAL = "text that begins with this character means something else to YAML"
_WHERE_IT_BEGINS: tuple[_Row, ...] = (
    *((f"scanning {thing}", _SPECIAL, "put the text in quotes") for thing in _SPECIAL_TO_YAML),
    ("quoted scalar", "this quote is not closed", 'close it; inside "…" a quote is written \\"'),
    (
        "flow sequence",
        "this `[` is not closed, or a comma or a quote is missing behind it",
        "close it with `]`",
    ),
    (
        "flow mapping",
        "this `{` is not closed, or a comma or a quote is missing behind it",
        "close it with `}`",
    ),
    ("simple key", "no `:` follows this", "write `key: value`, with a space after the colon"),
)
"""Told at the place where the thing begins that is not finished."""
