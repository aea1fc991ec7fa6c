"""Reading the scores that a sandbox wrote: the only thing that decides a ranking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InvalidSubmissionError
from harness.files import open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BYTES_PER_SCORE = 8


def read_scores(path: Path, n_events: int) -> NDArray[np.float64]:
    """Read exactly `n_events` little-endian float64 from a regular file.

    Parameters
    ----------
    path : Path
        What a step wrote.
    n_events : int
        How many scores there must be.

    Returns
    -------
    ndarray of float64, shape (n_events,)
        Finite, a copy; higher = more anomalous. Minus zero is read as zero, so that equal scores
        have equal bits; subnormal numbers are kept.

    Raises
    ------
    InvalidSubmissionError
        The file is no regular file, has another length, or holds a score that is not finite.
    """
    import numpy as np

    data = _read_exactly(path, BYTES_PER_SCORE * n_events)
    scores = np.frombuffer(data, dtype="<f8").astype(np.float64)
    is_bad = ~np.isfinite(scores)
    if is_bad.any():
        first = scores[int(np.argmax(is_bad))]
        what = f"{int(is_bad.sum()):,} scores are not finite, the first {first}"
        raise _invalid(path, what, "finite scores")
    return scores + 0.0


def _read_exactly(path: Path, n_bytes: int) -> bytes:
    try:
        file = open_regular(path, may_be_link=False)
    except OSError as error:
        raise _invalid(path, f"cannot be opened: {error.strerror}", "a regular file") from error
    with file:
        there = os.fstat(file.fileno()).st_size
        if there != n_bytes:
            raise _invalid(path, f"has {there:,} bytes", f"{n_bytes:,} bytes")
        data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise _invalid(path, f"ended after {len(data):,} bytes", f"{n_bytes:,} bytes")
    return data


def _invalid(path: Path, what: str, expected: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(what, where=path.name, expected=expected)
