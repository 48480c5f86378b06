"""What this machine says of its processors."""

from __future__ import annotations

import time

from lab.deploy.build_time import processor_time


def test_processors_are_idle_or_not_as_time_goes_by() -> None:
    before = processor_time()
    time.sleep(0.05)
    after = processor_time()
    assert before is not None
    assert after is not None
    assert before.total < after.total
    assert before.idle <= after.idle <= after.total
