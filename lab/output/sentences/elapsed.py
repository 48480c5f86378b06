"""How long it took from one mark of the script to another."""

from __future__ import annotations

SENTENCES = {
    "elapsed": "{bounds} from {mark} to {other}",
    "mark-not-reached": 'the mark "{mark}" was not reached',
    "mark-set": 'mark "{mark}" at {time:when}',
    "set-before": '"{mark}" was set before "{other}"',
}
