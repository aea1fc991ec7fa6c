"""Integrity of a network's scores: each depends on its own event, and on nothing else.

A network is data, and its graph shows that no operation mixes events; see
`harness.submission.independence`. This is the test of it: a sample of the scored events is scored
again in one fresh process, in several ways: in batches of another size, once more, in another
order, a half of it, background alone, and each event by itself. Every score must come out as it did
among all events. What is code, in the open division, is scored in shards instead
(`harness.scoring.shards`). The variants of `harness.scoring.symmetry` follow as diagnostics.

The events of the sample are drawn at random, together with those of the highest scores, which
alone decide the TPR at small rates, and the one of the lowest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.card.checks import Check
from harness.card.physics import WorkingPoint
from harness.challenge import EventLayout, events_within
from harness.data.mix import Mixture
from harness.errors import InvalidSubmissionError, SubmissionError
from harness.files import fast_digest
from harness.metrics.consistency import Batches, Unit, compare_scores
from harness.scoring.symmetry import (
    describe_variant,
    not_scored,
    symmetric_variants,
    unmade_variants,
)
from harness.submission.events import Events, save_events

# In so many ways events are scored again, at most: six that must give the same, three symmetries.
MAX_VARIANTS = 9
# Share of the compared events that are those of the highest scores.
_TOP_SHARE = 0.25
# Events at once in the comparisons: another batch size than any scoring's, and one that makes
# twenty batches of the compared events, the least from which a leak below the rounding shows.
OTHER_BATCH = 997


# The same for large events, in bytes: 13 images of 288 x 360 x 3.
_OTHER_BYTES = 2**24


def other_batch(layout: EventLayout) -> int:
    """Return how many events are scored at once in the comparisons: an odd number.

    Examples
    --------
    >>> from harness.challenge import ImageLayout
    >>> other_batch(ImageLayout(height=288, width=360, channels=("a", "b", "c")))
    13
    """
    return min(OTHER_BATCH, events_within(_OTHER_BYTES, layout.shape) | 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events to be scored in one go.

    Attributes
    ----------
    events : Path
        Their form: `harness.submission.events`.
    n_events : int
        Events in the file.
    at_once : int
        Events that the scorer is given at once.
    """

    events: Path
    n_events: int
    at_once: int


