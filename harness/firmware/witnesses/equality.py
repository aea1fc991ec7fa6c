"""Which events the witnesses are compared on; one differing bit is a failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Agreement
from harness.errors import IntegrityError, Problem
from harness.submission.words import FixedPoint

__all__ = ["Witnesses", "choose_events", "compare", "extreme_events"]

# The highest-scoring share of events that every witness sees, and the lowest.
HIGHEST_SHARE = 0.01
LOWEST_SHARE = 0.001
N_RANDOM_EXTREMES = 1_000
# The choice of events is no secret: it must be the same each time.
_SEED = 20_210_800
# Integers of more bits than this are not exact in the float32 of events.
_EXACT_BITS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Witnesses:
    """Two computations of the scores of the same events.

    Attributes
    ----------
    names : tuple of str
        The one that is ranked first.
    is_independent : bool
        Whether the two share no code between the network and the score.
    """

    names: tuple[str, str]
    is_independent: bool
    note: str = ""


def choose_events(
    scores: NDArray[np.float64], n_events: int, must_include: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Choose events for a comparison: the highest scores, some of the lowest, the rest at random.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        Of all events, in no particular order of processes.
    n_events : int
        How many to choose; more if `must_include` asks for more.
    must_include : ndarray of int64, optional
        Events to choose in any case.

    Returns
    -------
    ndarray of int64
        Rising, without repetition.
    """
    n_all = len(scores)
    chosen = np.zeros(n_all, bool)
    if must_include is not None:
        chosen[must_include] = True
    order = np.argsort(scores, kind="stable")
    n_highest = min(max(1, round(HIGHEST_SHARE * n_all)), max(1, n_events // 2))
    chosen[order[n_all - n_highest :]] = True
    chosen[order[: min(round(LOWEST_SHARE * n_all), n_events // 10)]] = True
    missing = min(n_events, n_all) - int(chosen.sum())
    if missing > 0:
        others = np.flatnonzero(~chosen)
        generator = np.random.default_rng(_SEED)
        chosen[generator.choice(others, missing, replace=False)] = True
    return np.flatnonzero(chosen)


def extreme_events(
    formats: Sequence[FixedPoint], n_random: int = N_RANDOM_EXTREMES
) -> NDArray[np.float32]:
    """Make events at the edges of the input words, and anywhere in and beyond them.

    Parameters
    ----------
    formats : sequence of FixedPoint
        Word of each input; one of no bits is unused.
    n_random : int
        Events with every input anywhere in its word; and as many up to four times outside it.

    Returns
    -------
    ndarray of float32, shape (n, n_inputs)
        All zero; all lowest; all highest; each input alone at its lowest, at its highest and one
        step above; halfway between steps; and the random ones.
    """
    steps = np.array([form.step for form in formats])
    lowest = np.array([form.lowest if form.width else 0.0 for form in formats])
    highest = np.array([form.highest if form.width else 0.0 for form in formats])
    rows = [np.zeros_like(steps), lowest, highest, highest + steps, lowest - steps, steps / 2]
    used = [column for column, form in enumerate(formats) if form.width]
    rows += list(_one_at_a_time(used, lowest, highest, highest + steps))
    generator = np.random.default_rng(_SEED)
    n_steps = np.array([2.0 ** min(form.width, _EXACT_BITS) for form in formats])
    for reach in (1, 4):
        whole = np.floor(generator.random((n_random, len(steps))) * reach * n_steps)
        rows += list(reach * lowest + whole * steps)
    return np.asarray(rows, np.float32)


def _one_at_a_time(
    columns: Sequence[int], *values: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    for value in values:
        for column in columns:
            row = np.zeros_like(value)
            row[column] = value[column]
            yield row


def compare(
    witnesses: Witnesses,
    ranked: NDArray[np.float64],
    others: Sequence[NDArray[np.float64]],
    events: NDArray[np.float32],
) -> Agreement:
    """Compare scores event for event.

    Parameters
    ----------
    witnesses : Witnesses
        Who computed them.
    ranked : ndarray of float64, shape (n,)
        The scores that are ranked.
    others : sequence of ndarray of float64, shape (n,)
        The other witness's scores; more than one if it has more than one reading, any of which
        may agree.
    events : ndarray of float32, shape (n, n_inputs)
        For the message.

    Returns
    -------
    Agreement
        Always of no differing event.

    Raises
    ------
    IntegrityError
        Any score differs; the first such event is in the message.
    """
    agrees = np.zeros(len(ranked), bool)
    for other in others:
        agrees |= other == ranked
    different = np.flatnonzero(~agrees)
    if len(different):
        raise IntegrityError(_difference(witnesses, ranked, others[0], events, different))
    return Agreement(
        witnesses=witnesses.names,
        n_events=len(ranked),
        n_different=0,
        is_independent=witnesses.is_independent,
        note=witnesses.note,
    )


def _difference(
    witnesses: Witnesses,
    ranked: NDArray[np.float64],
    other: NDArray[np.float64],
    events: NDArray[np.float32],
    different: NDArray[np.int64],
) -> Problem:
    first = int(different[0])
    ranked_name, other_name = witnesses.names
    return Problem(
        what=(
            f"{len(different)} of {len(ranked)} scores differ between {ranked_name} and "
            f"{other_name}; first event {first}: {ranked[first]!r} and {other[first]!r}, "
            f"inputs {describe_event(events[first])}"
        ),
        where="firmware, equality of the witnesses",
        expected="the same score, bit for bit",
        fix="report this with the network: a translator or a tool computes something else",
    )


def describe_event(event: NDArray[np.float32], n_shown: int = 24) -> str:
    """Write the inputs of an event that are not zero, by position."""
    nonzero = np.flatnonzero(event)
    shown = ", ".join(f"{index}: {float(event[index])!r}" for index in nonzero[:n_shown])
    more = f", and {len(nonzero) - n_shown} more" if len(nonzero) > n_shown else ""
    return f"{{{shown}{more}}}"
