"""Files that commands write for other programs: whole, or not at all."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from lab.core.errors import UsageError, unless_full
from lab.output.reports import Result, formats


@contextmanager
def replaced(target: Path, what: str, option: str) -> Iterator[BinaryIO]:
    """A new file that takes the target's place when it is whole, and leaves nothing behind if it is not.

    UsageError if it cannot be written: ``what`` it is, and the ``option`` that names another.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("xb") as stream:  # never through a link that somebody laid into the record
            yield stream
        part.replace(target)
    except OSError as error:
        told = f"the {what} cannot be written: {error.strerror}"
        refusal = UsageError("export", told, where=str(target), fix=f"name another file: {option} FILE")
        raise unless_full(error, refusal) from error
    finally:
        part.unlink(missing_ok=True)


def with_reports(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each format of reports; it is called with the files as ``reports``."""
    signature, known = inspect.signature(command, eval_str=True), formats()

    @wraps(command)
    def asked(**given: Any) -> Any:
        files = {name: given.pop(name) for name in known}
        return command(reports={name: file for name, file in files.items() if file}, **given)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += map(_option, known.items()) if parameter.name == "reports" else [parameter]
    asked.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {one.name: one.annotation for one in parameters}
    return asked


def _option(known: tuple[str, Any]) -> inspect.Parameter:
    name, module = known
    option = typer.Option(f"--{name}", metavar="FILE", help=module.HELP, show_default=False)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[Path | None, option])


@contextmanager
def reported(reports: Mapping[str, Path]) -> Iterator[Callable[[Result], None]]:
    """Takes what became of each file, and writes all of it at the end, in each format that is wanted.

    UsageError, before anything is done, if a report cannot be written.
    """
    for name, target in reports.items():
        if target.is_dir() or not os.access(target.parent, os.W_OK | os.X_OK):
            what, fix = f"the {name} report cannot be written there", f"name another file: --{name} FILE"
            raise UsageError("export", what, where=str(target), fix=fix)
    results: list[Result] = []
    yield results.append
    for name, target in reports.items():
        with replaced(target, f"{name} report", f"--{name}") as stream:
            stream.write(formats()[name].document(results).encode())
