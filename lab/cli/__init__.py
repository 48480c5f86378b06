"""The command ``lab``: the one room that reads a command line, prints, and picks exit codes.

``commands`` declares the commands and turns a command line into an
:class:`~lab.cli.invocation.Invocation`, ``exit_code`` carries it out and turns whatever happens into an exit
code, the other modules hold the commands. Heavy modules are imported where a command needs them: ``lab
--help`` and ``lab --version`` do without.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Do what the command line says and end the process with the exit code for it."""
    try:
        sys.exit(_code(sys.argv[1:]))
    except KeyboardInterrupt:  # it came before anything else could be made of it
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _code(arguments: list[str]) -> int:
    import os

    from lab.run.interruption import handle, leave

    # Nothing is up yet: a signal ends the process, be it while modules are imported. Whatever has something
    # to take down handles signals by itself as long as that is so (lab.run.interruption.Interruption).
    handle(leave)
    code = _carried_out(arguments)
    handle(lambda *_: os._exit(code))
    return code


def _carried_out(arguments: list[str]) -> int:
    import gc

    import lab

    if arguments == ["--version"]:
        print(f"lab {lab.__version__}")
        return 0
    # Half of a run's own time is imports. They make no garbage: that it was looked for at every 700 objects
    # cost 0.03 s, and once more at the end 0.04 s.
    gc.set_threshold(100_000, 10, 10)
    from lab.cli.exit_code import run

    code = run(arguments)
    gc.freeze()
    return code
