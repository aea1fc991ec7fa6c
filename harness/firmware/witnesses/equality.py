"""Scores of two computations compared event for event; one differing bit is a failure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.card.hardware import Agreement
from harness.errors import IntegrityError, Problem

# The witness that is ranked; the others are compared with it.
INTERPRETER = "da4ml's interpreter"


def compare(
    witnesses: tuple[str, str],
    ranked: NDArray[np.float64],
    others: Sequence[NDArray[np.float64]],
    events: NDArray[np.float32],
    *,
    is_independent: bool,
    note: str = "",
) -> Agreement:
    """Compare scores event for event.

    Parameters
    ----------
    witnesses : tuple of str
        Who computed them, the one that is ranked first.
    ranked : ndarray of float64, shape (n,)
        The scores that are ranked.
    others : sequence of ndarray of float64, shape (n,)
        The other witness's scores; more than one if it has several readings, of which any may
        agree.
    events : ndarray of float32, shape (n, n_inputs)
        For the message.
    is_independent : bool
        Whether the two share no code between the network and the score.
    note : str
        What else there is to know about the two.

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
        witnesses=witnesses,
        n_events=len(ranked),
        n_different=0,
        is_independent=is_independent,
        note=note,
    )


def _difference(
    witnesses: tuple[str, str],
    ranked: NDArray[np.float64],
    other: NDArray[np.float64],
    events: NDArray[np.float32],
    different: NDArray[np.int64],
) -> Problem:
    first = int(different[0])
    ranked_name, other_name = witnesses
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
