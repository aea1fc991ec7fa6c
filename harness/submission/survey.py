"""What is wrong with the scores of events, collected chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.submission.events import Events


# Events that a message names.
_MAX_NAMED = 5
# What is no finite score, where it usually comes from, and what to do about it.
_REMEDIES = {
    "NaN": "usually 0/0, infinity minus infinity, or the root or logarithm of a negative number; "
    "an object that is not there is all zeros. Add a small number to a divisor, and take "
    "maximum(x, 0) before a root",
    "+inf": "usually a division by 0, or exp or a power of a large number. Add a small number to a "
    "divisor, limit what goes into exp, and scale the inputs in the network",
    "-inf": "usually the logarithm of 0; an object that is not there is all zeros. Take the "
    "logarithm of maximum(x, 1e-6) or of 1 + x",
}


@dataclass(slots=True)
class ScoreSurvey:
    """Looks at the scores of `n_events` events, one chunk after the other."""

    n_events: int
    may_be_constant: bool
    dtype: str = ""
    lowest: float = np.inf
    highest: float = -np.inf
    events: dict[str, list[int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, scores: NDArray[np.generic], events: Events, chunk: slice) -> None:
        """Look at the scores of a chunk of all `events`."""
        values = scores.astype(np.float64)
        self.dtype = str(scores.dtype)
        if np.isfinite(values).all():
            self.lowest = min(self.lowest, float(values.min()))
            self.highest = max(self.highest, float(values.max()))
            return
        for kind in _REMEDIES:
            (indices,) = np.nonzero(_is_of_kind(kind, values))
            if len(indices):
                self.counts[kind] = self.counts.get(kind, 0) + len(indices)
                self.first.setdefault(kind, _describe_event(events[chunk.start + int(indices[0])]))
                named = self.events.setdefault(kind, [])
                named.extend(int(chunk.start + one) for one in indices[: _MAX_NAMED - len(named)])

    def problems(self) -> list[Problem]:
        """Return what is wrong, empty if nothing is."""
        return [*self._not_finite()] or [*self._constant()]

    def _not_finite(self) -> Iterator[Problem]:
        for kind in filter(self.counts.get, _REMEDIES):
            count = self.counts[kind]
            named = ", ".join(f"{index:,}" for index in self.events[kind])
            more = ", ..." if count > len(self.events[kind]) else ""
            yield Problem(
                what=f"the score of {count:,} of {self.n_events:,} events is {kind}: "
                f"event{'s' if count > 1 else ''} {named}{more}; the first {self.first[kind]}",
                where="scores",
                expected="finite scores",
                fix=_remedy(kind, self.dtype),
            )

    def _constant(self) -> Iterator[Problem]:
        if self.n_events > 1 and self.lowest == self.highest and not self.may_be_constant:
            yield constant_problem(self.n_events, self.lowest)


def constant_problem(n_events: int, score: float) -> Problem:
    """Return what is wrong with the same score for every event."""
    return Problem(
        what=f"all {n_events} events have the score {score:g}",
        where="scores",
        expected="scores that differ",
        fix="load the trained weights; check that no quantiser has lost all its bits",
    )


def _is_of_kind(kind: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    if kind == "NaN":
        return np.isnan(values)
    return np.isposinf(values) if kind == "+inf" else np.isneginf(values)


def _remedy(kind: str, dtype: str) -> str:
    if dtype == "float16":
        return "the output is float16, which ends at 65,504: compute the score in float32"
    return _REMEDIES[kind]


def _describe_event(event: NDArray[np.float32]) -> str:
    n_filled = int(np.count_nonzero(np.any(event != 0, axis=-1)))
    what = "objects" if event.ndim == 2 else "filled pixels"
    largest = float(np.max(np.abs(event)))
    return f"has {n_filled} {what} and the largest value {largest:.6g}"
