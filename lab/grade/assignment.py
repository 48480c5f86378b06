"""The language of ``assignment.yaml`` as frozen models; ``reading`` reads a file into them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from lab.scenario.base import Duration, Model, Name, OneOrMany, Size, Text
from lab.scenario.cast import FileName

Language = Literal["c", "cpp", "python", "java", "go", "rust", "javascript", "shell"]

Points = Annotated[float, Field(ge=0, le=100_000)]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
"""A path in a submission, or a glob: ``*.c``, ``src/**/*.h``; one without a slash fits in any folder."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What several runs are worth: of all that pass, of the best, or so many points if all or some pass."""

    kind: Literal["all", "best", "points"] = "all"
    every: float = 1.0
    some: float = 0.0
    """Points if all runs pass and if some do; of kind ``points`` alone."""


def parse_rule(value: object) -> Rule:
    """``all``, ``best`` or ``{all: 10, some: 7}``; ValueError for anything else."""
    if isinstance(value, Rule):
        return value
    if value in ("all", "best"):
        return Rule("all" if value == "all" else "best")
    if isinstance(value, dict) and value.keys() == {"all", "some"}:
        every, some = value["all"], value["some"]
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (every, some)):
            raise ValueError("all and some are numbers of points")
        if not 0 <= some <= every <= 100_000:
            raise ValueError("all is at least some, and some at least 0")
        return Rule("points", float(every), float(some))
    raise ValueError("a rule is all, best or {all: 10, some: 7}")


def _rule_as_written(rule: Rule) -> Any:
    if rule.kind != "points":
        return rule.kind
    return {"all": rule.every, "some": rule.some}


RunsRule = Annotated[
    Rule,
    BeforeValidator(parse_rule),
    PlainSerializer(_rule_as_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["all", "best"]},
                {
                    "type": "object",
                    "properties": {key: {"type": "number", "minimum": 0} for key in ("all", "some")},
                    "additionalProperties": False,
                    "required": ["all", "some"],
                },
            ]
        }
    ),
]
"""``all``, ``best`` or ``{all: 10, some: 7}``."""


def parse_moment(value: object) -> datetime:
    """``2026-12-01 23:59 Europe/Berlin`` or ``2026-12-01 23:59 +01:00``; ValueError for anything else."""
    if isinstance(value, datetime):
        return value
    text = value if isinstance(value, str) else ""
    day, _, rest = text.strip().replace("T", " ", 1).partition(" ")
    time, _, zone = rest.partition(" ")
    try:
        if zone and zone[0] not in "+-" and zone not in ("Z", "UTC"):
            moment = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=ZoneInfo(zone))
        else:
            moment = datetime.fromisoformat(f"{day} {time}{'+00:00' if zone in ('Z', 'UTC') else zone}")
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"there is no time zone {zone}: write Europe/Berlin, or +01:00") from None
    except ValueError:
        raise ValueError(_MOMENT) from None
    if moment.tzinfo is None:
        raise ValueError(f"it has no time zone; {_MOMENT}")
    return moment


_MOMENT = 'a time is a day, a time and a time zone: "2026-12-01 23:59 Europe/Berlin"'

Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    PlainSerializer(lambda moment: moment.isoformat(sep=" "), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}",
            "examples": ["2026-12-01 23:59 Europe/Berlin"],
        }
    ),
]
"""A time with its time zone."""


Word = Literal["split", "join", "dribble", "half_close", "reset", "crowd"]
"""A way in which the script's own messages come otherwise; ``adversary`` knows what each does."""


class SubmissionLimits(Model):
    """How much a submission may hold."""

    files: Annotated[int, Field(ge=1, le=2000, description="Files, without what is left out")] = 200
    bytes: Annotated[Size, Field(description="Bytes of all files together, and of one archive")] = 4 * 1024**2


class Submit(Model):
    """What students hand in."""

    short: ClassVar[str] = "programs"

    programs: Annotated[
        tuple[Name, ...],
        OneOrMany(),
        Field(min_length=1, description="The programs of the scenarios that a submission replaces"),
    ]
    required: Annotated[
        tuple[Pattern, ...], OneOrMany(), Field(description="Files that must be there: names or globs")
    ] = ()
    optional: Annotated[
        tuple[Pattern, ...],
        OneOrMany(),
        Field(description="Files that may be there too; if given, all others are left out"),
    ] = ()
    refused: Annotated[
        tuple[Pattern, ...], OneOrMany(), Field(description="Files for which a submission is refused")
    ] = ()
    languages: Annotated[
        tuple[Language, ...], OneOrMany(), Field(description="Languages that are allowed; any unless given")
    ] = ()
    limits: Annotated[SubmissionLimits, Field(description="How much a submission may hold")] = (
        SubmissionLimits()
    )


