"""A step that is timed keeps to one core, and only that step."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import os
from harness.submission.jobs import keep_to_threads
keep_to_threads({request})
print(len(os.sched_getaffinity(0)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cores are chosen on Linux alone")
def test_a_process_that_is_timed_has_one_core() -> None:
    import os

    def cores(request: str) -> int:
        code = LOOK.format(request=request)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        return int(done.stdout)

    assert cores("{'is_one_thread': True}") == 1
    assert cores("{'is_one_thread': False}") == cores("{}") == len(os.sched_getaffinity(0))
