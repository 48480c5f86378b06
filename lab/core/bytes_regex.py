"""Regular expressions on bytes that are matched in linear time, whatever they are: RE2's.

A check must come to the same verdict of the same record on every machine, and a record may hold what somebody
made to be slow. An engine that goes back, as Python's, would need a bound in time, which a slow machine meets
sooner. So it is RE2, from the library google-re2, which is imported where an expression is used and
installed by those who use one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from lab.core.errors import UsageError

_INSTALL = "install it: pip install google-re2, or pip install 'tcp-lab[regex]'"


class BytesRegexError(Exception):
    """An expression that RE2 does not take, in words."""


@lru_cache(maxsize=64)
def searcher(expression: str) -> Callable[[bytes], bool]:
    """Whether the expression matches somewhere in some bytes; each is a character, and ``.`` any of them.

    Raises:
        BytesRegexError: it is no expression of RE2's.
        UsageError: the library is not installed.
    """
    if not expression.isascii():
        raise BytesRegexError(r"it matches bytes: write those that are not ASCII as \xNN")
    try:
        import re2
    except ImportError as error:
        what = "a regular expression for payloads needs the library google-re2, which is not installed"
        raise UsageError("missing-library", what, fix=_INSTALL) from error
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        pattern = re2.compile(expression.encode("ascii"), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BytesRegexError(text) from error
    return lambda data: pattern.search(data) is not None
