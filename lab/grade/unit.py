"""The unit of work: one submission, one assignment and one engine give a result and records.

It needs no state beside these three, so that any process can do it, and any other one do it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lab.core.archive import Tree
from lab.core.errors import DiskFullError, LabError, ScenarioError, UsageError
from lab.core.words import Outcome
from lab.engine import Engine
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import Exited, Started, TranscriptEvent
from lab.evidence.verdict import Verdict
from lab.grade.adversary import Variant, variants
from lab.grade.advice import advice_of
from lab.grade.details import details
from lab.grade.reading import Assigned, Played
from lab.grade.result import Advice, CaseResult, CheckSeen, Graded, RunOutcome, RunResult
from lab.grade.showing import show
from lab.output.describe import Told, teller_of
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import Finished, played
from lab.scenario.loader import with_trees
from lab.scenario.sanitizers import can_be_sanitized
from lab.scenario.script import line_of
from lab.steps.actions.start import Start

NOT_SUPPORTED = 127
"""The exit status of a program that does not support what is asked of it, as other matrices have it."""

_LONGEST = 4000
"""Characters of one text that are kept."""

_OUTCOMES: dict[Outcome, RunOutcome] = {Outcome.PASS: "passed", Outcome.FAIL: "failed"}

Say = Callable[[str], None]

Given = Mapping[str, Tree]
"""What is graded: the files of programs, by the names that these have in the scenarios."""


class _Quiet(Struct, frozen=True):
    """The audience of a run: nobody looks on."""

    tell: Say

    def say(self, text: str) -> None:
        self.tell(text)

    def event(self, event: TranscriptEvent) -> None:
        pass

    def draw(self, lines: Iterable[str]) -> None:
        pass


def grade(
    given: Given, assigned: Assigned, engine: Engine, records: Path, say: Say, *, before: Graded | None = None
) -> Graded:
    """Play all scenarios with the programs that are ``given``; only what is undecided of what was ``before``.

    Raises:
        DiskFullError: there is no room for the records.
        KeyboardInterrupt: a signal came; no lab is left.
    """
    known = {case.name: case for case in before.cases} if before else {}
    results: dict[str, CaseResult] = {}
    for one in _in_order(assigned.played):
        needed = next((name for name in one.case.needs if not results[name].passed), "")
        earlier = known.get(one.name)
        if needed:
            results[one.name] = CaseResult(one.name, blocked=needed)
        elif earlier and earlier.runs and not earlier.undecided:
            results[one.name] = earlier
        else:
            kept = earlier.runs if earlier else ()
            result = _case(one, given, engine, records, say, kept=kept)
            is_built = all(run.outcome != "not-built" for run in result.runs)
            if assigned.assignment.sanitizers and is_built and not one.is_hidden:
                result = replace(result, advice=_advice(one, given, engine, records, say))
            results[one.name] = result
    return Graded(tuple(results.values()))


def _in_order(played_ones: tuple[Played, ...]) -> list[Played]:
    """What is needed before what needs it, else as they stand."""
    ordered: list[Played] = []
    waiting = list(played_ones)
    while waiting:
        done = {one.name for one in ordered}
        ready = next(one for one in waiting if done.issuperset(one.case.needs))
        ordered.append(ready)
        waiting.remove(ready)
    return ordered


def _case(
    one: Played, given: Given, engine: Engine, records: Path, say: Say, *, kept: tuple[RunResult, ...]
) -> CaseResult:
    """All runs of a scenario. A submission that does not build is not built again."""
    runs: list[RunResult] = []
    for number, way in enumerate(_ways(one)):
        if way is not None and (runs[0].outcome != "passed" or _has_failed(way, runs)):
            continue  # what fails as it stands, or in this way, is known: another way tells nothing more
        before = _before(number, way, kept)
        if before is not None and not before.undecided:
            runs.append(before)
            continue
        run = _as_variant(_run(_otherwise(one, way), given, engine, records, say), way)
        if run.undecided and not run.final:
            say(f"{one.name} came to no result and is played again")
            run = _as_variant(_run(_otherwise(one, way), given, engine, records, say), way)
        runs.append(run)
        if run.outcome == "not-built":
            break
    return CaseResult(one.name, tuple(runs))


def _ways(one: Played) -> list[Variant | None]:
    """How a scenario is played, one after the other: as it stands, then as an adversary does."""
    return [*[None] * one.case.runs, *variants(one.loaded.scenario, one.case.adversary)]


def _has_failed(way: Variant, runs: list[RunResult]) -> bool:
    return any(run.outcome == "failed" and run.variant.startswith(f"{way.word}: ") for run in runs)


def _before(number: int, way: Variant | None, kept: tuple[RunResult, ...]) -> RunResult | None:
    """The run of before that was played so."""
    if way is None:
        return kept[number] if number < len(kept) else None
    return next((run for run in kept if run.variant == way.name), None)


def _otherwise(one: Played, way: Variant | None) -> Played:
    """The scenario as an adversary plays it. Its steps are in no file."""
    if way is None:
        return one
    return replace(one, loaded=replace(one.loaded, scenario=way.scenario, lines={}))


def _run(one: Played, given: Given, engine: Engine, records: Path, say: Say) -> RunResult:
    own = {name: given[name] for name in one.brought if name in given}
    try:
        loaded = with_trees(one.loaded, own)
    except (ScenarioError, UsageError) as error:
        if isinstance(error, ScenarioError) or error.code == "no-file":
            return RunResult("trouble", said=_cut(str(error)), final=True)
        return RunResult("not-built", said=_cut("\n".join(filter(None, (error.what, error.fix)))))
    result: RunResult | None = None
    interruption = Interruption()
    try:
        with (
            interruption,
            played(engine, loaded, Options(records=records), _Quiet(say), interruption) as finished,
        ):
            result = _result(own, finished)
    except DiskFullError:
        raise
    except LabError as error:
        if error.code == "unclear-program":
            return RunResult("not-built", said=_cut("\n".join(filter(None, (error.what, error.fix)))))
        if result is None:
            interruption.check()
            return RunResult("trouble", said=_cut(str(error)))
        say(error.what)  # the result stands; what is left of the lab is removed by the next run
    assert result is not None  # noqa: S101 - the lab was played, or an error was raised
    interruption.check()  # a signal may have come when it could not end the run any more
    return result


def _as_variant(run: RunResult, way: Variant | None) -> RunResult:
    """A run that says how it was played, and what its failure shows: as the script stands, it passes."""
    if way is None:
        return run
    failed = [number for number, check in enumerate(run.checks) if check.outcome == "fail"]
    first = next((number for number in failed if run.checks[number].shown), next(iter(failed), None))
    if run.outcome != "failed" or first is None:
        return replace(run, variant=way.name)
    told = replace(run.checks[first], causes=(way.why, *run.checks[first].causes))
    checks = (*run.checks[:first], told, *run.checks[first + 1 :])
    return replace(run, variant=way.name, checks=checks)


def _advice(one: Played, given: Given, engine: Engine, records: Path, say: Say) -> tuple[Advice, ...]:
    """What sanitizers tell of a submission; nothing where there is no C or C++.

    Nothing depends on this run: what goes wrong with it is said and forgotten.
    """
    given = {name: given[name] for name in one.brought if name in given}
    if not any(map(can_be_sanitized, given.values())):
        return ()
    found: tuple[Advice, ...] = ()
    interruption = Interruption()
    options = Options(records=records, sanitized=frozenset(given))
    try:
        loaded = with_trees(one.loaded, given)
        with interruption, played(engine, loaded, options, _Quiet(say), interruption) as finished:
            own = {name for name in loaded.scenario.programs if _is_given(name, given, finished.evidence)}
            found = advice_of(finished.evidence.transcript, own)
            shutil.rmtree(finished.record)
    except DiskFullError:
        raise
    except LabError as error:
        say(f"{one.name} could not be played with sanitizers: {error.what}")
    interruption.check()
    return found


def _result(given: Given, finished: Finished) -> RunResult:
    evidence, verdict, record = finished.evidence, finished.verdict, finished.record
    if evidence.info.not_built:
        return _not_built(given, evidence, record)
    outcome = _OUTCOMES.get(verdict.outcome, "inconclusive")
    shown, their_verdict = show(finished)
    checks = tuple(_seen(verdict, their_verdict, evidence))
    lacking = () if outcome == "passed" else _not_supported(given, evidence)
    return RunResult(outcome, checks, record=record.name, shown=shown, lacking=lacking)


def _not_built(given: Given, evidence: Evidence, record: Path) -> RunResult:
    """Whose program does not build: if it is the teacher's, that is no fault of the student's."""
    failed = evidence.info.not_built
    own = {name: said for name, said in failed.items() if _is_given(name, given, evidence)}
    told = "\n\n".join(dict.fromkeys((own or failed).values()))
    others = [name for name in failed if name not in own]
    if others:
        said = f"a program of the assignment does not build: {', '.join(others)}\n{told}"
        return RunResult("trouble", said=_cut(said), record=record.name)
    return RunResult("not-built", said=_cut(told), record=record.name, broken=tuple(own))


def _is_given(name: str, given: Given, evidence: Evidence) -> bool:
    """Whether a program is made of what was handed in."""
    return name in given or evidence.scenario.programs[name].build_of in given


def _not_supported(given: Given, evidence: Evidence) -> tuple[str, ...]:
    """The programs that were given and ended with the exit status for what they do not support."""
    started = [event for event in evidence.transcript.events if isinstance(event, Started)]
    lines = ((event, line_of(evidence.scenario, event.step)) for event in started)
    names = {
        (event.host, event.program): line.action.start
        for event, line in lines
        if line and isinstance(line.action, Start)
    }
    ended = (
        names.get((event.host, event.program), "")
        for event in evidence.transcript.events
        if isinstance(event, Exited) and event.status == NOT_SUPPORTED
    )
    return tuple(dict.fromkeys(name for name in ended if name and _is_given(name, given, evidence)))


def _seen(verdict: Verdict, theirs: Verdict, evidence: Evidence) -> Iterable[CheckSeen]:
    """Each check as it was judged; what students may see in the words of their own verdict."""
    in_their_words = (result for result in theirs.results if result.visibility == "visible")
    tellers = {True: teller_of(theirs), False: teller_of(verdict)}
    for result in verdict.results:
        visible = result.visibility == "visible"
        own = next(in_their_words) if visible else result
        told = Told(own, tellers[visible])
        same = own.outcome is result.outcome
        yield CheckSeen(
            result.name,
            result.outcome.value,
            result.points,
            visible,
            _cut(told.expected),
            _cut(told.observed) if same else "it was not judged, because something else did not pass",
            tuple(map(_cut, told.causes)) if same else (),
            result.hint,
            own.follows if same else "",
            details(told, evidence) if same and visible else (),
        )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text) - _LONGEST} more characters)"
