"""The scenario language as frozen models; ``loader`` reads files into them. It imports ``core`` alone.

Actions of steps and subjects of checks are in ``steps.actions`` and ``checks.subjects``: see ``family``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.scenario.base import Model, Name, Text
from lab.scenario.cast import Host, Network, Program, Timeouts
from lab.scenario.checks import CheckBase
from lab.scenario.steps import Step


class Scenario(Model):
    """A whole scenario file in its one normal form."""

    called: ClassVar[str] = "scenario"

    version: Annotated[Literal[1], Field(description="The version of this language")]
    title: Annotated[Text, Field(description="What it shows, in one line")]
    description: Annotated[Text | None, Field(description="What to look at, in more lines")] = None
    networks: Annotated[dict[Name, Network], Field(min_length=1, description="The wires, by name")]
    programs: Annotated[dict[Name, Program], Field(description="What can be run, by name")] = Field(
        default_factory=dict
    )
    hosts: Annotated[dict[Name, Host], Field(min_length=1, description="The machines, by name")]
    timeouts: Annotated[Timeouts, Field(description="How long anything may take")] = Timeouts()
    steps: Annotated[tuple[Step, ...], Field(min_length=1, description="The script")] = ()
    finally_: Annotated[
        tuple[Step, ...], Field(alias="finally", description="Steps that are played whatever happened")
    ] = ()
    checks: Annotated[tuple[CheckBase, ...], Field(min_length=1, description="What must be true of it")] = ()
