"""What was sent in a lab that stayed up, after its script: brought from the sidecar into the run's record."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

from lab.core.files import opened, written
from lab.deploy.labs import Lab, LabStatus
from lab.deploy.visit import Visit
from lab.engine import Engine
from lab.engine.containers import CAPTURES
from lab.evidence.record.layout import BY_HAND, RUN
from lab.wire.packets.files import records
from lab.wire.packets.marker import is_marker
from lab.wire.packets.problems import Problems

_MOST_OF_RUN = 64 * 1024**2


def save(engine: Engine, lab: Lab) -> bool:
    """Write it into the record of the lab, if it lies on this machine; whether there was anything to save.

    Raises:
        EngineError: the sidecar does not give it.
        EvidenceError: it cannot be written.
    """
    folder = Path(lab.record)
    if lab.standing is not LabStatus.UP or not lab.record or not _is_of(folder, lab.run_id):
        return False
    data = Visit(engine, lab).said(("cat", f"{CAPTURES}/{BY_HAND}"))
    if not _has_frames(data):
        return False
    with written(folder / BY_HAND) as file:
        file.write(data)
    return True


def _is_of(folder: Path, run_id: str) -> bool:
    """Whether a folder is the record of a run."""
    try:
        with opened(folder / RUN, follow=False) as file:
            return bool(json.loads(file.read(_MOST_OF_RUN))["run_id"] == run_id)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _has_frames(data: bytes) -> bool:
    """Whether anybody has sent anything: the lab's own marker does not count."""
    frames = records(BytesIO(data), Problems())
    return any(not is_marker(link, frame[start:end]) for _, link, frame, start, end, *_ in frames)
