"""What only makes sense of the whole scenario: references, addresses, order, variables.

A rule is a function from a case to what it finds. It is asked of every scenario whose words are right,
and says nothing of what another rule is there for.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.scenario.loader.rules import addresses, checks, folders, networks, programs, script, stage, texts
from lab.scenario.loader.rules.context import Rule, RuleContext
from lab.scenario.mistake import Mistake

__all__ = ["RULES", "RULES_OF_THE_WHOLE", "Mistake", "RuleContext", "mistakes"]

RULES: tuple[Rule, ...] = (
    networks.proper_subnets,
    networks.families,
    addresses.given,
    addresses.known_networks,
    addresses.separate,
    addresses.fitting,
    programs.host_names,
    programs.one_kind,
    programs.same_build,
    programs.command_lines,
    programs.files,
    programs.laid,
    folders.room,
    programs.one_image,
    programs.one_language,
    script.actors,
    script.actions,
    script.patterns,
    script.timeouts,
    checks.hosts,
    checks.script,
    checks.own_connections,
    checks.own_words,
    checks.names,
)


RULES_OF_THE_WHOLE: tuple[Rule, ...] = (
    stage.spoken_to,
    stage.one_at_a_time,
    stage.of_the_right_kind,
    stage.on_a_terminal,
    stage.read_by_somebody,
    folders.standard_input,
    texts.known_variables,
    checks.programs,
    checks.needs,
)
"""What only a script and a verdict without gaps can be asked."""


def mistakes(context: RuleContext, *, whole: bool = True) -> Iterator[Mistake]:
    """What every rule finds."""
    for rule in (*RULES, *RULES_OF_THE_WHOLE) if whole else RULES:
        yield from rule(context)
