"""How many connections there were."""

from __future__ import annotations

SENTENCES = {
    "connections": (
        "{number} {number:connection|connections}[, and {others} more without a completed handshake]"
    ),
    "connection-began": "from {client} to {server}, handshake {handshake}",
}
