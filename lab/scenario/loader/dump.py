"""The normal form of a scenario as YAML; :func:`lab.scenario.loader.load` reads it back unchanged."""

from __future__ import annotations

import re
from typing import Any

import yaml

from lab.core.errors import SourceRef
from lab.scenario.base import Model, plain
from lab.scenario.loader.plain import kind_of
from lab.scenario.loader.tree import Scalar

_LINE_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
"""What YAML 1.1 takes for a line break or skips; between double quotes it is escaped."""

_NOWHERE = SourceRef("", 0, 0)


_FOR_RUNNERS = re.compile(r"^(\s*):(?=:)|#(#)(?=\w*\[)", re.MULTILINE)
"""What CI runners act on in what a job prints (see :mod:`lab.core.escape`)."""


def dump(scenario: Model) -> str:
    """The normal form as YAML, without what is at its default, and without commands for a CI runner."""
    text = yaml.dump(plain(scenario), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    # All such text stands between double quotes.
    return _FOR_RUNNERS.sub(lambda found: r"#\x23" if found[2] else rf"{found[1]}\x3a", text)


class _Dumper(yaml.SafeDumper):
    """Without anchors, and with quotes around all text that a YAML reader might take for something else."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Whatever occurs twice is written twice."""
        return True

    def represent_text(self, text: str) -> yaml.Node:
        """Text as the loader will read it."""
        plain_is_text = kind_of(Scalar(text, True, _NOWHERE)) == "str"
        bare = plain_is_text and _LINE_BREAKS.isdisjoint(text) and "::" not in text and "##" not in text
        style = None if bare else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)
