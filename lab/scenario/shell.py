"""How a shell command becomes the words of a program that is started."""

from __future__ import annotations

import re
import shlex

_VARIABLE = re.compile(r"\$?\$\{[^}]*\}")
_SHELL = re.compile(r"[|&;<>()$`*?\[\]#~!{}\n]|\A\s*\w+=")
"""What a shell acts on, where it is not quoted."""

_COMPOUND = re.compile(r"(?:\b(?:done|fi|esac)|^[({].*[)}])\s*$", re.DOTALL)
"""The end of a command behind which no word may stand."""

_NEXT = re.compile(r"(?:&&|;)\s*")
_ASSIGNMENTS = re.compile(r"(?:\w+=\S*\s+)*")
_KEYWORD = re.compile(r"(?:^|[\s;])(?:if|for|while|until|case|function)\s|\|\|")
_BUILTIN = re.compile(
    r"(?:\.|:|\[|cd|command|do|done|eval|exec|exit|export|fi|read|return|set|shift|test|trap|ulimit|umask|unset|wait)"
    r"(?:\s|$)"
)
"""What cannot stand behind ``exec``."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\\.", re.DOTALL)
_WORD = re.compile(rf"{_QUOTED.pattern}|{_VARIABLE.pattern}|\$\([^()]*\)", re.DOTALL)


def run_words(command: str) -> tuple[str, ...]:
    """The words that a shell command stands for; a shell with it where only that can tell.

    What a start adds stands behind the command.
    """
    if not _SHELL.search(_QUOTED.sub(_unquoted, _VARIABLE.sub("x", command.strip()))):
        return tuple(shlex.split(command))
    own, plain = command.strip(), _WORD.sub(_masked, command.strip())
    if _COMPOUND.search(plain):
        return ("sh", "-c", own, "sh")
    return ("sh", "-c", f'{_replacing_the_shell(own, plain)} "$@"', "sh")


def _masked(found: re.Match[str]) -> str:
    return "x" * len(found[0])


def _replacing_the_shell(command: str, plain: str) -> str:
    """The command with ``exec`` before its last part, where it can be: signals then reach the program.

    ``plain`` is the command with words in the place of what is quoted.
    """
    start = max((found.end() for found in _NEXT.finditer(plain)), default=0)
    first = _ASSIGNMENTS.match(plain, start)
    last = plain[start:] if first is None else plain[first.end() :]
    if _KEYWORD.search(plain) or re.search(r"[|&(){}\n]", last) or _BUILTIN.match(last):
        return command
    at = len(plain) - len(last)
    return f"{command[:at]}exec {command[at:]}"


def _unquoted(found: re.Match[str]) -> str:
    """What a shell acts on in quoted text."""
    return "$" if found[0].startswith('"') and not {"$", "`"}.isdisjoint(found[0]) else "x"
