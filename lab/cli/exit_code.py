"""The one place where what happened becomes an exit code (lab.core.errors.ExitCode)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from lab.cli.invocation import Invocation
from lab.cli.screen import Screen
from lab.core.errors import DiskFullError, ExitCode, LabError, UsageError, is_full


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line. Nothing is raised: every error is one clear message and a code."""
    screen = Screen.of_this_process()
    try:
        order = _understand(arguments or ["--help"])
        if isinstance(order, int):
            return order
        screen = Screen.of_this_process(json=order.json, verbose=order.verbose)
        return order.run(screen)
    except LabError as error:
        screen.complain(error)
        return error.exit_code
    except KeyboardInterrupt as interruption:
        for left in interruption.args:
            screen.warn(left)
        screen.say("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets a sentence and a file
        told = _full_disk(error) or _bug(error)
        screen.complain(told)
        return told.exit_code


def _understand(arguments: Sequence[str]) -> Invocation | int:
    """What the words ask for; an exit code where reading them was all there was to do (``--help``)."""
    import typer

    from lab.cli.course_commands import app

    # Since 0.26 typer has a click of its own: the root of its errors is found through one that it exports.
    refusal: type[Exception] = typer.BadParameter.mro()[2]
    try:
        order: Invocation | int = app(list(arguments), prog_name="lab", standalone_mode=False)
    except refusal as error:
        raise _usage(error) from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    return order


def _usage(error: Any) -> UsageError:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "lab"
    return UsageError("usage", error.format_message(), fix=f"`{command} --help` shows what can be said")


def _full_disk(error: Exception) -> LabError | None:
    if isinstance(error, OSError) and is_full(error):
        return DiskFullError(error, str(error.filename or ""))
    return None


class _BugError(LabError):
    exit_code = ExitCode.BUG


def _bug(error: Exception) -> LabError:
    """A mistake of the program's own, its traceback kept in a file."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _BugError("bug", f"a bug in the lab: {what}", where=_kept(error), fix="please report it")


def _kept(error: Exception) -> str:
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        descriptor, path = tempfile.mkstemp(prefix="tcp-lab-bug-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"lab {' '.join(sys.argv[1:])}\n\n{text}")
    except OSError as trouble:
        return f"its traceback could not be kept: {trouble}"
    return path
