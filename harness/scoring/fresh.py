"""Events that nobody has seen: simulated for this scoring, at the thresholds of the others.

The published test events are public. A network that knows them by heart passes every check that
scores them again; it has no answer to events of the same recipe with another seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.card.checks import ChangedRate, Check
from harness.card.physics import WorkingPoint
from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.unpack import unpack_events
from harness.errors import DataError
from harness.metrics.accepted import passing
from harness.metrics.intervals import difference_of_shares
from harness.scoring.stress import ScoreFile

NAME = "fresh_events"
# Warned of: a difference that four signals of one honest entry show once in a thousand scorings.
_LEVEL = 0.9995


def find_fresh(challenge: Challenge, folder: Path) -> dict[str, Path]:
    """Return the file of fresh events of each signal that `folder` has: ``<process>.h5``.

    Raises
    ------
    DataError
        There is none, or one is no file of the challenge's layout.
    """
    found = {name: path for name in challenge.signals if (path := folder / f"{name}.h5").is_file()}
    if not found:
        expected = ", ".join(f"{name}.h5" for name in challenge.processes("signal"))
        raise DataError(
            "there is no file of fresh events",
            where=str(folder),
            expected=f"one of {expected}",
            fix="make them with another seed: harness simulate --help",
        )
    for path in found.values():
        hdf5.count_events(path, challenge.layout)
    return found


def compare_fresh(
    challenge: Challenge,
    files: Mapping[str, Path],
    point: WorkingPoint,
    *,
    score: ScoreFile,
    folder: Path,
) -> tuple[Check, tuple[str, ...]]:
    """Compare the TPR of fresh events with that of the published ones, at the same threshold.

    Parameters
    ----------
    files : mapping of process to Path
        From `find_fresh`.
    point : WorkingPoint
        The challenge's, with its threshold.
    score : callable
        Given a .npy file of events and their number, scores them in a sandbox.
    folder : Path
        For the events.

    Returns
    -------
    Check, tuple of str
        A diagnostic, and a warning for each signal whose TPR is another one.
    """
    rates = {}
    n_events, warnings = 0, list[str]()
    for name, path in files.items():
        unpacked = folder / f"{name}.npy"
        scores = score(unpacked, unpack_events(path, challenge.layout, unpacked))
        before, n_passing = point.rates[name], int(passing(scores, point).sum())
        counts = before.n_passing, before.n_events, n_passing, len(scores)
        n_events += len(scores)
        rates[name] = ChangedRate(
            before=before.tpr,
            after=n_passing / len(scores),
            difference=difference_of_shares(*counts),
        )
        warnings += _warn(name, rates[name], difference_of_shares(*counts, level=_LEVEL).upper)
    said = (f"{name} {one.before:.3g} -> {one.after:.3g}" for name, one in rates.items())
    check = Check(
        name=NAME,
        outcome="diagnostic",
        n_events=n_events,
        max_difference=0.0,
        detail=f"TPR at FPR {point.fpr:g}, published -> fresh events: {', '.join(said)}",
        rates=rates,
    )
    return check, tuple(warnings)


def _warn(name: str, rate: ChangedRate, highest: float) -> Iterator[str]:
    if highest < 0:
        yield (
            f"the TPR of {name} is {100 * rate.before:.3g} % on the published events and "
            f"{100 * rate.after:.3g} % on fresh ones of the same recipe (difference "
            f"{100 * rate.difference.lower:.3g} to {100 * rate.difference.upper:.3g} %): the model "
            "knows the published events"
        )
