"""The step that scores events with the code of an entry of the open division, in a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import InvalidSubmissionError, Problem
from harness.submission.events import open_events
from harness.submission.jobs import jobs_of, keep_to_threads, score_job
from harness.submission.plugin import blamed_on_submission, find_function, load_plugin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import JsonValue

OPEN_CHUNK_EVENTS = 65_536


def score_open(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Score events with ``score(events)`` of an open-division submission.

    Parameters
    ----------
    request : mapping
        ``jobs`` and ``is_one_thread`` as for `score_network`; chunks are of `OPEN_CHUNK_EVENTS` by
        default.
    inputs : mapping
        ``submission``: the folder; and the events of each job.
    outputs : mapping
        As for `score_network`.

    Returns
    -------
    dict
        ``n_events``, ``is_input_modified`` (whether ``score`` wrote into what it was given) and
        ``score_s``.

    Raises
    ------
    InvalidSubmissionError
        ``score`` is missing, or returned what is no score of each event.
    SubmissionError
        The participant's code failed.
    """
    keep_to_threads(request)
    folder = inputs["submission"].resolve()
    function = find_function(load_plugin(folder, "open"), "score")
    start = time.monotonic()
    scorer = _OpenScorer(function, folder)
    n_events = 0
    for job in jobs_of(request, OPEN_CHUNK_EVENTS):
        events = open_events(inputs[job.events])
        score_job(scorer, events, job, outputs)
        n_events += len(events)
    return {
        "n_events": n_events,
        "is_input_modified": scorer.is_input_modified,
        "score_s": round(time.monotonic() - start, 3),
    }


@dataclass(slots=True)
class _OpenScorer:
    """A participant's ``score``, whose results are checked."""

    function: Callable[..., object]
    folder: Path
    is_input_modified: bool = field(default=False, init=False)

    def __call__(self, events: NDArray[np.float32]) -> NDArray[np.generic]:
        given = np.array(events)
        with blamed_on_submission(self.folder, "in score()", "open"):
            scores = np.asarray(self.function(given))
        self.is_input_modified = self.is_input_modified or not np.array_equal(
            given, events, equal_nan=True
        )
        if problem := _open_problem(scores, len(events)):
            raise InvalidSubmissionError(problem)
        return scores


def _open_problem(scores: NDArray[np.generic], n_events: int) -> Problem | None:
    where = "model.py, score()"
    expected = f"({n_events},) real numbers, one for each event"
    if scores.shape not in ((n_events,), (n_events, 1)):
        return Problem(
            what=f"returned shape {scores.shape} for {n_events} events",
            where=where,
            expected=expected,
            fix="return one score for each event, in the order of the events",
        )
    if scores.dtype.kind not in "fiub":
        return Problem(
            what=f"returned numbers of type {scores.dtype}", where=where, expected=expected
        )
    return None
