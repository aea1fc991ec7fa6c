"""What a step that scores is asked, and how it goes through the events: chunk by chunk.

Little is imported here: an entry of the open division is scored in many fresh processes, and each
of them waits for these imports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.errors import InvalidSubmissionError
from harness.submission.events import Events, forget_read
from harness.submission.survey import ScoreSurvey

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import JsonValue

Scorer = Callable[["NDArray[np.float32]"], "NDArray[np.generic]"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One file of events to be scored into one file of scores, `chunk` events at once.

    Attributes
    ----------
    events, scores : str
        Names of an input and of an output of the step.
    chunk : int
        Events at once.
    may_be_constant : bool
        Whether the scores may be all the same.
    """

    events: str = "events"
    scores: str = "scores"
    chunk: int
    may_be_constant: bool = False


def jobs_of(request: Mapping[str, JsonValue], chunk: int) -> list[Job]:
    """Return the jobs of a request; by default one, from ``events`` to ``scores``."""
    entries = cast("list[dict[str, Any]]", request.get("jobs") or [{}])
    return [Job(**{"chunk": chunk, **entry}) for entry in entries]


def keep_to_threads(request: Mapping[str, JsonValue]) -> None:
    """Run on one core if the request says ``is_one_thread``: before any library starts threads.

    Libraries start as many threads as there are cores that they may use.
    """
    if request.get("is_one_thread") and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def score_job(
    scorer: Scorer,
    events: Events,
    job: Job,
    outputs: Mapping[str, Path],
    *,
    chunks_at_a_time: int = 1,
) -> None:
    """Score events chunk by chunk into a file, and check the scores on the way.

    Parameters
    ----------
    scorer : callable
        From ``job.chunk`` events to as many scores, of shape ``(chunk,)`` or ``(chunk, 1)``; with
        one chunk at a time, the last one may be shorter.
    events : float32 array or SparseEvents, shape (n, *layout.shape)
        Sparse events are made dense here, a chunk at a time.
    chunks_at_a_time : int
        With more than one, each chunk is filled with empty events to the size of ``job.chunk``.

    Raises
    ------
    InvalidSubmissionError
        The scores are not finite, or all the same.
    """
    survey = ScoreSurvey(n_events=len(events), may_be_constant=job.may_be_constant)
    chunks = [slice(at, at + job.chunk) for at in range(0, len(events), job.chunk)]
    scored = _score_chunks(scorer, events, chunks, job.chunk, chunks_at_a_time)
    with outputs[job.scores].open("wb") as file:
        for chunk, scores in zip(chunks, scored, strict=True):
            survey.add(scores, events, chunk)
            file.write(scores.astype("<f8").tobytes())
            forget_read(events)
    if problems := survey.problems():
        raise InvalidSubmissionError(*problems)


def _score_chunks(
    scorer: Scorer, events: Events, chunks: list[slice], size: int, at_a_time: int
) -> Iterator[NDArray[np.generic]]:
    """Score chunks in their order."""
    if at_a_time == 1:
        yield from (scorer(events[chunk]).reshape(-1) for chunk in chunks)
        return
    with ThreadPoolExecutor(at_a_time) as pool:
        yield from pool.map(lambda chunk: _score_padded(scorer, events[chunk], size), chunks)


def _score_padded(scorer: Scorer, events: NDArray[np.float32], size: int) -> NDArray[np.generic]:
    """Score a chunk, filled with empty events to the size that the network is compiled for."""
    n_events = len(events)
    if n_events < size:
        padded = np.zeros((size, *events.shape[1:]), np.float32)
        padded[:n_events] = events
        events = padded
    return scorer(events).reshape(size)[:n_events]
