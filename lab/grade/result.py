"""What became of a submission, as data: the journal holds it, points and feedback are made from it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

RunOutcome = Literal["passed", "failed", "not-built", "inconclusive", "trouble"]
"""``failed`` and ``not-built`` are the student's fault; ``trouble`` is the grader's own."""


class Detail(Struct, frozen=True):
    """What else is told of a check that failed: a label, and lines below it."""

    label: str
    text: str


class CheckSeen(Struct, frozen=True, omit_defaults=True):
    """What became of one check in one run; ``shown`` says whether students may see it."""

    name: str
    outcome: str
    points: int = 0
    shown: bool = True
    expected: str = ""
    observed: str = ""
    causes: tuple[str, ...] = ()
    hint: str = ""
    follows: str = ""
    """The check whose failure explains this one."""
    details: tuple[Detail, ...] = ()


class RunResult(Struct, frozen=True, omit_defaults=True):
    """One run of a scenario.

    ``said`` are the compiler's words, or what the trouble is. ``record`` is the folder of the whole record
    below ``records``, ``shown`` that of the one that students may have. Of the programs that were handed in,
    ``broken`` do not build, and ``lacking`` say that they do not support what is asked of them.
    """

    outcome: RunOutcome
    checks: tuple[CheckSeen, ...] = ()
    said: str = ""
    record: str = ""
    shown: str = ""
    final: bool = False
    """Whether another run would come to the same trouble."""
    variant: str = ""
    """The word of the adversary by which it was played otherwise."""
    broken: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def undecided(self) -> bool:
        """Whether nobody's fault is known, of all of it or of a check that has points."""
        unsure = any(one.outcome == "inconclusive" for one in self.checks)
        still_open = {"inconclusive", "skipped"} if unsure else set()
        of_points = any(one.outcome in still_open and one.points for one in self.checks)
        return self.outcome in ("inconclusive", "trouble") or (self.outcome == "failed" and of_points)


class Advice(Struct, frozen=True):
    """What a sanitizer told: a mistake, and its place in the source (``server.c:42 in serve``), if known."""

    what: str
    place: str


class CaseResult(Struct, frozen=True, omit_defaults=True):
    """All runs of one scenario; none if ``blocked`` names a scenario that did not pass and that it needs.

    ``advice`` is what sanitizers told in another run, on which no points depend.
    """

    name: str
    runs: tuple[RunResult, ...] = ()
    blocked: str = ""
    advice: tuple[Advice, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every run passed."""
        return bool(self.runs) and all(run.outcome == "passed" for run in self.runs)

    @property
    def undecided(self) -> bool:
        """Whether a run is."""
        return any(run.undecided for run in self.runs)


class Graded(Struct, frozen=True, omit_defaults=True):
    """What became of a submission in each scenario."""

    cases: tuple[CaseResult, ...]

    @property
    def undecided(self) -> bool:
        """Whether anything is left for another try, or for a human."""
        return any(case.undecided for case in self.cases)
