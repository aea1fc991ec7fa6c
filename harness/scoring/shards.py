"""Scores of the open division: from shards, so that no score can depend on other events unseen.

The code of an entry of the open division sees the events that it scores. Whether a score looks at
other events can't be asked of it afterwards, in a process that looks like a check. So there is no
such process: the official scores come from shards, each scored in a fresh sandbox. Which events
are in a shard, how many, and how many of each signal, is drawn at random. A few thousand events,
the sentinels, are in every shard, and nothing tells them from the others. The events of the highest
scores are scored once more in further shards, which also hold the symmetric variants of signal
events. Every score that was made twice must come out alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.card.checks import Check
from harness.card.physics import WorkingPoint
from harness.challenge import ADC2021_BYTES, events_within
from harness.data.mix import Mixture
from harness.errors import InvalidSubmissionError
from harness.files import fast_digest
from harness.metrics.consistency import Unit, compare_scores
from harness.scoring.integrity import check_input
from harness.submission.events import Events, joined, save_events, taken
from harness.submission.survey import constant_problem

# Shards are of this many events or more, and at most and at least so many.
_SHARD_EVENTS = 50_000
MIN_SHARDS, MAX_SHARDS = 4, 16
# Events that are in every shard, and at most this share of a shard.
N_SENTINELS = 4_096
_SENTINEL_SHARE = 0.25
# Events of the highest scores that are scored once more.
N_HIGHEST = 8_192
# Events that the plugin is given at once, drawn for each shard.
_LEAST_AT_ONCE, _MOST_AT_ONCE = 2**10, 2**16
# How evenly the events of a signal spread over the shards (a Dirichlet distribution): at this
# value a few shards hold most of them.
_CONCENTRATION = 0.5


class ScoreShard(Protocol):
    """Scores a file of events in a fresh sandboxed process."""

    def __call__(self, events: Path, n_events: int, at_once: int) -> NDArray[np.float64]:
        """Return the score of each event, shape (n_events,); higher = more anomalous."""
        ...


@dataclass(kw_only=True, slots=True)
class Shards:
    """Scores events in shards, each with all sentinels.

    Attributes
    ----------
    mixture : Mixture
        The events.
    background : tuple of str
        Processes that are background.
    score : ScoreShard
        Scores one shard.
    folder : Path
        Where the shards are written, one at a time.
    generator : numpy.random.Generator
        Draws the shards; to be unforeseeable it must be seeded from the operating system.
    sentinels : int64 array
        Rows of the mixture that are in every shard.
    again : list of (int64 array, float64 array)
        Rows that were scored in company other than their own shard's, and these scores.
    """

    mixture: Mixture
    background: tuple[str, ...]
    score: ScoreShard
    folder: Path
    generator: np.random.Generator
    sentinels: NDArray[np.int64]
    again: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)
    is_input_same: bool = True

    @classmethod
    def draw(
        cls,
        mixture: Mixture,
        background: tuple[str, ...],
        score: ScoreShard,
        folder: Path,
        generator: np.random.Generator,
    ) -> Shards:
        """Draw the sentinels among all events."""
        n_events = mixture.n_events
        n_sentinels = min(N_SENTINELS, round(_SENTINEL_SHARE * n_events / _count(n_events)))
        sentinels = np.sort(generator.choice(n_events, n_sentinels, replace=False))
        return cls(
            mixture=mixture,
            background=background,
            score=score,
            folder=folder,
            generator=generator,
            sentinels=sentinels,
        )

    @property
    def n_shards(self) -> int:
        """Shards of the official scores."""
        return _count(self.mixture.n_events)

    def score_all(self, tell: Callable[[int], None] = lambda _: None) -> NDArray[np.float64]:
        """Score every event once, in its own shard.

        Parameters
        ----------
        tell : callable
            Receives the number of events that have their score.

        Returns
        -------
        float64 array, shape (n_events,)
            Score of each row of the mixture.

        Raises
        ------
        InvalidSubmissionError
            All scores are the same.
        """
        shard_of = self._draw_shards()
        scores = np.empty(self.mixture.n_events)
        n_done = 0
        for shard in range(self.n_shards):
            rows = np.flatnonzero(shard_of == shard)
            scores[rows] = self._score(self.mixture.gather(rows), rows)
            n_done += len(rows)
            tell(n_done)
        if np.ptp(scores) == 0.0:
            raise InvalidSubmissionError(constant_problem(len(scores), scores[0]))
        return scores

    def score_again(
        self, scores: NDArray[np.float64], others: Sequence[Events]
    ) -> list[NDArray[np.float64]]:
        """Score the events of the highest scores once more, and other events, in further shards.

        Parameters
        ----------
        scores : float64 array, shape (n_events,)
            What `score_all` returned.
        others : sequence of float32 array or SparseEvents, shape (n, *layout.shape)
            Events that are not of the mixture.

        Returns
        -------
        list of float64 array, shape (n,)
            Scores of `others`.
        """
        n_highest = min(N_HIGHEST, len(scores))
        highest = np.argpartition(scores, len(scores) - n_highest)[-n_highest:]
        strangers = joined([self.mixture.gather(highest[:0]), *others])
        found = np.empty(len(strangers))
        size = len(scores) / self.n_shards
        n_parts = max(1, round((n_highest + len(strangers)) / size))
        for rows, chosen in zip(
            self._split(highest, n_parts), self._split(np.arange(len(strangers)), n_parts)
        ):
            filled = self._fill(rows, round(size * self.generator.uniform(0.5, 1.5)) - len(chosen))
            events = joined([self.mixture.gather(filled), taken(strangers, chosen)])
            scored = self._score(events, filled)
            self.again.append((filled, scored[: len(filled)]))
            found[chosen] = scored[len(filled) :]
        return np.split(found, np.cumsum([len(events) for events in others])[:-1])

    def compare(
        self, scores: NDArray[np.float64], points: Sequence[WorkingPoint]
    ) -> tuple[Check, ...]:
        """Compare every score that was made again with the official one.

        Returns
        -------
        tuple of Check
            ``input``; ``sentinels``, of the events of every shard; and ``highest``, of all others
            that were scored again, those of the highest scores among them.
        """
        rows = np.concatenate([rows for rows, _ in self.again])
        found = np.concatenate([found for _, found in self.again])
        is_sentinel = np.isin(rows, self.sentinels)
        unit = Unit.of(scores)
        compared = [
            compare_scores(
                name,
                scores[rows[chosen]],
                found[chosen],
                unit=unit,
                points=points,
                events=rows[chosen],
            )
            for name, chosen in (("sentinels", is_sentinel), ("highest", ~is_sentinel))
        ]
        return (check_input(self.mixture.n_events, is_same=self.is_input_same), *compared)

    def _draw_shards(self) -> NDArray[np.int64]:
        """Draw the shard of each row; each signal is missing in one and frequent in a few."""
        shard_of = np.empty(self.mixture.n_events, np.int64)
        for process, rows in self.mixture.rows.items():
            if process in self.background:
                weights = self.generator.uniform(0.5, 1.5, self.n_shards)
            else:
                weights = self.generator.dirichlet(np.full(self.n_shards, _CONCENTRATION))
                weights[self.generator.integers(self.n_shards)] = 0.0
            chosen = self.generator.choice(self.n_shards, size=len(rows), p=weights / weights.sum())
            shard_of[rows] = chosen
        return shard_of

    def _split(self, values: NDArray[np.int64], n_parts: int) -> Sequence[NDArray[np.int64]]:
        return np.array_split(self.generator.permutation(values), n_parts)

    def _fill(self, rows: NDArray[np.int64], n_events: int) -> NDArray[np.int64]:
        """Add random background to `rows` until there are `n_events` of them."""
        background = np.concatenate([self.mixture.rows[name] for name in self.background])
        others = np.setdiff1d(background, rows, assume_unique=True)
        n_more = min(max(0, n_events - len(rows)), len(others))
        return np.concatenate([rows, self.generator.choice(others, n_more, replace=False)])

    def _score(self, events: Events, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Score one shard: `events`, of which the first are those at `rows`, and the sentinels."""
        sentinels = np.setdiff1d(self.sentinels, rows, assume_unique=True)
        together = joined([events, self.mixture.gather(sentinels)])
        order = self.generator.permutation(len(together))
        path = self.folder / "shard.npy"
        save_events(path, taken(together, order))
        within = events_within(_MOST_AT_ONCE * ADC2021_BYTES, events.shape[1:])
        most = max(_LEAST_AT_ONCE, min(_MOST_AT_ONCE, within))
        at_once = round(2 ** self.generator.uniform(np.log2(_LEAST_AT_ONCE), np.log2(most)))
        digest = fast_digest(path)
        scores = np.empty(len(together))
        scores[order] = self.score(path, len(together), at_once)
        self.is_input_same &= fast_digest(path) == digest
        path.unlink()
        self.again.append((sentinels, scores[len(events) :]))
        return scores[: len(events)]


def _count(n_events: int) -> int:
    """Return in how many shards so many events are scored."""
    return min(MAX_SHARDS, max(MIN_SHARDS, n_events // _SHARD_EVENTS))
