"""Every word of the checks is seen to pass with a right program and to fail with a wrong one, in containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from lab.core.words import Outcome
from tests.docker.stage import Stage, results
from tests.docker.words import PLAYS, Play
from tests.judged import Judged


@pytest.mark.parametrize("play", PLAYS, ids=str)
def test_a_word_passes_and_fails(stage: Stage, play: Play) -> None:
    told = results(stage.play(play.scenario(), play.files()))
    assert told["conversation"].outcome is Outcome.PASS, told["conversation"].observed
    amiss = list(_amiss(play, told))
    assert not amiss, "\n".join(amiss)


def _amiss(play: Play, told: Mapping[str, Judged]) -> Iterator[str]:
    for number, row in enumerate(play.rows):
        right, wrong = told[f"{number} right"], told[f"{number} wrong"]
        if right.outcome is not Outcome.PASS:
            yield f"{row.of(row.right)}: {right.outcome}, {right.observed}"
        if wrong.outcome is not Outcome.FAIL or row.told.replace("@", row.wrong) not in wrong.observed:
            yield f"{row.of(row.wrong)}: {wrong.outcome}, {wrong.observed}"
