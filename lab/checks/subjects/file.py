"""``file``: what is in a file of a program when the script is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Struct
from pydantic import Field

from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.select import whose
from lab.evidence.evidence import Evidence
from lab.evidence.files import FileEvidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Count, Counted, Digest, HostName, Model, Name, OneOrMany, Text, WorkPath
from lab.scenario.checks import Place
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake, Path
from lab.scenario.script import numbered_lines
from lab.scenario.variables import substitute

_SHOWN = 16
"""Bytes that are shown of each of two files from their first difference on."""

_TEXT_SHOWN = 200


class OtherFile(Model):
    """A file that another one is compared with."""

    heading: ClassVar[str] = "Another file"

    host: Annotated[
        HostName | None, Field(description="Where it is; unless given, it is one of the program's `files`")
    ] = None
    program: Annotated[Name | None, Field(description="The program in whose folder it is; run: in /work")] = (
        None
    )
    path: Annotated[WorkPath, Field(description="Its path in the program's folder")]


class FileRef(Model):
    """A file of a program, and what is said of it."""

    heading: ClassVar[str] = "Which file"

    host: Annotated[HostName, Field(description="The host")]
    program: Annotated[Name | None, Field(description="The program in whose folder it is; run: in /work")] = (
        None
    )
    path: Annotated[WorkPath, Field(description="Its path in the program's folder")]
    exists: Annotated[bool | None, Field(description="Whether there is such a regular file")] = None
    size: Annotated[Counted | None, Field(description="Its bytes")] = None
    sha256: Annotated[
        Digest | None,
        Field(description="Its SHA-256 in hexadecimal digits, as sha256sum(1) prints it"),
    ] = None
    same_as: Annotated[OtherFile | None, Field(description="Another file with the same bytes")] = None
    contains: Annotated[
        tuple[Text, ...] | None,
        OneOrMany(),
        Field(description="Texts that occur in this order, none overlapping"),
    ] = None
    lines: Annotated[dict[Text, Counted] | None, Field(description="Whole lines, and how many of each")] = (
        None
    )


class FileCheck(Check):
    """A file of a program, as it is when the script is over."""

    subject: ClassVar[str] = "file"
    words: ClassVar[tuple[str, ...]] = ("exists", "size", "sha256", "same_as", "contains", "lines")

    file: Annotated[FileRef, Field(description="Which one, and what of it")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        ref, given = self.file, self.given()
        if ref.exists is False and len(given) > 1:
            other = next(word for word in given if word != "exists")
            what = f': a file that is not there has no "{other}"'
            yield Mistake("contradiction", ("file", other), what, "leave out one of the two")
        for word in ("contains", "lines"):
            if self.said(word) is not None and not self.said(word):
                yield Mistake(
                    "no-assertion", ("file", word), f': "{word}" says nothing', "put at least one text in it"
                )
        for text in ref.lines or ():
            if "\n" in text:
                what, fix = ": a line cannot hold a line break", "use `contains:` for text of several lines"
                yield Mistake("contradiction", ("file", "lines", text), what, fix)
        yield from _unclear(ref.host, ref.program, ("file",), scenario)
        if ref.same_as is not None:
            yield from _mistakes_of_other(ref.same_as, scenario)
            if _other_place(ref.same_as, scenario) == _place(ref.host, ref.program, ref.path, scenario):
                what = ": a file is always the same as itself"
                yield Mistake("contradiction", ("file", "same_as"), what, "name another file")

    def texts(self) -> Iterator[tuple[Path, str]]:
        for number, text in enumerate(self.file.contains or ()):
            yield ("file", "contains", number), text
        for line in self.file.lines or ():
            yield ("file", "lines", line), line

    def files(self, scenario: Scenario) -> Iterator[tuple[Place, bool]]:
        ref = self.file
        yield _place(ref.host, ref.program, ref.path, scenario), ref.exists is not False
        if ref.same_as is not None:
            yield _other_place(ref.same_as, scenario), True

    @property
    def title(self) -> str:
        return f"file {self.file.path} of {whose(self.file.host, self.file.program)}"

    def judge(self, evidence: Evidence) -> CheckResult:
        ref, scenario = self.file, evidence.scenario
        found = _found(_place(ref.host, ref.program, ref.path, scenario), evidence)
        judged = [_of_word(word, self, found, evidence) for word in self.given()]
        return conclude(self, [finding for findings in judged for finding in findings])


# --- where it is -------------------------------------------------------------------------------------


def _folders(host: str, program: str | None, scenario: Scenario) -> set[str]:
    """The folders that may be meant: of programs with one of their own, or "" for that of all."""
    found: set[str] = set()
    for _, line in numbered_lines(scenario):
        entrance = line.action.enters()
        if entrance is None or line.host != host or entrance.kind not in {"program", "command"}:
            continue
        if entrance.name != program and (program is not None or entrance.kind == "command"):
            continue
        own = scenario.programs.get(entrance.program or "")
        has_folder = own is not None and (own.paths or own.build_of or own.files)
        found.add((entrance.program or "") if has_folder else "")
    return found


def _unclear(host: str, program: str | None, path: Path, scenario: Scenario) -> Iterator[Mistake]:
    """That several folders may be meant. That a program is started at all is seen to by a rule."""
    folders = _folders(host, program, scenario)
    if len(folders) > 1:
        names = ", ".join(sorted(name or "run" for name in folders))
        what = f': on host "{host}" several folders can be meant ({names})'
        yield Mistake("unclear-file", (*path, "program" if program else "host"), what, "add `program:`")


def _mistakes_of_other(other: OtherFile, scenario: Scenario) -> Iterator[Mistake]:
    here = ("file", "same_as")
    if other.host is not None:
        yield from _unclear(other.host, other.program, here, scenario)
        if other.host in scenario.hosts and not _folders(other.host, other.program, scenario):
            what = f': no such program is started on host "{other.host}"'
            yield Mistake("not-started", (*here, "program" if other.program else "host"), what, "start it")
    elif other.program not in scenario.programs:
        whom = f'"{other.program}", which is not defined' if other.program else "no program and no host"
        fix = did_you_mean(other.program or "", scenario.programs, "programs")
        below = ("program",) if other.program else ()
        yield Mistake("unknown-program", (*here, *below), f": `same_as` names {whom}", fix)
    elif other.path not in scenario.programs[other.program].files:
        what = f': program "{other.program}" has no file "{other.path}" under `files:`'
        fix = did_you_mean(other.path, scenario.programs[other.program].files, "files")
        yield Mistake("unknown-file", (*here, "path"), what, f"{fix}; a file of a host needs `host:`")


def _place(host: str, program: str | None, path: str, scenario: Scenario) -> Place:
    return Place(host, min(_folders(host, program, scenario), default=""), path)


def _other_place(other: OtherFile, scenario: Scenario) -> Place:
    if other.host is None:
        return Place("", other.program or "", other.path)
    return _place(other.host, other.program, other.path, scenario)


# --- what is in it -----------------------------------------------------------------------------------


class _Found(Struct, frozen=True):
    """A file where it was looked for; None if nobody has looked."""

    place: Place
    file: FileEvidence | None
    doubt: Message | None
    """What is not known of it."""

    @property
    def name(self) -> Message:
        place = self.place
        return message("file", host=place.host, program=place.program, path=place.path)

    @property
    def there(self) -> FileEvidence | None:
        """The file, if it is one."""
        return self.file if self.file is not None and self.file.seen.kind == "file" else None

    @property
    def instead(self) -> Message:
        """What is there in its place."""
        seen = self.file.seen if self.file is not None else None
        if seen is None or seen.kind == "unread":
            return message("file-not-known", file=self.name)
        if seen.kind == "missing":
            return message("file-missing", file=self.name, why=seen.why, beside=seen.beside)
        return message("file-is-none", file=self.name, what=seen.kind, name=seen.why)

    @property
    def proofs(self) -> list[Proof]:
        file = self.there
        if file is None:
            return []
        seen, place = file.seen, self.place
        key = "file-seen" if place.host else "file-laid"
        return [
            proof(
                "file", key, host=place.host, time=seen.at, file=self.name, size=seen.size,
                sha256=seen.sha256, writers=seen.writers,
            )
        ]  # fmt: skip


def _found(place: Place, evidence: Evidence) -> _Found:
    file = next(
        (
            one
            for one in evidence.files
            if (one.seen.host, one.seen.program, one.seen.path) == (place.host, place.program, place.path)
        ),
        None,
    )
    doubt: Message | None = None
    if file is None:
        doubt = message("file-never-read")
    elif file.seen.kind == "unread":
        doubt = message("file-unread", why=file.seen.why)
    elif file.seen.changing:
        doubt = message("file-changing")
    return _Found(place, file, doubt)


def _of_word(word: str, check: FileCheck, found: _Found, evidence: Evidence) -> Iterator[Finding]:
    ref, file = check.file, found.there
    if word == "exists":
        yield _exists(ref, found)
    elif file is not None:
        yield from _JUDGES[word](ref, found, file, evidence)
    else:
        is_missing = found.file is not None and found.file.seen.kind == "missing"
        for expected in _expected(word, ref, evidence):
            yield find(
                expected, found.instead, holds=False, doubt=found.doubt, absent=is_missing, missing=True
            )


def _expected(word: str, ref: FileRef, evidence: Evidence) -> Iterator[Message]:
    """What is expected of a file, for where it is not there."""
    values = evidence.info.variables
    if word == "size":
        yield message("file-size", size=str(ref.size))
    elif word == "sha256":
        yield message("file-sha256", sha256=ref.sha256)
    elif word == "same_as" and ref.same_as is not None:
        yield message("file-same", other=_found(_other_place(ref.same_as, evidence.scenario), evidence).name)
    elif word == "contains":
        texts = tuple(_cut(substitute(text, values)) for text in ref.contains or ())
        yield message("file-contains", texts=texts)
    else:
        for text, bounds in (ref.lines or {}).items():
            yield message("line-times", line=_cut(substitute(text, values)), times=str(bounds))


def _exists(ref: FileRef, found: _Found) -> Finding:
    is_there = found.there is not None
    kind = found.file.seen.kind if found.file is not None else "unread"
    observed = message("file-is-there", file=found.name) if is_there else found.instead
    expected = message("file-exists" if ref.exists else "file-exists-not", file=found.name)
    # That it is written just now does not matter.
    doubt = None if found.file is not None and found.file.seen.changing else found.doubt
    holds = is_there if ref.exists else kind == "missing"
    missing = bool(ref.exists) and not is_there
    absent = missing and kind == "missing"
    return find(expected, observed, found.proofs, holds=holds, doubt=doubt, missing=missing, absent=absent)


def _size(ref: FileRef, found: _Found, file: FileEvidence, _: Evidence) -> Iterator[Finding]:
    size, bounds = file.seen.size, ref.size or Count(0, None)
    yield find(
        message("file-size", size=str(bounds)), message("file-has-size", size=size), found.proofs,
        holds=size in bounds, doubt=found.doubt, missing=size < bounds.minimum,
    )  # fmt: skip


def _digest(ref: FileRef, found: _Found, file: FileEvidence, _: Evidence) -> Iterator[Finding]:
    seen = file.seen
    doubt = found.doubt or (None if seen.sha256 else message("file-too-large", size=seen.size))
    yield find(
        message("file-sha256", sha256=ref.sha256),
        message("file-has-sha256", sha256=seen.sha256, size=seen.size),
        found.proofs,
        holds=seen.sha256 == ref.sha256,
        doubt=doubt,
    )


def _same_as(ref: FileRef, found: _Found, file: FileEvidence, evidence: Evidence) -> Iterator[Finding]:
    if ref.same_as is not None:
        yield _same(found, file, _found(_other_place(ref.same_as, evidence.scenario), evidence))


def _same(found: _Found, file: FileEvidence, other: _Found) -> Finding:
    expected = message("file-same", other=other.name)
    there = other.there
    doubt = found.doubt or other.doubt
    if there is None:
        return find(expected, other.instead, found.proofs, holds=False, doubt=doubt, missing=True)
    one, two = file.seen, there.seen
    if one.size == two.size and not (one.sha256 and two.sha256):
        doubt = message("file-too-large", size=one.size)
    if one.size == two.size and one.sha256 == two.sha256:
        same = message("file-is-same", size=one.size)
        return find(expected, same, [*found.proofs, *other.proofs], holds=True, doubt=doubt)
    at = _first_difference(file.content, there.content)
    known = at < min(len(file.content), len(there.content)) or (
        at == len(file.content) == one.size or at == len(there.content) == two.size
    )
    observed = message(
        "file-differs" if known else "file-differs-somewhere", at=at, size=one.size, wanted=two.size
    )
    shown = (
        [
            proof(
                "file", "file-difference", host=found.place.host, at=at,
                line=there.content.count(b"\n", 0, at) + 1,
                expected=there.content[at : at + _SHOWN].hex(), observed=file.content[at : at + _SHOWN].hex(),
            )
        ]
        if known
        else []
    )  # fmt: skip
    return find(
        expected, observed, [*shown, *found.proofs, *other.proofs], holds=False, doubt=doubt,
        missing=one.size < two.size,
    )  # fmt: skip


def _first_difference(one: bytes, other: bytes) -> int:
    """The place of the first byte that is different, or where the shorter one ends."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _contains(ref: FileRef, found: _Found, file: FileEvidence, evidence: Evidence) -> Iterator[Finding]:
    texts = [substitute(text, evidence.info.variables) for text in ref.contains or ()]
    at, gone = 0, None
    for number, text in enumerate(texts):
        data = text.encode("utf-8", "surrogateescape")
        place = file.content.find(data, at)
        if place < 0:
            gone = number
            break
        at = place + len(data)
    before = _cut(texts[gone - 1]) if gone else ""
    yield find(
        message("file-contains", texts=tuple(map(_cut, texts))),
        message("contains", number=len(texts))
        if gone is None
        else message("text-not-there", text=_cut(texts[gone]), before=before),
        found.proofs,
        holds=gone is None,
        doubt=found.doubt or _cut_off(file),
        proven=gone is None and found.doubt is None,
        missing=True,
    )


