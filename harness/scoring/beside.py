"""Work that runs beside the scoring: it looks at no score, or at none that is not there yet.

A machine of two cores has one to spare while a plugin is exported, while a network is compiled and
while figures are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import ParamSpec, TypeVar

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Runs functions in threads; `beside` makes one.

    Attributes
    ----------
    stop : Event
        Set when the run fails: what runs beside it should end. See `Workspace.stop`.
    """

    pool: ThreadPoolExecutor
    stop: Event = field(default_factory=Event)

    def start(
        self,
        work: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Future[Result]:
        """Start `work`; its result, or what it raised, comes from the future."""
        return self.pool.submit(work, *arguments, **named)


@contextmanager
def beside(n_threads: int) -> Iterator[Beside]:
    """Run work beside the block; if the block fails, what was started is stopped."""
    with ThreadPoolExecutor(max_workers=n_threads) as pool:
        made = Beside(pool=pool)
        try:
            yield made
        except BaseException:
            made.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
