"""Integrity of the scores: each depends on its own event, and on nothing else.

A sample of the scored events is scored again in one fresh process, in several ways: in batches of
another size, once more, in another order, a half of it, background alone, and each event by itself.
Every score must come out as it did among all events. Two symmetries of the detector follow as
diagnostics: events turned in phi and mirrored in eta are new to a model that has memorised the
test events, and mean the same physics.

The events of the sample are drawn at random, together with those of the highest scores, which
alone decide the TPR at small rates, and the one of the lowest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from harness.card.records import Check, WorkingPoint
from harness.challenge import EventLayout
from harness.data.mix import Mixture, flip_eta, rotate_phi
from harness.errors import InvalidSubmissionError, SubmissionError
from harness.metrics.accepted import passing
from harness.metrics.consistency import Batches, compare_scores, describe_change

# Share of the compared events that are those of the highest scores.
_TOP_SHARE = 0.25
# Events at once in the comparisons: another batch size than any scoring's, and one that makes
# twenty batches of the compared events, the least from which a leak below the rounding shows.
OTHER_BATCH = 997
_BLOCK_BYTES = 8 * 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events to be scored in one go.

    Attributes
    ----------
    events : Path
        .npy, float32, shape (n_events, n_objects, n_features).
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
    """

    compared: int = 20_000
    alone: int = 64
    turned: int = 40_000
    turned_at_once: int = OTHER_BATCH

    @classmethod
    def within(
        cls, seconds: float, *, events_per_s: float, turned_at_once: int = OTHER_BATCH
    ) -> Sizes:
        """Return the sizes that a scorer of this speed does in about `seconds`.

        Never more than the default sizes, never fewer than 500 compared events.

        Examples
        --------
        >>> Sizes.within(2.0, events_per_s=1e6) == Sizes()
        True
        >>> Sizes.within(2.0, events_per_s=16_800.0).compared
        1600
        """
        # Five comparisons, and two symmetries of four signals with twice as many events each.
        share = round(seconds * events_per_s / (5 + 2 * 4 * 2))
        compared = max(500, min(cls().compared, share))
        return cls(compared=compared, turned=2 * compared, turned_at_once=turned_at_once)


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

    @classmethod
    def gather(
        cls,
        mixture: Mixture,
        scores: Mapping[str, NDArray[np.float64]],
        *,
        background: Sequence[str],
        at_once: int,
    ) -> Scored:
        """Bring the scores of the processes back to the rows of the mixture."""
        return cls(
            mixture=mixture,
            scores=mixture.join(scores),
            background=tuple(background),
            at_once=at_once,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Variant:
    """One way in which events are scored again: rows of the mixture, in the order of its file."""

    name: str
    rows: NDArray[np.int64]
    batch: Batch


def digest_events(path: Path) -> str:
    """Return the BLAKE3 digest of a file of events, in hexadecimal."""
    # Read, not mapped: a map that is read through counts as resident memory to its end.
    digest = blake3(max_threads=blake3.AUTO)
    block = memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while n_bytes := file.readinto(block):
            digest.update(block[:n_bytes])
    return digest.hexdigest()


def check_integrity(
    scored: Scored,
    *,
    digest: str,
    layout: EventLayout,
    working_point: WorkingPoint | None,
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
        `digest_events` of the mixture, made before it was scored.
    layout : EventLayout
        Which features are phi and eta; a symmetry of a missing one is left out.
    working_point : WorkingPoint or None
        The cut at which the symmetric variants' TPR is reported; None if it was not reached.
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
        ``alone`` and the diagnostics ``phi_rotation`` and ``eta_flip``; one that cannot be made
        is missing. An outcome ``leak`` disqualifies the entry: that is the caller's to decide.

    Raises
    ------
    HarnessError
        Whatever `score` raises on the variants that are to give the same scores.
    """
    sizes = sizes or Sizes()
    again = list(_rescorings(scored, folder, generator, sizes))
    turned = list(_symmetries(scored, folder, generator, sizes, layout.features))
    answers, reason = _score_all(score, again, turned)
    same = [_compare(scored, variant, answer) for variant, answer in zip(again, answers)]
    diagnostics = [
        _diagnose(scored, variant, answer, working_point)
        for variant, answer in zip(turned, answers[len(again) :])
    ]
    failed = [] if reason is None else [_not_scored(variant, reason) for variant in turned]
    return (_check_input(scored.mixture, digest), *same, *diagnostics, *failed)


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
    every = np.arange(len(scored.scores))
    rows = _draw(scored, every, sizes.compared, generator)
    batches = _write(folder, "batch_size", scored.mixture.gather(rows), rows, OTHER_BATCH)
    yield batches
    yield replace(batches, name="repeat")
    order = generator.permutation(rows)
    yield _write(folder, "order", scored.mixture.gather(order), order, OTHER_BATCH)
    half = _draw(scored, rows, (len(rows) + 1) // 2, generator)
    yield _write(folder, "subset", scored.mixture.gather(half), half, OTHER_BATCH)
    background = np.sort(np.concatenate([scored.mixture.rows[name] for name in scored.background]))
    alone = _draw(scored, background, sizes.compared, generator)
    # Events that all have one score are refused as a broken network's; here that may be right.
    if np.ptp(scored.scores[alone]) > 0:
        yield _write(folder, "background_alone", scored.mixture.gather(alone), alone, OTHER_BATCH)
    few = _draw(scored, rows, sizes.alone, generator)
    yield _write(folder, "alone", scored.mixture.gather(few), few, 1)


def _symmetries(
    scored: Scored,
    folder: Path,
    generator: np.random.Generator,
    sizes: Sizes,
    features: tuple[str, ...],
) -> Iterator[_Variant]:
    """Make the symmetric variants of signal events, drawn at random."""
    signals = [name for name in scored.mixture.processes if name not in scored.background]
    if not signals:
        return
    rows = np.sort(
        np.concatenate(
            [generator.permutation(scored.mixture.rows[name])[: sizes.turned] for name in signals]
        )
    )
    given = scored.mixture.gather(rows)
    if {"pt", "phi"} <= set(features):
        turned = rotate_phi(given, generator, features=features)
        yield _write(folder, "phi_rotation", turned, rows, sizes.turned_at_once)
    if "eta" in features:
        flipped = flip_eta(given, features=features)
        yield _write(folder, "eta_flip", flipped, rows, sizes.turned_at_once)


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
    folder: Path, name: str, events: NDArray[np.float32], rows: NDArray[np.int64], at_once: int
) -> _Variant:
    """Write the events of a variant."""
    path = folder / f"{name}.npy"
    np.save(path, np.ascontiguousarray(events, dtype="<f4"), allow_pickle=False)
    batch = Batch(events=path, n_events=len(rows), at_once=at_once)
    return _Variant(name=name, rows=rows, batch=batch)


# --- what came of it ---------------------------------------------------------------------------


def _check_input(mixture: Mixture, digest: str) -> Check:
    """Say whether the events are still what they were before they were scored."""
    is_same = digest_events(mixture.path) == digest
    return Check(
        name="input",
        outcome="same" if is_same else "leak",
        n_events=mixture.n_events,
        max_difference=0.0,
        detail="" if is_same else "the file of events was changed while it was scored",
    )


def _compare(scored: Scored, variant: _Variant, scores: NDArray[np.float64]) -> Check:
    """Compare scores with those of the same events among all events."""
    batches = Batches(
        reference=variant.rows // scored.at_once,
        other=np.arange(len(variant.rows)) // variant.batch.at_once,
    )
    before = scored.scores[variant.rows]
    return compare_scores(variant.name, before, scores, batches=batches)


def _diagnose(
    scored: Scored,
    variant: _Variant,
    scores: NDArray[np.float64],
    working_point: WorkingPoint | None,
) -> Check:
    """Say how far a symmetry changes the scores, and the TPR of each signal."""
    before = scored.scores[variant.rows]
    change = describe_change(variant.name, before, scores)
    rates = _rates(scored, variant, before, scores, working_point)
    return change.model_copy(update={"detail": f"{rates}; {change.detail}"})


def _rates(
    scored: Scored,
    variant: _Variant,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    working_point: WorkingPoint | None,
) -> str:
    """Give the TPR of each signal before and after, on the same events."""
    if working_point is None:
        return "TPR: the working point was not reached"
    labels = scored.mixture.labels()[variant.rows]
    rates_of = []
    for code, name in enumerate(scored.mixture.processes):
        is_its = labels == code
        if is_its.any():
            rates = [
                100 * np.mean(passing(scores[is_its], working_point)) for scores in (before, after)
            ]
            rates_of.append(f"{name} {rates[0]:.3g} -> {rates[1]:.3g} %")
    return f"TPR at FPR {working_point.fpr:g}, before -> after: {', '.join(rates_of)}"


def _not_scored(variant: _Variant, reason: str) -> Check:
    """Stand for a diagnostic that could not be made."""
    return Check(
        name=variant.name,
        outcome="diagnostic",
        n_events=0,
        max_difference=0.0,
        detail=f"these events could not be scored: {reason}"[:1000],
    )