class Texts(Model):
    """What a student reads besides, by what became of a scenario."""

    passed: Annotated[Text | None, Field(description="It passed in each run")] = None
    failed: Annotated[Text | None, Field(description="It failed")] = None
    not_built: Annotated[Text | None, Field(description="What was handed in does not build")] = None
    inconclusive: Annotated[Text | None, Field(description="Nobody can tell")] = None
    trouble: Annotated[Text | None, Field(description="The grader had trouble of its own")] = None
    not_played: Annotated[Text | None, Field(description="A scenario that it needs did not pass")] = None


class AllTexts(Texts):
    """The same for each scenario that has no text of its own, and for the submission as a whole."""

    refused: Annotated[Text | None, Field(description="The submission was refused")] = None
    human: Annotated[Text | None, Field(description="A person has to look at the submission")] = None


class Case(Model):
    """One scenario that each submission plays, with fresh hosts."""

    short: ClassVar[str] = "file"

    file: Annotated[FileName, Field(description="The scenario file, from the assignment's folder on")]
    name: Annotated[Name | None, Field(description="What it is called; its file's name unless given")] = None
    points: Annotated[
        Points | None,
        Field(
            description="Points for it; checks of the scenario that have points share them out in proportion"
        ),
    ] = None
    runs: Annotated[int, Field(ge=1, le=20, description="How often it is played")] = 1
    rule: Annotated[RunsRule, Field(description="What several runs are worth")] = Rule()
    visibility: Annotated[
        Literal["visible", "hidden"], Field(description="Whether students see anything of it")
    ] = "visible"
    needs: Annotated[
        tuple[Name, ...],
        OneOrMany(),
        Field(description="Names of scenarios; it is not played if one of them did not pass"),
    ] = ()
    hints: Annotated[
        dict[Text, Text], Field(description="A hint for each check that fails, by the check's name")
    ] = Field(default_factory=dict)
    adversary: Annotated[
        tuple[Word, ...],
        OneOrMany(),
        Field(description="How else it is played: with the script's messages in other pieces, among others"),
    ] = ()
    texts: Annotated[
        Texts, Field(description="What students read besides, by what became of the scenario")
    ] = Texts()

    @property
    def worth(self) -> Fraction:
        """The points that it is worth."""
        if self.points is None:
            return Fraction(str(self.rule.every)) if self.rule.kind == "points" else Fraction(0)
        return Fraction(str(self.points))


class Late(Model):
    """What becomes of a submission that comes after the deadline."""

    short: ClassVar[str] = "deadline"

    deadline: Annotated[Moment, Field(description="The last moment, with its time zone")]
    grace: Annotated[Duration, Field(description="How much later still counts as in time")] = 0.0
    penalty: Annotated[
        float, Field(ge=0, le=100, description="Percent of all points that each period takes away")
    ] = 0.0
    per: Annotated[Duration, Field(description="A period; one that has begun counts")] = 24 * 3600.0
    most: Annotated[float, Field(ge=0, le=100, description="Percent that are taken away at most")] = 100.0


class Publish(Model):
    """What students get besides the visible scenarios."""

    programs: Annotated[
        tuple[Name, ...], OneOrMany(), Field(description="Programs of the scenarios whose sources they get")
    ] = ()
    files: Annotated[
        tuple[FileName, ...], OneOrMany(), Field(description="Files of the assignment's folder that they get")
    ] = ()


class Matrix(Model):
    """How `lab matrix` lets the programs of all students play with each other."""

    short: ClassVar[str] = "scenarios"

    server: Annotated[
        Name | None, Field(description="The server; the program that `listens` unless given")
    ] = None
    client: Annotated[Name | None, Field(description="The client; the other program unless given")] = None
    scenarios: Annotated[
        tuple[Name, ...],
        OneOrMany(),
        Field(description="Names of scenarios that both play in; all of these unless given"),
    ] = ()


class Assignment(Model):
    """A whole assignment file in its one normal form."""

    called: ClassVar[str] = "assignment"
    page: ClassVar[str] = "docs/grading.md"

    version: Annotated[Literal[1], Field(description="The version of this language")]
    title: Annotated[Text, Field(description="What it is called, in one line")]
    submit: Annotated[Submit, Field(description="What students hand in")]
    scenarios: Annotated[tuple[Case, ...], Field(min_length=1, description="What each submission plays")]
    sanitizers: Annotated[
        bool,
        Field(
            description="Whether C and C++ are also built with AddressSanitizer and "
            "UndefinedBehaviorSanitizer, and each visible scenario is played once more with that: "
            "advice in the feedback, no points"
        ),
    ] = False
    late: Annotated[Late | None, Field(description="The deadline, and what lateness costs")] = None
    texts: Annotated[
        AllTexts, Field(description="What students read besides, by what became of a scenario or of all")
    ] = AllTexts()
    publish: Annotated[
        Publish, Field(description="What students get besides the visible scenarios, from `lab publish`")
    ] = Publish()
    matrix: Annotated[Matrix, Field(description="Who plays with whom in `lab matrix`")] = Matrix()
