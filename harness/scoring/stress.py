"""How stable the rate of an entry is: thresholds fixed on nominal background, background varied.

The first thing that a trigger expert asks of a new trigger: what becomes of its rate when the
detector or the pile-up is not quite what it was tuned on. Only events that a variation changes are
scored again; all others keep their score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import NotMeasured
from harness.card.physics import Physics, WorkingPoint
from harness.card.stress import SkippedVariation, Stress, StressedRate, Variation
from harness.challenge import Challenge, DataFile
from harness.data.events import EventStore
from harness.data.mix import Mixture, read_rows
from harness.data.npy import npy_bytes, write_npy_header
from harness.data.variations import EventVariation, event_variations, vary_events, why_not
from harness.files import check_space, writing
from harness.metrics.accepted import passing
from harness.metrics.intervals import clopper_pearson
from harness.metrics.second_simulation import changed_areas, changed_rates, drift_of_rate

ScoreFile = Callable[[Path, int], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """One variation's part of the file of varied events.

    Attributes
    ----------
    is_selected : bool array, shape (n,)
        Which nominal events still pass the preselection.
    is_new : bool array, shape (n,)
        Which of them are scored again: changed, and still there.
    """

    variation: EventVariation
    is_selected: NDArray[np.bool_]
    is_new: NDArray[np.bool_]


def measure_stress(
    store: EventStore,
    mixture: Mixture,
    physics: Physics,
    scores: Mapping[str, NDArray[np.float64]],
    *,
    score: ScoreFile,
    folder: Path,
    is_whole: bool = True,
) -> Stress | NotMeasured:
    """Measure what passes the nominal thresholds on varied background, and second simulations.

    Parameters
    ----------
    store : EventStore
        The events; read in chunks.
    mixture : Mixture
        Which background was scored.
    physics : Physics
        Holds the thresholds, set on nominal background.
    scores : mapping of process to float64 array, shape (n,)
        Nominal scores; higher = more anomalous.
    score : callable
        Given a .npy file of events and their number, scores them in a sandbox.
    folder : Path
        For the varied events: a few times as many bytes as the background; removed again.
    is_whole : bool
        Whether more than the second simulations of processes is measured.
    """
    challenge = store.challenge
    points = [point for point in physics.working_points if isinstance(point, WorkingPoint)]
    if not points:
        return NotMeasured(not_measured="no working point was reached: there is no threshold")
    names = challenge.processes("background")
    nominal = np.concatenate([scores[name] for name in names])
    possible = [one for one in event_variations() if why_not(one, challenge) is None]
    files = [file for file in challenge.files if file.role == "variation"]
    made: list[Variation | SkippedVariation] = []
    if is_whole:
        made += _skipped(challenge)
        made += _vary_all(store, mixture, possible, nominal, points, score, folder / "varied.npy")
    else:
        files = [file for file in files if file.variation_of is not None]
    every = _Nominal(
        background=nominal,
        signals={name: scores[name] for name in challenge.signals},
        points=points,
    )
    made += _other_files(store, files, every, score)
    return Stress(arithmetic=physics.arithmetic, variations=tuple(made))


def has_second_simulation(store: EventStore) -> bool:
    """Whether a second simulation of a process is here, which every scoring compares."""
    files = store.challenge.files
    return any(file.variation_of is not None and file.process in store.processes for file in files)


def _skipped(challenge: Challenge) -> Iterator[SkippedVariation]:
    """Name the variations that the layout of a challenge does not allow."""
    for variation in event_variations():
        if reason := why_not(variation, challenge):
            yield SkippedVariation(name=variation.name, title=variation.title, not_measured=reason)


def _vary_all(
    store: EventStore,
    mixture: Mixture,
    variations: list[EventVariation],
    nominal: NDArray[np.float64],
    points: list[WorkingPoint],
    score: ScoreFile,
    path: Path,
) -> Iterator[Variation]:
    """Write what all variations change into one file, and score it in one go."""
    shape = store.challenge.layout.shape
    with writing(path, is_kept=False) as stream:
        check_space(path.parent, npy_bytes((len(variations) * len(nominal), *shape), "<f4"))
        # The number of events is known at the end; NumPy leaves room in the header for it.
        write_npy_header(stream, (0, *shape), "<f4")
        n_header = stream.tell()
        blocks = [_write_varied(stream, store, mixture, one) for one in variations]
        n_new = sum(int(block.is_new.sum()) for block in blocks)
        stream.seek(0)
        write_npy_header(stream, (n_new, *shape), "<f4")
        assert stream.tell() == n_header
    found = score(path, n_new) if n_new else np.empty(0)
    path.unlink()
    position = 0
    for block in blocks:
        n_block = int(block.is_new.sum())
        varied = nominal.copy()
        varied[block.is_new] = found[position : position + n_block]
        position += n_block
        yield _record(block, nominal, varied, points)


def _write_varied(
    stream: BinaryIO, store: EventStore, mixture: Mixture, variation: EventVariation
) -> _Block:
    challenge = store.challenge
    selected, new = [np.zeros(0, np.bool_)], [np.zeros(0, np.bool_)]
    for process in challenge.processes("background"):
        position = 0
        for given in read_rows(store, process, mixture.indices[process]):
            events = np.asarray(given)
            hashes = mixture.hashes[process][position : position + len(events)]
            position += len(events)
            varied = vary_events(variation, events, np.asarray(hashes), challenge)
            is_changed = (varied.events != events).any(axis=(1, 2))
            is_new = is_changed & varied.is_selected
            stream.write(np.ascontiguousarray(varied.events[is_new], "<f4").data)
            selected.append(varied.is_selected)
            new.append(is_new)
    return _Block(
        variation=variation, is_selected=np.concatenate(selected), is_new=np.concatenate(new)
    )


def _record(
    block: _Block,
    nominal: NDArray[np.float64],
    varied: NDArray[np.float64],
    points: list[WorkingPoint],
) -> Variation:
    rates = []
    for point in points:
        passed = passing(nominal, point)
        passes = passing(varied, point) & block.is_selected
        rates.append(
            _rate(
                point,
                int(passes.sum()),
                len(nominal),
                n_gained=int((passes & ~passed).sum()),
                n_lost=int((passed & ~passes).sum()),
            )
        )
    return Variation(
        name=block.variation.name,
        title=block.variation.title,
        what=block.variation.what,
        n_events=len(nominal),
        n_selected=int(block.is_selected.sum()),
        rates=tuple(rates),
    )


def _rate(
    point: WorkingPoint,
    n_passing: int,
    n_events: int,
    *,
    n_gained: int | None = None,
    n_lost: int | None = None,
) -> StressedRate:
    realised = n_passing / n_events
    return StressedRate(
        fpr=point.fpr,
        n_passing=n_passing,
        fpr_realised=realised,
        interval=clopper_pearson(n_passing, n_events),
        ratio=realised / point.fpr_realised
        if point.n_passing
        else NotMeasured(not_measured="no nominal background passes: scores are tied"),
        n_gained=n_gained,
        n_lost=n_lost,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Nominal:
    """The scores that count, with the thresholds that were set on their background."""

    background: NDArray[np.float64]
    signals: Mapping[str, NDArray[np.float64]]
    points: list[WorkingPoint]


def _other_files(
    store: EventStore, files: list[DataFile], nominal: _Nominal, score: ScoreFile
) -> Iterator[Variation | SkippedVariation]:
    """Score processes that were simulated in another way, such as with another tune.

    Backgrounds come first: signals of the second simulation are compared with them.
    """
    signals = store.challenge.signals
    background: NDArray[np.float64] | None = None
    for file in sorted(files, key=lambda file: file.variation_of in signals):
        if file.process not in store.processes:
            yield SkippedVariation(
                name=file.process,
                title=file.title,
                not_measured=f"{file.name} is not here: harness fetch {store.challenge.name}",
            )
            continue
        scores = score(store.path(file.process), store.n_events(file.process))
        if file.variation_of in signals:
            yield _other_signal(file, scores, nominal, background)
        else:
            background = scores if file.variation_of is not None else background
            yield _other_background(file, scores, nominal)


def _other_background(file: DataFile, scores: NDArray[np.float64], nominal: _Nominal) -> Variation:
    n_events = len(scores)
    is_second = file.variation_of is not None
    rates = []
    for point in nominal.points:
        rate = _rate(point, int(passing(scores, point).sum()), n_events)
        drift = drift_of_rate(point, len(nominal.background), scores) if is_second else None
        rates.append(rate.model_copy(update={"drift": drift}))
    return Variation(
        name=file.process,
        title=file.title,
        what=f"simulated in another way: {file.name}; per event of that file, so that a change of "
        "the cross section or of the preselection's efficiency is not in the rate",
        n_events=n_events,
        n_selected=n_events,
        variation_of=file.variation_of,
        rates=tuple(rates),
        auc=changed_areas((nominal.background, nominal.signals), (scores, nominal.signals))
        if is_second
        else {},
    )


def _other_signal(
    file: DataFile,
    scores: NDArray[np.float64],
    nominal: _Nominal,
    background: NDArray[np.float64] | None,
) -> Variation:
    assert file.variation_of is not None
    beside = "nominal background" if background is None else "the second simulation's background"
    other = nominal.background if background is None else background
    return Variation(
        name=file.process,
        title=file.title,
        what=f"simulated in another way: {file.name}; its AUC is against {beside}",
        n_events=len(scores),
        n_selected=len(scores),
        variation_of=file.variation_of,
        rates=(),
        signal_rates=changed_rates(nominal.points, file.variation_of, scores),
        auc=changed_areas(
            (nominal.background, nominal.signals), (other, {file.variation_of: scores})
        ),
    )
