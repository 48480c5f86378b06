"""Files of programs."""

from __future__ import annotations

from lab.core.quote import quoted
from lab.evidence.message import Message
from lab.output.describe import Teller, counted


def _file(_: Teller, host: str, program: str, path: str) -> str:
    folder = f"/work/{program}" if program else "/work"
    return f"{quoted(path)} in {folder} of {host}" if host else f"{quoted(path)} of `files` of {program}"


def _missing(teller: Teller, file: Message, why: str, beside: tuple[str, ...]) -> str:
    on_the_way = f": {quoted(why)} is no folder" if why else ""
    there = f"; there are: {', '.join(map(quoted, beside))}" if beside else ""
    return f"there is no file {teller.shown(file)}{on_the_way}{there}"


_KINDS = {"folder": "a folder", "fifo": "a FIFO", "device": "a device or a socket"}


def _is_none(teller: Teller, file: Message, what: str, name: str) -> str:
    kind = _KINDS.get(what, f"a link, and none is followed ({quoted(name)})")
    return f"{teller.shown(file)} is {kind}"


def _seen(teller: Teller, file: Message, size: int, sha256: str, writers: tuple[str, ...]) -> str:
    digest = f", SHA-256 {sha256}" if sha256 else ""
    still = f"; {', '.join(writers)} still had it open for writing" if writers else ""
    return f"{teller.shown(file)} has {counted(size, 'byte')}{digest}{still}"


def _differs(_: Teller, at: int, size: int, wanted: int) -> str:
    if at == size:
        return f"it ends after {counted(size, 'byte')} of {wanted}, which are the same"
    if at == wanted:
        return f"it has {counted(size - wanted, 'byte')} more behind the {wanted} that are the same"
    sizes = f"{size} bytes" if size == wanted else f"{size} bytes, not {wanted}"
    return f"it differs from byte {at + 1} on (it has {sizes})"


def _difference(_: Teller, at: int, line: int, expected: str, observed: str) -> str:
    rows = "\n".join(
        f"  {label:<8}  {_hex(data):<47}  {_text(data)}"
        for label, data in (("expected", expected), ("there is", observed))
    )
    return f"the first difference, at byte {at + 1} (line {line}):\n{rows}"


def _hex(digits: str) -> str:
    return bytes.fromhex(digits).hex(" ") or "the end"


def _text(digits: str) -> str:
    return repr(bytes.fromhex(digits))[1:] if digits else ""


SENTENCES = {
    "file": _file,
    "file-exists": "there is a file {file}",
    "file-exists-not": "there is no file {file}",
    "file-is-there": "there is {file}",
    "file-missing": _missing,
    "file-is-none": _is_none,
    "file-not-known": "what {file} is, is not known",
    "file-never-read": "the record does not say what it was",
    "file-unread": "it could not be read: {why}",
    "file-changing": "it was being written while it was read",
    "file-too-large": "it is larger than what is read of a file ({size} bytes)",
    "file-cut": "only its first {kept} bytes of {size} are kept",
    "file-size": "a file of {size} bytes",
    "file-has-size": "it has {size} {size:byte|bytes}",
    "file-sha256": "SHA-256 {sha256}",
    "file-has-sha256": "it has {size} {size:byte|bytes} and SHA-256 {sha256}",
    "file-same": "the same bytes as {other}",
    "file-is-same": "{size} {size:byte|bytes}, all the same",
    "file-differs": _differs,
    "file-differs-somewhere": (
        "it differs behind the first {at} bytes, which are the same (it has {size} bytes, the other {wanted})"
    ),
    "file-contains": lambda _, texts: f"the file contains {', then '.join(map(quoted, texts))}",
    "file-seen": _seen,
    "file-laid": _seen,
    "file-difference": _difference,
}
