"""Which protocols a host speaks."""

from __future__ import annotations

from lab.output.describe import listed

SENTENCES = {
    "speaks-only": "{host} speaks {protocols} and nothing else",
    "speaks": lambda _, protocols: f"it speaks {listed(protocols) if protocols else 'nothing on the wire'}",
    "first-spoken": "the first of {number} {protocol} {number:packet|packets} from {host}, to {to}",
}
