"""The files that checks look at, read when the script is over."""

from __future__ import annotations

import base64
import hashlib
import time

from msgspec.structs import replace

from lab.agent import protocol
from lab.core import limits
from lab.core.archive import FOLDER
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.evidence.files import FileEvidence, SeenFile
from lab.run.prepare import Prepared, laid_files
from lab.scenario.checks import Place

_SETTLE_SECONDS = 1.0
"""How long files may still be written, or not be there yet, before they are taken as they are."""


async def read_files(deployment: Deployment, prepared: Prepared) -> tuple[FileEvidence, ...]:
    """Every file that a check looks at, each once."""
    scenario = prepared.loaded.scenario
    wanted: dict[Place, bool] = {}
    for check in scenario.checks:
        for place, is_wanted in check.files(scenario):
            wanted[place] = wanted.get(place, False) or is_wanted
    found: list[FileEvidence] = []
    room = limits.FILES
    enough = time.monotonic() + _SETTLE_SECONDS
    for place, is_wanted in wanted.items():
        wait = max(0.0, enough - time.monotonic())
        if place.host:
            one = await _read(deployment, place, is_wanted, wait)
        else:
            one = _laid(deployment, prepared, place)
        content = one.content[: min(limits.FILE, room)]
        room -= len(content)
        stored = f"file-{len(found) + 1}.bin" if content else ""
        found.append(FileEvidence(replace(one.seen, kept=len(content), stored=stored), content))
    return tuple(found)


async def _read(deployment: Deployment, place: Place, is_wanted: bool, wait: float) -> FileEvidence:
    parts = [FOLDER.strip("/"), place.program, place.path]
    path = "/".join(part for part in parts if part)
    ask = deployment.agent.ask
    try:
        told = await ask(protocol.ReadFile(host=place.host, path=path, wanted=is_wanted, wait=wait))
        content = bytearray()
        while len(content) < told.kept:
            text: str = await ask(protocol.ReadPiece(offset=len(content)))
            if not text:
                break
            content += base64.b64decode(text)
    except EngineError as error:
        return FileEvidence(SeenFile(deployment.now(), *_where(place), "unread", error.what))
    seen = SeenFile(
        told.at, *_where(place), told.kind, told.why, told.size, told.sha256, changing=told.changing,
        writers=tuple(told.writers), beside=tuple(told.beside),
    )  # fmt: skip
    return FileEvidence(seen, bytes(content))


def _laid(deployment: Deployment, prepared: Prepared, place: Place) -> FileEvidence:
    content = next(file.content for file in laid_files(prepared, place.program) if file.path == place.path)
    digest = hashlib.sha256(content).hexdigest()
    seen = SeenFile(
        deployment.now(), *_where(place), "file", size=len(content), sha256=digest, kept=len(content)
    )
    return FileEvidence(seen, content)


def _where(place: Place) -> tuple[str, str, str]:
    return place.host, place.program, place.path
