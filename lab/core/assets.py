"""The files beside the code: Dockerfiles, starter scenario, schema; in a checkout and in an installed wheel.

In a checkout they lie at the top. The wheel carries them in ``lab/_assets`` (pyproject.toml, force-include),
under the same names.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.core.errors import UsageError, unless_full

PACKAGE = Path(__file__).parent.parent
"""The package itself: the agent's source is in it."""

_PACKAGED = PACKAGE / "_assets"
ROOT = _PACKAGED if _PACKAGED.is_dir() else PACKAGE.parent
"""The folder that holds ``images`` and ``scenarios``."""

IMAGES = ROOT / "images"
EXAMPLES = ROOT / "scenarios"
STARTER = EXAMPLES / "starter"
SCHEMA = EXAMPLES / "scenario.schema.json"
ASSIGNMENT_STARTER = EXAMPLES / "starter_assignment"
ASSIGNMENTS = EXAMPLES / "assignments"
ASSIGNMENT_SCHEMA = EXAMPLES / "assignment.schema.json"


def address_of(schema: str) -> str:
    """The URI by which schemas are told apart and name each other; nothing is fetched from there."""
    return f"urn:tcp-lab:schema:{schema}:1"


HOST_IMAGE = "tcp-lab/host"
"""The image of a host that names none: compilers, Python and the tools of a shell."""


LANGUAGE_IMAGES = {language: f"tcp-lab/{language}" for language in ("go", "java", "node", "rust")}
"""The images of hosts whose programs need what is not in the usual one; each is built when it is needed."""


def cache_folder() -> Path:
    """The folder for what can be made again (XDG Base Directory Specification); it is made if missing.

    Raises:
        UsageError: it cannot be made or written to.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tcp-lab"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
    except OSError as error:
        refusal = UsageError(
            "cache-folder",
            f"the cache folder cannot be written: {error.strerror}",
            where=str(folder),
            fix="set XDG_CACHE_HOME to a folder of yours",
        )
        raise unless_full(error, refusal) from error
    return folder
