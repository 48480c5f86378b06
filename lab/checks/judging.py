"""All checks of a run, judged: the same evidence gives the same verdict, byte for byte."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from lab import checks
from lab.checks import conversation, unbuilt
from lab.checks.agreement import disagreements
from lab.checks.failed_step import in_doubt
from lab.checks.finding import worst
from lab.checks.relations import why_on_top, with_causes
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.evidence.verdict import CheckResult, Verdict


def judge(evidence: Evidence, only: Collection[str] = ()) -> Verdict:
    """The conversation first, then the checks in the order of the scenario.

    Without a script there is nothing to judge, and no result. ``only`` names the checks to show (their needs
    are judged all the same). A check is skipped if the script never came so far, or if one that it needs did
    not pass.
    """
    if not evidence.scenario.steps and not evidence.info.not_built:
        return Verdict(evidence.scenario.title, Outcome.SKIPPED, (), (), evidence.origin)
    results = _judged(evidence)
    shown = why_on_top([result for result in results if not only or result.name in only])
    outcome = Outcome.FAIL if evidence.info.not_built else worst([result.outcome for result in shown])
    capture = next((file.path for file in evidence.info.captures if not file.host), "")
    return Verdict(
        evidence.scenario.title, outcome, shown, tuple(disagreements(evidence)), evidence.origin, capture
    )


def _judged(evidence: Evidence) -> list[CheckResult]:
    specs = evidence.scenario.checks
    if evidence.info.not_built:
        reason = unbuilt.reason(evidence)
        return [unbuilt.judge(evidence), *(_skipped(checks.judge(spec, evidence), reason) for spec in specs)]
    cut = conversation.why_cut_short(evidence)
    judged = [_or_not_reached(checks.judge(spec, evidence), cut) for spec in specs]
    results = with_causes([conversation.judge(evidence), *judged], specs, evidence)
    results = _as_sure_as_the_script(results, evidence)
    return _without_needs(results, [(), *(spec.needs for spec in specs)])


def _as_sure_as_the_script(results: list[CheckResult], evidence: Evidence) -> list[CheckResult]:
    """Where nobody knows whether the failed step would have failed, what it would have brought is open."""
    script = results[0]
    if script.outcome is not Outcome.INCONCLUSIVE or evidence.transcript.failed is None:
        return results
    return [
        in_doubt(one, message("script-in-doubt")) if one.outcome is Outcome.FAIL and one.missing else one
        for one in results
    ]


def _or_not_reached(result: CheckResult, cut: Message | None) -> CheckResult:
    if cut and result.absent:
        return _skipped(result, cut)
    return result


def _without_needs(results: list[CheckResult], needs: Sequence[tuple[str, ...]]) -> list[CheckResult]:
    """Skip what needs a check that did not pass, and what needs that, until nothing changes."""
    while True:
        passed = {result.name for result in results if result.outcome is Outcome.PASS}
        held = [_unless_needs(*one, passed) for one in zip(results, needs, strict=True)]
        if held == results:
            return results
        results = held


def _unless_needs(result: CheckResult, needs: tuple[str, ...], passed: Collection[str]) -> CheckResult:
    missing = next((name for name in needs if name not in passed), None)
    if missing is None or result.outcome is Outcome.SKIPPED:
        return result
    return _skipped(result, message("needs", check=missing))


def _skipped(result: CheckResult, reason: Message) -> CheckResult:
    return replace(
        result,
        outcome=Outcome.SKIPPED,
        observed=(message("not-judged", reason=reason),),
        evidence=(),
        hint="",
        differences=(),
        follows="",
    )
