"""What is wrong with the scores of events, collected chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class ScoreSurvey:
    """Looks at the scores of `n_events` events, one chunk after the other."""

    n_events: int
    may_be_constant: bool
    dtype: str = ""
    lowest: float = np.inf
    highest: float = -np.inf
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, scores: NDArray[np.generic], events: NDArray[np.float32], start: int) -> None:
        """Look at the scores of `events`, the first of which is number `start`."""
        values = scores.astype(np.float64)
        self.dtype = str(scores.dtype)
        if np.isfinite(values).all():
            self.lowest = min(self.lowest, float(values.min()))
            self.highest = max(self.highest, float(values.max()))
            return
        for kind, is_bad in (("NaN", np.isnan(values)), ("infinite", np.isinf(values))):
            if is_bad.any():
                index = int(np.argmax(is_bad))
                self.counts[kind] = self.counts.get(kind, 0) + int(is_bad.sum())
                self.first.setdefault(kind, _describe_event(events[index], start + index))

    def problems(self) -> list[Problem]:
        """Return what is wrong, empty if nothing is."""
        return [*self._not_finite()] or [*self._constant()]

    def _not_finite(self) -> Iterator[Problem]:
        for kind, count in sorted(self.counts.items()):
            yield Problem(
                what=f"the score of {count} of {self.n_events} events is {kind}; the first is "
                f"{self.first[kind]}",
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


def _remedy(kind: str, dtype: str) -> str:
    if dtype == "float16":
        return "the output is float16, which ends at 65,504: compute the score in float32"
    if kind == "NaN":
        return "look for 0/0, the logarithm of 0 and infinity minus infinity, for empty objects too"
    return "keep the scale of the inputs in the network, and look for division by 0 and exp"


def _describe_event(event: NDArray[np.float32], index: int) -> str:
    n_objects = int(np.count_nonzero(np.any(event != 0, axis=1)))
    largest = float(np.max(np.abs(event)))
    return f"event {index} ({n_objects} objects, largest value {largest:.6g})"
