"""What every check of :mod:`lab.checks.subjects` is: keys of the language, and how they are judged."""

from __future__ import annotations

from abc import abstractmethod

from lab.evidence.evidence import Evidence
from lab.evidence.verdict import CheckResult
from lab.scenario.checks import CheckBase


class Check(CheckBase):
    """A check that can be judged."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called if it has no name: whoever names checks at the command line may write that."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every word; the same evidence gives the same result."""
