"""Who scores: threads of this process, each with a process of its own, or workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.errors import EnvironmentFaultError, install_extra

if TYPE_CHECKING:
    from distributed import Client


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """Who scores.

    Attributes
    ----------
    count : callable
        How many there are: a cluster may lose all of its workers.
    room : callable
        How many scorings are begun at one time: some more than there are workers in a cluster, so
        that none of them waits for work.
    """

    executor: Executor
    count: Callable[[], int]
    room: Callable[[], int]


@contextmanager
def open_workers(jobs: int, cluster: str | None) -> Iterator[Workers]:
    """Start `jobs` threads, or connect to the scheduler at `cluster`.

    Raises
    ------
    EnvironmentFaultError
        No scheduler answers there.
    """
    if cluster is None:
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            yield Workers(executor=pool, count=lambda: jobs, room=lambda: jobs)
        return
    with _client(cluster) as client:
        # Two equal requests are two tasks. The scheduler gives a task whose worker died to another:
        # how often is its setting distributed.scheduler.allowed-failures.
        executor = client.get_executor(pure=False)

        def count() -> int:
            return len(client.scheduler_info(n_workers=-1)["workers"])

        yield Workers(executor=executor, count=count, room=lambda: 2 * max(1, count()))


def result_of(future: Future[T]) -> T:
    """Wait for what a worker gives.

    Raises
    ------
    EnvironmentFaultError
        The worker or its scheduler was lost.
    """
    try:
        return future.result()
    except Exception as error:
        is_lost = isinstance(error, CancelledError | TimeoutError)
        if not is_lost and not type(error).__module__.startswith("distributed."):
            raise
        raise EnvironmentFaultError(
            f"a worker of the cluster was lost: {type(error).__name__}",
            fix="look at the workers' memory and logs, then give the same command again",
        ) from error


def _client(cluster: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise EnvironmentFaultError(
            "Dask is not installed", fix=install_extra("cluster")
        ) from error
    try:
        return Client(cluster, timeout=30)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise EnvironmentFaultError(
            f"no scheduler answers: {error}",
            where=cluster,
            fix="start one with `dask scheduler`, and give its address: tcp://host:8786",
        ) from error
