"""From a verdict to what is shown of it and to an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from lab.core.errors import ExitCode, UsageError
from lab.core.words import Outcome
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import Verdict
from lab.output.describe import Teller
from lab.output.document import Points, points_of
from lab.output.style import Ink, Style
from lab.output.verdict import table

if TYPE_CHECKING:
    from lab.cli.screen import Screen
    from lab.evidence.evidence import Evidence
    from lab.scenario import Scenario

_CODES = {Outcome.PASS: ExitCode.PASSED, Outcome.FAIL: ExitCode.FAILED}


class Judgement(Struct, frozen=True):
    """The checks that were asked for, and the code for them."""

    verdict: Verdict
    code: ExitCode

    @property
    def points(self) -> Points:
        """Those of the checks that were asked for."""
        return points_of(self.verdict.results)

    @property
    def connection(self) -> int:
        """The number of a connection that proves the first check that did not pass; 0 without one."""
        wrong = [one for one in self.verdict.results if one.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
        first = next((one for one in wrong if not one.follows), None)
        return next((proof.connection for proof in first.evidence if proof.connection), 0) if first else 0


def select(evidence: Evidence, verdict: Verdict, only: Sequence[str], screen: Screen) -> Judgement:
    """The checks that ``only`` names, all of them where it names none; a warning of each loss of evidence."""
    from lab.checks.completeness import losses
    from lab.checks.judging import judge

    for loss in losses(evidence):
        screen.warn(Teller().text(loss))
    if not only:
        code = _CODES.get(verdict.outcome, ExitCode.INCONCLUSIVE)
        return Judgement(verdict, code if verdict.results else ExitCode.PASSED)
    names = [result.name for result in verdict.results]
    wanted = [name for name in only if name in names]
    for name in only:
        if name not in names:
            screen.warn(f"no check is called {name!r}; there are: {', '.join(names)}")
    if not wanted:
        return Judgement(Verdict(verdict.scenario, Outcome.SKIPPED, ()), ExitCode.NOTHING_SELECTED)
    chosen = judge(evidence, wanted)
    return Judgement(chosen, _CODES.get(chosen.outcome, ExitCode.INCONCLUSIVE))


def require_known(only: Sequence[str], scenarios: Sequence[Scenario]) -> None:
    """UsageError for a name that no check of any of the scenarios has."""
    from lab.checks import names_of
    from lab.scenario.loader.wording import did_you_mean

    known = list(dict.fromkeys(name for scenario in scenarios for name in names_of(scenario)))
    for name in only:
        if name not in known:
            fix = did_you_mean(name, known, "checks")
            raise UsageError("no-check", f"no check is called {name!r}", where="--only", fix=fix)


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The code for several runs: the smallest that is not 0.

    A failed check (1) outweighs a scenario that cannot be used (2), that one that could not be judged (3),
    and that one of which no check was selected (4).
    """
    return min((code for code in codes if code), default=ExitCode.PASSED)


def table_of(evidence: Evidence, verdict: Verdict, style: Style) -> Iterator[str]:
    """The title and the result table of a run."""
    events = evidence.transcript.events
    broken = [event for event in events if isinstance(event, StepEnded) and event.outcome is Outcome.FAIL]
    yield from style.paragraph(verdict.scenario, Ink.STRONG)
    if evidence.scenario.description:
        yield from style.paragraph(" ".join(evidence.scenario.description.split()), Ink.FAINT)
    yield ""
    yield from table(verdict, style, broken)
