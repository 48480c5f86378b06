"""What people read: verdicts, transcripts and tables as plain text, and as JSON for programs. Pure.

Everything here turns values into text; who prints it is :mod:`lab.cli`. Text that came from programs passes
through :func:`lab.core.escape.escape` first, so that a terminal acts on what the lab writes only.
"""