class ScoreBatches(Protocol):
    """Scores batches one after the other in one fresh sandboxed process."""

    def __call__(self, batches: Sequence[Batch]) -> Sequence[NDArray[np.float64]]:
        """Return the scores of each batch, shape (n_events,); higher = more anomalous."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How many events each check takes.

    Attributes
    ----------
    compared : int
        Events of each comparison but the last.
    alone : int
        Events that are scored one by one.
    turned : int
        Most events of each signal whose symmetric variants are scored.
    turned_at_once : int
        Events at once of these; a network is compiled for each number of events at once,
        other scorers are faster with many.
    other_batch : int
        Events at once in the other comparisons; see `other_batch`.
    """

    compared: int = 20_000
    alone: int = 64
    turned: int = 40_000
    turned_at_once: int = OTHER_BATCH
    other_batch: int = OTHER_BATCH

    @classmethod
    def within(
        cls,
        seconds: float,
        *,
        events_per_s: float,
        n_signals: int = 4,
        turned_at_once: int = OTHER_BATCH,
        most_turned: int = 40_000,
        other_batch: int = OTHER_BATCH,
    ) -> Sizes:
        """Return the sizes that a scorer of this speed does in about `seconds`.

        Never more than the default sizes, never fewer than 5,000 compared events.

        Examples
        --------
        >>> Sizes.within(2.0, events_per_s=1e6) == Sizes()
        True
        >>> Sizes.within(2.0, events_per_s=116_000.0).compared
        8000
        >>> Sizes.within(2.0, events_per_s=116_000.0, n_signals=1).compared
        20000
        """
        # Five comparisons, and three symmetries of each signal with twice as many events.
        share = round(seconds * events_per_s / (5 + 3 * n_signals * 2))
        compared = max(5_000, min(cls().compared, share))
        return cls(
            compared=compared,
            turned=min(2 * compared, most_turned),
            turned_at_once=turned_at_once,
            other_batch=other_batch,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What was scored, and what came of it.

    Attributes
    ----------
    mixture : Mixture
        The events.
    scores : float64 array, shape (n_events,)
        Score of each row of the mixture.
    background : tuple of str
        Processes that are background.
    at_once : int
        Events that the scorer was given at once, in the order of the rows.
    """

    mixture: Mixture
    scores: NDArray[np.float64]
    background: tuple[str, ...]
    at_once: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Variant:
    """One way in which events are scored again: rows of the mixture, in the order of its file."""

    name: str
    rows: NDArray[np.int64]
    batch: Batch


def check_integrity(
    scored: Scored,
    *,
    digest: str,
    layout: EventLayout,
    points: Sequence[WorkingPoint],
    score: ScoreBatches,
    folder: Path,
    generator: np.random.Generator,
    sizes: Sizes | None = None,
) -> tuple[Check, ...]:
    """Score a sample again in other ways and say what changed.

    Parameters
    ----------
    scored : Scored
        The events and their scores.
    digest : str
        `harness.files.fast_digest` of the mixture, made before it was scored.
    layout : EventLayout
        Which features are phi and eta; a symmetry of a missing one is left out.
    points : sequence of WorkingPoint
        The cuts that were reached, which the same events must pass again; at the first the TPR of
        the symmetric variants is reported.
    score : ScoreBatches
        Scores batches in one fresh sandboxed process; called once, or twice if the symmetric
        variants make it fail.
    folder : Path
        Where the variants are written; about 90 MB at the default sizes.
    generator : numpy.random.Generator
        Draws the sample; to be unforeseeable it must be seeded from the operating system.
    sizes : Sizes, optional
        How many events each check takes.

    Returns
    -------
    tuple of Check
        ``input``, ``batch_size``, ``repeat``, ``order``, ``subset``, ``background_alone``,
        ``alone`` and the diagnostics ``phi_rotation``, ``eta_flip`` and ``pt_shift``; one that
        cannot be made says why. An outcome ``leak`` disqualifies the entry: that is the
        caller's to decide.

    Raises
    ------
    HarnessError
        Whatever `score` raises on the variants that are to give the same scores.
    """
    sizes = sizes or Sizes()
    again = list(_rescorings(scored, folder, generator, sizes))
    changed, turned = [], []
    for one in symmetric_variants(
        scored.mixture, scored.background, generator, sizes.turned, layout=layout
    ):
        turned.append(_write(folder, one.name, one.events, one.rows, sizes.turned_at_once))
        # Its events are in the file.
        changed.append(replace(one, events=one.events[:0]))
    answers, reason = _score_all(score, again, turned)
    diagnostics = [
        describe_variant(one, scored.mixture, scored.scores, answer, points)
        for one, answer in zip(changed, answers[len(again) :])
    ]
    failed = [] if reason is None else [not_scored(one.name, reason) for one in changed]
    is_same = fast_digest(scored.mixture.path) == digest
    return (
        check_input(scored.mixture.n_events, is_same=is_same),
        *_compare_all(scored, again, answers, points),
        *diagnostics,
        *failed,
        *unmade_variants(layout),
    )


def _compare_all(
    scored: Scored,
    again: Sequence[_Variant],
    answers: Sequence[NDArray[np.float64]],
    points: Sequence[WorkingPoint],
) -> list[Check]:
    """Compare what must have the same scores; further answers are of other variants."""
    unit = Unit.of(scored.scores)
    return [
        _compare(scored, variant, answer, unit, points) for variant, answer in zip(again, answers)
    ]


def _score_all(
    score: ScoreBatches, again: Sequence[_Variant], turned: Sequence[_Variant]
) -> tuple[Sequence[NDArray[np.float64]], str | None]:
    """Score all variants in one process, or else those that decide, with the reason."""
    try:
        return score([variant.batch for variant in (*again, *turned)]), None
    except (InvalidSubmissionError, SubmissionError) as error:
        if not turned:
            raise
        return score([variant.batch for variant in again]), error.problems[0].what


# --- which events, and how ---------------------------------------------------------------------


def _rescorings(
    scored: Scored, folder: Path, generator: np.random.Generator, sizes: Sizes
) -> Iterator[_Variant]:
    """Make the variants that must give the same scores; the first is the process's first work."""
    other = sizes.other_batch
    every = np.arange(len(scored.scores))
    rows = _draw(scored, every, sizes.compared, generator)
    batches = _write(folder, "batch_size", scored.mixture.gather(rows), rows, other)
    yield batches
    yield replace(batches, name="repeat")
    order = generator.permutation(rows)
    yield _write(folder, "order", scored.mixture.gather(order), order, other)
    half = _draw(scored, rows, (len(rows) + 1) // 2, generator)
    yield _write(folder, "subset", scored.mixture.gather(half), half, other)
    background = np.sort(np.concatenate([scored.mixture.rows[name] for name in scored.background]))
    alone = _draw(scored, background, sizes.compared, generator)
    # Events that all have one score are refused as a broken network's; here that may be right.
    if np.ptp(scored.scores[alone]) > 0:
        yield _write(folder, "background_alone", scored.mixture.gather(alone), alone, other)
    few = _draw(scored, rows, sizes.alone, generator)
    yield _write(folder, "alone", scored.mixture.gather(few), few, 1)


def _draw(
    scored: Scored, among: NDArray[np.int64], n_events: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw rows: those of the highest scores, the lowest, and the rest at random; rising."""
    if len(among) <= n_events:
        return among
    scores = scored.scores[among]
    n_top = max(1, round(_TOP_SHARE * n_events))
    by_score = np.argpartition(scores, (0, len(scores) - n_top))
    extremes = np.append(by_score[-n_top:], by_score[0])
    rest = by_score[1:-n_top]
    random = generator.choice(rest, size=n_events - len(extremes), replace=False, shuffle=False)
    return np.sort(among[np.concatenate([extremes, random])])


def _write(
    folder: Path, name: str, events: Events, rows: NDArray[np.int64], at_once: int
) -> _Variant:
    """Write the events of a variant."""
    path = folder / f"{name}.npy"
    save_events(path, events)
    batch = Batch(events=path, n_events=len(rows), at_once=at_once)
    return _Variant(name=name, rows=rows, batch=batch)


# --- what came of it ---------------------------------------------------------------------------


def check_input(n_events: int, *, is_same: bool) -> Check:
    """Say whether the events are still what they were before they were scored."""
    return Check(
        name="input",
        outcome="same" if is_same else "leak",
        n_events=n_events,
        max_difference=0.0,
        detail="" if is_same else "the file of events was changed while it was scored",
    )


def _compare(
    scored: Scored,
    variant: _Variant,
    scores: NDArray[np.float64],
    unit: Unit,
    points: Sequence[WorkingPoint],
) -> Check:
    """Compare scores with those of the same events among all events."""
    batches = Batches(
        reference=variant.rows // scored.at_once,
        other=np.arange(len(variant.rows)) // variant.batch.at_once,
    )
    before = scored.scores[variant.rows]
    return compare_scores(variant.name, before, scores, unit=unit, batches=batches, points=points)
