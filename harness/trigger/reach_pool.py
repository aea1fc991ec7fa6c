"""What trials of `harness reach` draw from: folders of `harness trigger`, read and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from harness.challenge import mix64
from harness.errors import UsageError
from harness.trigger.features import Features, features_of
from harness.trigger.folder import AcceptedEvents, check_same, read_run
from harness.trigger.injection import BackgroundPool, SignalPool, TrialPool
from harness.trigger.pool import from_threshold, read_pool
from harness.trigger.reading import read_all, read_sections
from harness.trigger.records import TriggerRun

_SAME_ENTRY = ("program", "challenge", "layout", "is_strict", "threshold", "prescale")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachStreams:
    """Folders of `harness trigger` with one entry and one threshold, without a prescale.

    Attributes
    ----------
    data : Path
        Background of the exposure.
    expected : Path
        Simulated background, other events than those of `data`.
    signals : mapping of name to Path
        Events of each signal.
    others : mapping of title to Path
        Background that is compared in place of the data, such as that of another simulation.
    varied : mapping of name to (Path, Path)
        `data` and `expected` with a systematic variation.
    """

    data: Path
    expected: Path
    signals: Mapping[str, Path]
    others: Mapping[str, Path] = field(default_factory=dict)
    varied: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachPool:
    """What was read.

    Attributes
    ----------
    run : TriggerRun
        Of the data.
    trials : TrialPool
    n_observed, n_simulated : int
        Accepted events of the data and of the expectation.
    threshold : float
    background, signals : str and mapping of name to str
        SHA-256 of what trials draw from.
    """

    run: TriggerRun
    trials: TrialPool
    n_observed: int
    n_simulated: int
    threshold: float
    background: str
    signals: dict[str, str]


def read_streams(streams: ReachStreams) -> ReachPool:
    """Read accepted events, and compute their features once.

    Raises
    ------
    UsageError
        Folders are of different entries or thresholds, or prescaled; a variation is of other
        events than the nominal folder; or data and expectation name the same source.
    DataError
        There are too few events; or see `read_pool`.
    """
    run, pool = read_pool(streams.data, [streams.expected])
    expected_run = read_run(streams.expected)
    _check_threshold(streams.data, run)
    _check_apart((streams.data, run), (streams.expected, expected_run))
    others = [streams.expected, *streams.signals.values(), *streams.others.values()]
    for path in [*others, *(one for pair in streams.varied.values() for one in pair)]:
        check_same(
            (streams.data, run),
            (path, read_run(path)),
            _SAME_ENTRY,
            expected="events that went through the same trigger",
            fix="harness trigger with the same entry, threshold and prescale",
        )
    layout = run.settings.layout
    accepted = (pool.observed, pool.expected)
    observed, expected = (features_of(layout, one.events) for one in accepted)
    trials = TrialPool(
        observables=observed.observables,
        background=_background([observed, expected], accepted),
        exposure=pool.exposure,
        expected_exposure=pool.expected_exposure,
        signals={name: _signal(path) for name, path in streams.signals.items()},
        varied={
            name: _varied((streams.data, run), (streams.expected, expected_run), pair)
            for name, pair in streams.varied.items()
        },
    )
    return ReachPool(
        run=run,
        trials=trials,
        n_observed=len(pool.observed),
        n_simulated=len(pool.expected),
        threshold=pool.threshold,
        background=_digest(
            (trials.exposure, trials.expected_exposure, *trials.varied),
            [
                part
                for one in (trials.background, *trials.varied.values())
                for part in (one.values, one.keys)
            ],
        ),
        signals={
            name: _digest((one.n_events,), [one.values]) for name, one in trials.signals.items()
        },
    )


def _check_threshold(folder: Path, run: TriggerRun) -> None:
    if run.settings.threshold is None:
        raise UsageError(
            "its threshold was steered",
            where=str(folder),
            expected="one threshold for all folders",
            fix="harness trigger --fpr 1e-3, or --threshold",
        )
    if run.settings.prescale != 1:
        raise UsageError(
            f"its prescale is {run.settings.prescale}",
            where=str(folder),
            expected="every accepted event",
            fix="harness trigger without --prescale",
        )


def _check_apart(data: tuple[Path, TriggerRun], expected: tuple[Path, TriggerRun]) -> None:
    """Check that no event can be of both streams: trials know it by its source and row."""
    names = [{one.name for one in run.sources} for _, run in (data, expected)]
    for name in sorted(names[0] & names[1]):
        raise UsageError(
            f"{name} is a source of {data[0]} as well",
            where=str(expected[0]),
            expected="other events than those of the data",
            fix="if they are other events, give harness trigger their whole paths",
        )


def _read(path: Path) -> tuple[TriggerRun, AcceptedEvents]:
    run = read_run(path)
    thresholds = read_sections(path, run)["threshold"]
    threshold = float(thresholds.max(initial=-np.inf))
    return run, from_threshold(read_all(path, run), threshold, is_strict=run.settings.is_strict)


def _signal(path: Path) -> SignalPool:
    run, accepted = _read(path)
    features = features_of(run.settings.layout, accepted.events)
    return SignalPool(values=features.values, n_events=run.n_events)


def _varied(
    data: tuple[Path, TriggerRun], expected: tuple[Path, TriggerRun], pair: tuple[Path, Path]
) -> BackgroundPool:
    """Read a variation of both streams, which must hold the same events."""
    found, kinds = [], []
    for (nominal, nominal_run), path in zip((data, expected), pair, strict=True):
        run, accepted = _read(path)
        if run.sources != nominal_run.sources:
            raise UsageError(
                f"it is of other events than {nominal}",
                where=str(path),
                expected="the same events, varied",
                fix="harness trigger --vary with the same EVENTS",
            )
        kinds.append(run.settings.variation)
        found.append((features_of(run.settings.layout, accepted.events), accepted))
    if kinds[0] != kinds[1]:
        raise UsageError(
            f"its variation is {kinds[1]}, that of {pair[0]} is {kinds[0]}",
            where=str(pair[1]),
            expected="one variation of both streams",
            fix="name the two folders of one variation after --varied",
        )
    return _background([features for features, _ in found], [accepted for _, accepted in found])


def _background(
    features: list[Features], accepted: tuple[AcceptedEvents, ...] | list[AcceptedEvents]
) -> BackgroundPool:
    return BackgroundPool(
        values=np.concatenate([one.values for one in features]),
        keys=np.concatenate([_keys(one) for one in accepted]),
    )


def _keys(accepted: AcceptedEvents) -> NDArray[np.uint64]:
    """Make a number of each event from its source and row, whatever was done to it."""
    names, of_event = np.unique(accepted.sources.astype(str), return_inverse=True)
    salts = [int.from_bytes(blake3(name.encode()).digest()[:8], "little") for name in names]
    salt = np.array(salts, np.uint64)[of_event.ravel()]
    return mix64(accepted.rows.astype(np.uint64) ^ salt)


def _digest(words: Sequence[object], arrays: Sequence[NDArray[np.generic]]) -> str:
    found = hashlib.sha256(repr(words).encode())
    for each in arrays:
        found.update(np.ascontiguousarray(each).tobytes())
    return f"sha256:{found.hexdigest()}"
