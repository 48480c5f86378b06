"""What became of each check, and of all of them together, as data (``lab.output.describe`` makes text)."""

from __future__ import annotations

from msgspec import Struct

from lab.core.words import Outcome
from lab.evidence.message import Message, Proof


class Difference(Struct, frozen=True):
    """A text that was expected and not there, and what was there that is most like it."""

    expected: str
    observed: str


class CheckResult(Struct, frozen=True):
    """What became of one check, and why.

    ``absent`` says that a check that did not pass found nothing at all to judge, so that a script cut short
    explains it. ``missing`` says that all that is wrong is something that did not come, and ``follows`` names
    the check whose failure explains that.
    """

    name: str
    subject: str
    outcome: Outcome
    expected: tuple[Message, ...]
    observed: tuple[Message, ...]
    evidence: tuple[Proof, ...] = ()
    hint: str = ""
    points: int = 0
    visibility: str = "visible"
    absent: bool = False
    causes: tuple[Message, ...] = ()
    """Why it failed, what explains most first."""
    programs: tuple[Message, ...] = ()
    """What each program was doing then, and what it had printed and no step had read."""
    differences: tuple[Difference, ...] = ()
    missing: bool = False
    follows: str = ""


class Verdict(Struct, frozen=True):
    """All checks of a run. ``outcome`` is the worst: fail before inconclusive before pass.

    ``disagreements`` say where the frames say one thing and a kernel another, whether or not a check depends
    on it. ``origin`` is the run's first SYN (ns), from which times are told; frames are those of ``capture``,
    the switch's, where no other file is named.
    """

    scenario: str
    outcome: Outcome
    results: tuple[CheckResult, ...]
    disagreements: tuple[Message, ...] = ()
    origin: int = 0
    capture: str = ""
