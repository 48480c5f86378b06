"""What is said of programs that do not build."""

from __future__ import annotations

SENTENCES = {
    "programs-built": "every program is built",
    "nothing-built": "nothing was built: {programs} {programs:does|do} not build",
    "said-by-build": "{said}[\nand {more} more lines in run.json]",
}
