"""Which saved run a command means: the last one, the one with a run id, or the one in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.core.errors import UsageError
from lab.core.escape import one_line

_TIME = len("20260101-120000")
"""Characters of a run's folder that say when it began (lab.run.prepare)."""

_MOST_NAMED = 5
"""Runs that a message lists."""


def saved(word: str, records: Path) -> Path:
    """The folder of a run: the last one in ``records`` without a word, else a folder or one run id's.

    A run id may be shortened as long as one run alone begins so.

    Raises:
        UsageError: there is none, or the word fits several.
    """
    if word and ("/" in word or Path(word).exists()):
        return Path(word)
    runs = [folder for _, folder in sorted(_runs(records))]
    found = [folder for folder in runs if _id_of(folder).startswith(word)]
    if not found:
        fix = "name the folder of a run, or say where runs are saved: --records DIR"
        raise UsageError("no-record", _none(word, records, runs), fix=fix)
    if word and len(found) > 1:
        told = ", ".join(_id_of(folder) for folder in found[-_MOST_NAMED:])
        what = f"the ids of {len(found)} runs begin with {one_line(word)!r}"
        raise UsageError("several-records", what, fix=f"say one: {told}")
    return found[-1]


def _runs(records: Path) -> Iterator[tuple[tuple[str, float], Path]]:
    """The runs in a folder that have ended, with what orders them: when they began, then when they ended."""
    from lab.evidence.record.layout import VERDICT

    try:
        for folder in records.iterdir():
            if (folder / VERDICT).is_file():
                yield (folder.name[:_TIME], (folder / VERDICT).stat().st_mtime), folder
    except OSError:
        return


def ids(records: Path) -> list[str]:
    """The ids of the runs in a folder, the last first."""
    return [_id_of(folder) for _, folder in sorted(_runs(records), reverse=True)]


def _id_of(folder: Path) -> str:
    return folder.name.rpartition("-")[2]


def _none(word: str, records: Path, runs: list[Path]) -> str:
    if not word:
        return f"there is no saved run in {records}"
    known = f"the last is {_id_of(runs[-1])}" if runs else "there are none"
    return f"no run in {records} is called {one_line(word)!r}: {known}"