def _lines(ref: FileRef, found: _Found, file: FileEvidence, evidence: Evidence) -> Iterator[Finding]:
    for text, bounds in (ref.lines or {}).items():
        yield _line(substitute(text, evidence.info.variables), bounds, found, file)


def _line(text: str, bounds: Count, found: _Found, file: FileEvidence) -> Finding:
    lines = file.content.split(b"\n")
    if not file.whole:
        lines.pop()  # it may go on
    number = lines.count(text.encode("utf-8", "surrogateescape"))
    near = next((line for line in lines if text.encode("utf-8", "surrogateescape") in line), b"")
    within = _cut(near.decode("utf-8", "surrogateescape")) if number not in bounds else ""
    return find(
        message("line-times", line=_cut(text), times=str(bounds)),
        message("lines-seen", number=number, line=_cut(text), within=within if within != text else ""),
        found.proofs,
        holds=number in bounds,
        doubt=found.doubt or _cut_off(file),
        proven=decided(number, bounds) and found.doubt is None,
        missing=number < bounds.minimum,
    )


def _cut_off(file: FileEvidence) -> Message | None:
    """That not all of it is in the record."""
    return None if file.whole else message("file-cut", kept=len(file.content), size=file.seen.size)


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN] + "…"


_JUDGES = {"size": _size, "sha256": _digest, "same_as": _same_as, "contains": _contains, "lines": _lines}
