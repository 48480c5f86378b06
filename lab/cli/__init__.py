"""The command ``lab``: the one room that reads a command line, prints, and picks exit codes.

``words`` declares the commands and turns a command line into an :class:`~lab.cli.order.Order`, ``guard``
carries it out and turns whatever happens into an exit code, the other modules hold the commands. Heavy
modules are imported where a command needs them: ``lab --help`` and ``lab --version`` do without.
"""

from __future__ import annotations

import gc
import signal
import sys

import lab


def main() -> None:
    """Do what the command line says and end the process with the exit code for it."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"lab {lab.__version__}")
        return
    # Half of a run's own time is imports. They make no garbage: that it was looked for at every 700 objects
    # cost 0.03 s, and once more at the end 0.04 s.
    gc.set_threshold(100_000, 10, 10)
    # While one thread imports, others hear from the engine: they need not wait 5 ms for each turn.
    sys.setswitchinterval(0.0005)
    from lab.cli.guard import run

    # Whoever ends us by SIGTERM gets the clean-up that a person gets by ^C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = run(arguments)
    gc.freeze()
    sys.exit(code)
