"""What a record says of the run itself."""

from __future__ import annotations

import hashlib
import shlex

from lab import __version__
from lab.deploy.deployment import Deployment
from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import ProgramInfo, RunInfo, SourceFile
from lab.evidence.sockets import Sampling
from lab.run.execute import Executed
from lab.run.observe import Observer
from lab.run.prepare import Prepared


def run_info(
    prepared: Prepared,
    deployment: Deployment,
    executed: Executed,
    observer: Observer,
    *,
    sampling: Sampling,
    captures: tuple[CaptureFile, ...],
) -> RunInfo:
    """How the run was, and how well it was observed."""
    return RunInfo(
        run_id=prepared.labels.run_id,
        file=str(prepared.loaded.file),
        began=executed.began,
        ended=executed.ended,
        versions={"lab": __version__, **deployment.versions},
        addresses={host.name: host.addresses for host in prepared.plan.hosts},
        interfaces=deployment.interfaces,
        captures=captures,
        sampling=sampling,
        clock_offset=deployment.clock_offset,
        variables=executed.variables,
        carriage_returns=tuple(
            sorted({name for (_, name), one in prepared.built.items() if one.recipe.has_carriage_returns})
        ),
        held=observer.held,
        sources=tuple(
            SourceFile(path, len(content), hashlib.sha256(content).hexdigest())
            for path, content in prepared.loaded.sources.items()
        ),
        programs=_programs(prepared),
        not_built=prepared.not_built,
    )


def _programs(prepared: Prepared) -> dict[str, ProgramInfo]:
    recipes = {name: one.recipe for (_, name), one in prepared.built.items() if one.recipe.tree.files}
    return {
        name: ProgramInfo(one.build or "", shlex.join(one.argv or ()), *one.because)
        for name, one in recipes.items()
    }
