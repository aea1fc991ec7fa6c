"""How much work something is, on a machine that does other work as well."""

from __future__ import annotations

import time
from collections.abc import Callable


def processor_s(work: Callable[[], object], *, n_times: int = 1) -> float:
    """Return the least processor time of this process for `work`, of `n_times`.

    What other programs take does not count. A bound on it still hangs on the processor: state it
    as a share of other work of the same test, or leave a factor of ten.
    """
    return min(_once(work) for _ in range(n_times))


def _once(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return time.process_time() - started_s
