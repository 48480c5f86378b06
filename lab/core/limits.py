"""How much of a run is kept: what its record is written within, and what a reader holds a record to.

One table for both, so that what is written can be read. What is above a limit while a run goes on is not
kept, and told to be missing; what is above one in a record is refused before it is held in memory.
"""

from __future__ import annotations

MIB = 1024 * 1024

PROGRAM_OUTPUT = MIB
"""Characters of the output of one program of a host."""

OUTPUT = 8 * MIB
"""Characters of the output of all programs."""

PIECE = 64 * 1024
"""Characters of output in one event."""

EVENTS = 200_000
"""Events of output and input: a script that loops must not eat the memory."""

STEPS = 200_000
"""All other events of a transcript."""

ROWS = 200_000
"""Entries in all samples of the sockets of a run, and as many in those of the processes.

A sample is one, so is each of its rows, and each socket and sleeping thread of a process.
"""

ROWS_OF_LINE = 5_000
"""Entries of a sample in one line of a record; those behind them stand in the lines that follow."""

HELD = 10_000
"""Segments that were kept back."""

FILE = 4 * MIB
"""Bytes of a file of a program that are kept: its first."""

FILES = 32 * MIB
"""Bytes of all files of programs that are kept."""

CAPTURE = 256 * MIB
"""Bytes of one capture."""

DOCUMENT = 32 * MIB
"""Bytes of a JSON document."""

LINE = 4 * MIB
"""Bytes of a line of a file with a JSON object in each."""

LINES = 256 * MIB
"""Bytes of such a file."""
