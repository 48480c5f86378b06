"""From what was observed to a record and a verdict."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from lab import __version__
from lab.checks.judging import judge
from lab.deploy.deployment import Deployment
from lab.evidence import record
from lab.evidence.evidence import Evidence, RunInfo, SourceFile
from lab.evidence.verdict import Verdict
from lab.output.document import verdict_as_data
from lab.run.observe import Observer
from lab.run.perform import Performed
from lab.run.prepare import Prepared


class Finished(Struct, frozen=True):
    """A run that came to a verdict."""

    run_id: str
    record: Path
    evidence: Evidence
    verdict: Verdict
    kept: bool


def conclude(
    prepared: Prepared, deployment: Deployment, observer: Observer, performed: Performed
) -> Finished:
    """Write the record, and judge what it says. EvidenceError if it cannot be written."""
    info = RunInfo(
        run_id=prepared.run_id,
        file=str(prepared.loaded.file),
        began=performed.began,
        ended=performed.ended,
        versions={"lab": __version__, **deployment.versions},
        addresses={host.name: host.addresses for host in prepared.plan.hosts},
        interfaces=deployment.interfaces,
        captures=performed.captures,
        sampling=performed.sampling,
        clock_offset=deployment.clock_offset,
        variables=performed.variables,
        carriage_returns=tuple(
            sorted(name for name, recipe in prepared.recipes.items() if recipe.has_carriage_returns)
        ),
        held=observer.held,
        sources=_sources(prepared),
    )
    folder, scenario = prepared.folder, prepared.loaded.scenario
    record.write(
        folder,
        scenario,
        info,
        performed.transcript,
        observer.samples,
        processes=observer.processes,
        situation=observer.situation,
    )
    evidence = record.read(folder)
    verdict = judge(evidence)
    record.write_verdict(folder, verdict_as_data(verdict))
    return Finished(prepared.run_id, folder, evidence, verdict, deployment.kept)


def _sources(prepared: Prepared) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(path, len(content), hashlib.sha256(content).hexdigest())
        for path, content in prepared.loaded.sources.items()
    )
