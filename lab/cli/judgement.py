"""From a verdict to what is shown of it and to an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from lab.core.errors import ExitCode
from lab.core.words import Outcome
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import Verdict
from lab.output.document import verdict_as_data
from lab.output.style import Ink, Style
from lab.output.telling import Teller
from lab.output.verdict import table

if TYPE_CHECKING:
    from lab.cli.screen import Screen
    from lab.evidence.evidence import Evidence

_CODES = {Outcome.PASS: ExitCode.PASSED, Outcome.FAIL: ExitCode.FAILED}


class Judgement(Struct, frozen=True):
    """The checks that were asked for, and the code for them."""

    verdict: Verdict
    code: ExitCode

    @property
    def data(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"verdict": verdict_as_data(self.verdict), "exit": int(self.code)}


def select(evidence: Evidence, verdict: Verdict, only: Sequence[str], screen: Screen) -> Judgement:
    """The checks that ``only`` names, all of them where it names none; a warning of each loss of evidence."""
    from lab.checks.doubt import losses
    from lab.checks.judging import judge

    for loss in losses(evidence):
        screen.warn(Teller().text(loss))
    if not only:
        return Judgement(verdict, _CODES.get(verdict.outcome, ExitCode.INCONCLUSIVE))
    names = [result.name for result in verdict.results]
    wanted = [name for name in only if name in names]
    for name in only:
        if name not in names:
            screen.warn(f"no check is called {name!r}; there are: {', '.join(names)}")
    if not wanted:
        return Judgement(Verdict(verdict.scenario, Outcome.SKIPPED, ()), ExitCode.NOTHING_SELECTED)
    chosen = judge(evidence, wanted)
    return Judgement(chosen, _CODES.get(chosen.outcome, ExitCode.INCONCLUSIVE))


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
    yield ""
    yield from table(verdict, style, broken)
