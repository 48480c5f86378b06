"""Who handed something in, by what its file or folder is called."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from msgspec import Struct

from lab.scenario.loader.unpacking import ENDINGS

_MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d{1,18})_assignsubmission_(?P<kind>file|onlinetext)(?:_(?P<file>.*))?", re.DOTALL
)
"""``Ada Lovelace_1234_assignsubmission_file``, with a ``_`` behind it (older), or a file's name."""

_MOODLE_PLACE = re.compile(r"[^/]+?_\d{1,18}_assignsubmission_(?:file|onlinetext)", re.DOTALL)

_CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d{1,18})_(?P<attachment>\d{1,18})_(?P<file>.+)", re.DOTALL
)
"""``lovelaceada_LATE_1234_567890_server.c``."""

_LONGEST = 80


class Named(Struct, frozen=True):
    """What a name tells: who it is, and what the platform calls that; ``file`` as the student named it.

    ``text`` is what was typed on a web page instead of a file, ``late`` what the platform says of the time.
    """

    name: str
    id: str = ""
    platform: str = ""
    file: str = ""
    late: bool = False
    text: bool = False

    @property
    def key(self) -> str:
        """What tells one student from another."""
        return f"{self.platform}:{self.id}" if self.id else f"name:{folded(self.name)}"


def named(text: str, *, is_folder: bool) -> Named:
    """What the name of an entry of a batch tells."""
    if found := _MOODLE.fullmatch(text):
        of_text = found["kind"] == "onlinetext"
        return Named(found["name"], found["id"], "moodle", found["file"] or "", text=of_text)
    if not is_folder and (found := _CANVAS.fullmatch(text)):
        return Named(found["name"], found["id"], "canvas", found["file"], late=bool(found["late"]))
    return Named(text if is_folder else stem(text), file="" if is_folder else text)


def feedback_place(label: str) -> str:
    """What Moodle wants before the name of a file of feedback for what it called so; nothing for others."""
    found = _MOODLE_PLACE.match(label)
    if found is None:
        return ""
    return f"{label}/" if label[found.end() :] in ("", "_") else f"{found.group()}_"


def stem(file: str) -> str:
    """The name of a file without its ending: ``ann`` of ``ann.tar.gz``."""
    ending = max((end for end in ENDINGS if file.lower().endswith(end)), key=len, default="")
    if ending and len(file) > len(ending):
        return file[: -len(ending)]
    head, dot, _ = file.rpartition(".")
    return head if dot and head else file


def folded(name: str) -> str:
    """A name as it is compared: the same letters, however they are put together and whatever their case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()


def folder_for(name: str, key: str) -> str:
    """A name for a folder that every system takes; the same student always has the same."""
    kept = (character if _is_harmless(character) else "_" for character in unicodedata.normalize("NFC", name))
    text = "".join(kept).strip("._- ").replace(" ", "_")
    while len(text.encode()) > _LONGEST:
        text = text[:-1]
    mark = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:6]
    return f"{text}-{mark}" if text else mark


def _is_harmless(character: str) -> bool:
    return character in "._- " or unicodedata.category(character)[0] in "LN"
