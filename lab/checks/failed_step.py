"""What the verdict says of a step that failed: why, what each program was doing, and the nearest text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from lab.checks.causes import causes_of, undecided
from lab.checks.causes.failure import Failure, filled
from lab.checks.causes.kinds import Cause, Died, NoticedLate, RunsOn, Starved, said
from lab.checks.nearest import nearest
from lab.checks.printed import last_lines
from lab.checks.programs import ProgramState, Scene
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult, Difference
from lab.scenario.script import line_of

_MOST_PROGRAMS, _MOST_CHILDREN = 64, 4
"""Programs, and processes of each that it has started, of which it is said what they did."""


def explained(result: CheckResult, step: StepEnded, evidence: Evidence) -> CheckResult:
    """The result of the script with all that is known of the step at which it broke off."""
    result = replace(result, differences=tuple(_differences(step, evidence)), missing=True)
    if step.outcome is not Outcome.FAIL:
        return result
    failure = Failure(Scene(evidence, step.at), step)
    causes = causes_of(failure)
    programs = tuple(_programs(failure, causes))
    doubt = undecided(failure, causes)
    told = [cause for cause in causes if not (doubt and isinstance(cause, Starved | NoticedLate))]
    result = replace(result, causes=tuple(said(cause, step.at) for cause in told), programs=programs)
    return in_doubt(result, said(doubt, step.at)) if doubt else result


def in_doubt(result: CheckResult, doubt: Message) -> CheckResult:
    """A result that failed for what did not come, where it may still have come."""
    observed = (*result.observed, message("but", doubt=doubt))
    return replace(result, outcome=Outcome.INCONCLUSIVE, observed=observed, hint="")


def _programs(failure: Failure, causes: Iterable[Cause]) -> Iterator[Message]:
    """What each program was doing, and the last lines that it printed and no step consumed."""
    scene = failure.scene
    words = {cause.words for cause in causes if isinstance(cause, Died | RunsOn)}
    for one in scene.programs[:_MOST_PROGRAMS]:
        unread = scene.unread.get((one.host, one.name), "")
        lines = last_lines(unread) if failure.shows_unread(one) else []
        yield message(
            "program",
            who=scene.named(one),
            doing=said(one.state, failure.step.at),
            children=tuple(
                message(
                    "child", name=child.name, number=child.number, doing=said(child.state, failure.step.at)
                )
                for child in one.children[:_MOST_CHILDREN]
            ),
            others=max(0, len(one.children) - _MOST_CHILDREN),
            queued=tuple(_queued(one, scene)),
            lines=tuple(line for line in lines if line.strip() not in words),
        )
    if len(scene.programs) > _MOST_PROGRAMS:
        yield message("more-programs", number=len(scene.programs) - _MOST_PROGRAMS)


def _queued(one: ProgramState, scene: Scene) -> Iterator[Message]:
    """The connections to a program's listeners that nobody has accepted."""
    for listener in scene.listeners(one.host):
        if listener.inode in one.inodes and (rows := scene.queued(one.host, listener)):
            peers = tuple(dict.fromkeys(scene.peer(one.host, row) for row in rows))
            yield message("queued", number=len(rows), peers=peers, port=listener.local_port)


def _differences(step: StepEnded, evidence: Evidence) -> Iterator[Difference]:
    """The text that a step expected, beside what is most like it in the output that was not consumed."""
    line = line_of(evidence.scenario, step.step)
    pattern = line.action.pattern() if line else None
    text = (pattern.text or pattern.line) if pattern is not None else None
    if not text:
        return
    wanted = filled(text, step, evidence)
    printed = step.rest.replace("\r\n", "\n").split("\n")
    whole = pattern is not None and pattern.text is None
    if wanted is not None and (found := nearest(wanted, printed, whole=whole)) is not None:
        yield found
