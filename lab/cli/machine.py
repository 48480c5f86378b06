"""The commands about this machine: ``lab images`` and ``lab doctor``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from lab.cli.connected import connected
from lab.cli.documents import Examined, FindingDocument, ImageDocument, Images
from lab.cli.screen import Screen
from lab.core.assets import LANGUAGE_IMAGES
from lab.core.errors import ExitCode, UsageError
from lab.core.words import Outcome
from lab.output.style import Ink, Style
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from lab.deploy.doctor import Finding
    from lab.engine.images import Status

_MIB = 1024 * 1024
_OUTCOMES = {"good": Outcome.PASS, "problem": Outcome.FAIL, "notice": Outcome.SKIPPED}
"""The sign that stands for each kind of finding (lab.deploy.doctor.Health)."""


def build_images(languages: Sequence[str], again: bool, ca_bundle: Path | None, screen: Screen) -> ExitCode:
    """Build images of the lab: those that are missing or out of date, or all that are meant ``again``."""
    from lab.engine import images

    names = tuple(map(_image_of, languages)) or images.OWN
    with Interruption(), connected(screen) as engine:
        images.make(engine, names, screen.say, ca_bundle=ca_bundle, again=again)
        _show([images.status(engine, name) for name in names], screen)
    return ExitCode.PASSED


def list_images(screen: Screen) -> ExitCode:
    """The lab's images, and whether each is current."""
    from lab.engine import images

    with connected(screen) as engine:
        _show([images.status(engine, name) for name in (*images.OWN, *images.LANGUAGES)], screen)
    return ExitCode.PASSED


def _image_of(language: str) -> str:
    """The image of a language. UsageError."""
    if language not in LANGUAGE_IMAGES:
        fix = f"languages: {', '.join(LANGUAGE_IMAGES)}"
        raise UsageError("unknown-language", f"there is no image for {language!r}", fix=fix)
    return LANGUAGE_IMAGES[language]


def _show(statuses: list[Status], screen: Screen) -> None:
    sizes = [f"{one.image.size // _MIB} MiB" if one.image else "" for one in statuses]
    rows = [(one.name, one.state.value, size) for one, size in zip(statuses, sizes, strict=True)]
    screen.show(screen.style.table(rows, ("IMAGE", "STATE", "SIZE")))
    images = [
        ImageDocument(
            name=one.name,
            state=one.state,
            id=one.image.id if one.image else None,
            size=one.image.size if one.image else None,
        )
        for one in statuses
    ]
    screen.answer(Images(images=images, exit=ExitCode.PASSED))


def doctor(screen: Screen) -> ExitCode:
    """What could keep a lab from running here; INCONCLUSIVE if anything does."""
    from lab.deploy.doctor import Health, examine

    with Interruption():
        findings = examine()
    for finding in findings:
        screen.show(_told(finding, screen.style))
    healthy = all(finding.health is not Health.PROBLEM for finding in findings)
    code = ExitCode.PASSED if healthy else ExitCode.INCONCLUSIVE
    told = [FindingDocument(**asdict(one)) for one in findings]
    screen.answer(Examined(healthy=healthy, findings=told, exit=code))
    return code


def _told(finding: Finding, style: Style) -> Iterator[str]:
    """A finding: its sign, what was looked at, what was seen, and the cure."""
    outcome = _OUTCOMES.get(finding.health.value, Outcome.INCONCLUSIVE)
    text = f"{finding.subject}: {finding.seen}"
    yield from style.paragraph(text, indent=2, label=style.sign(outcome), label_ink=style.ink(outcome))
    if finding.fix:
        yield from style.paragraph(finding.fix, indent=7, label="  fix:", label_ink=Ink.FAINT)
