"""The events that participants may train on: they never hold a test event.

With public files and a public key that is a convention which this module keeps; only a private file
enforces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.challenge import Challenge, Part, mix64
from harness.data.events import EventStore, challenge_of, open_store
from harness.data.selection import AccessRecord, EventSelection, JoinedSelection, MixedSelection
from harness.errors import UsageError

# What `source` calls the simulated background; its role is ``variation``.
SIMULATION = "simulation"


def training_events(
    challenge: str | Challenge = "sample",
    *,
    root: Path | None = None,
    manifest: str | Path | None = None,
    on_access: AccessRecord | None = None,
    signal: str | None = None,
    source: str | None = None,
    s_over_b: float | None = None,
) -> EventSelection:
    """Return the background events to train on; no test event is among them.

    In a challenge of weak learning signal is among them, as the manifest says by `contamination`,
    in an order that does not tell it from background.

    Parameters
    ----------
    challenge : str or Challenge
        A challenge or its name.
    root : Path, optional
        The cache; by default the one that all commands use.
    manifest : str or Path, optional
        A manifest of your own that holds the challenge.
    on_access : callable, optional
        Called with the process and the positions of the events that are gathered.
    signal : str, optional
        A signal, to get its training part; only where the challenge allows it.
    source : str, optional
        Which background: ``simulation`` for the simulated one of a challenge of recorded data, all
        of it that is not for testing; or the name of one process, such as one run. None: all
        recorded background, one process after the other.
    s_over_b : float, optional
        Of a challenge of weak learning: events of each signal in the mixture for one of background,
        in place of what the manifest says; 0 for background alone.

    Returns
    -------
    EventSelection
        float32, shape (n, *layout.shape); of objects pT [GeV], eta, phi [rad], or the integers of
        a layout with units, see `physical_units`. Images are dense: take them by `chunks`, if all
        of them do not fit into memory.

    Raises
    ------
    DataError
        The events were not fetched.
    UsageError
        There are no such events.
    """
    return _part_of(challenge, "train", root, manifest, on_access, signal, source, s_over_b)


def validation_events(
    challenge: str | Challenge = "sample",
    *,
    root: Path | None = None,
    manifest: str | Path | None = None,
    on_access: AccessRecord | None = None,
    signal: str | None = None,
    source: str | None = None,
    s_over_b: float | None = None,
) -> EventSelection:
    """Return the background events to validate on; as `training_events`, of another part.

    A simulated background has one part for both, which `training_events` gives.
    """
    return _part_of(challenge, "validation", root, manifest, on_access, signal, source, s_over_b)


def _part_of(
    challenge: str | Challenge,
    part: Part,
    root: Path | None,
    manifest: str | Path | None,
    on_access: AccessRecord | None,
    signal: str | None,
    source: str | None,
    s_over_b: float | None,
) -> EventSelection:
    challenge = challenge_of(challenge, manifest)
    mixed = _mixed(challenge, signal, source, s_over_b)
    if signal is not None:
        _refuse_signal(challenge, signal)
    names = _processes(challenge, part, signal, source)
    # Files that come with the harness, or have their parts inside, are looked at all together.
    needed = None if challenge.source is None else (*names, *mixed)
    store = open_store(challenge, root, on_access=on_access, processes=needed)
    found = [
        store.select(name, one)
        for name in names
        for one in _parts(challenge, name, part)
        if challenge.split.kind != "published" or _has_events(store, name, one)
    ]
    if not found:
        whose = f"files of {signal}" if signal else "background files"
        raise UsageError(f"{challenge.name} has no {whose} with a {part} part")
    if mixed:
        return mixture_of(store, found, mixed, part)
    return found[0] if len(found) == 1 else JoinedSelection(found)


def _mixed(
    challenge: Challenge, signal: str | None, source: str | None, s_over_b: float | None
) -> dict[str, float]:
    """Return the S/B of each signal that is mixed in; none where one process is asked for."""
    stated = {} if challenge.contamination is None else challenge.contamination.s_over_b
    if s_over_b is None:
        return {} if signal is not None or source is not None else dict(stated)
    if not stated:
        raise UsageError(f"{challenge.name} has no contamination, so that there is no s_over_b")
    if signal is not None or source is not None:
        raise UsageError("s_over_b is of the mixture: give no signal and no source")
    if not 0.0 <= s_over_b <= 1.0:
        raise UsageError(f"s_over_b is {s_over_b:g}", expected="0 to 1")
    return dict.fromkeys(stated, s_over_b) if s_over_b else {}


def mixture_of(
    store: EventStore, background: Sequence[EventSelection], mixed: Mapping[str, float], part: Part
) -> MixedSelection:
    """Mix events of signals into background, in the order of their hashes.

    Which events of a signal are taken depends on their hashes too: with a larger S/B those of a
    smaller one are among them.

    Raises
    ------
    UsageError
        There is no background, or there are too few events of a signal.
    """
    n_background = sum(len(one) for one in background)
    if not n_background:
        raise UsageError(
            f"the mixture of {store.challenge.name} has no background in its {part} part",
            fix="give the split a training part, or fetch more events",
        )
    several = list(background)
    hashes = [store.hashes(one.process)[one.indices] for one in background]
    for name, s_over_b in mixed.items():
        wanted = max(1, round(s_over_b * n_background))
        found = store.indices(name, part)
        if len(found) < wanted:
            raise UsageError(
                f"an S/B of {s_over_b:g} needs {wanted:,} events of {name}",
                expected=f"at most {len(found):,}, an S/B of {len(found) / n_background:.3g}",
                fix="state a smaller s_over_b",
            )
        of_signal = store.hashes(name)[found]
        # Of the hashes themselves the smallest would all come first in the order below.
        drawn = np.argsort(mix64(of_signal.copy()), kind="stable")
        chosen = np.sort(drawn[:wanted])
        several.append(store.choose(name, found[chosen]))
        hashes.append(of_signal[chosen])
    order = np.argsort(np.concatenate(hashes), kind="stable").astype(np.int64, copy=False)
    return MixedSelection(several, order)


def _processes(
    challenge: Challenge, part: Part, signal: str | None, source: str | None
) -> tuple[str, ...]:
    """Return the processes whose events are asked for."""
    background = challenge.processes("background")
    simulated = tuple(
        file.process
        for file in challenge.files
        if file.role == "variation" and file.variation_of not in challenge.signals
    )
    if signal is not None:
        if source is not None:
            raise UsageError("give a signal or a source, not both")
        return (signal,)
    if source is None:
        with_part = tuple(
            file.process
            for file in challenge.files
            if file.process in background and (not file.part_events or part in file.part_events)
        )
        return with_part or background
    names = simulated if source == SIMULATION else (source,)
    known = (*background, *simulated)
    if not names or names[0] not in known:
        with_simulation = (SIMULATION,) if simulated else ()
        raise UsageError(
            f"{challenge.name} has no background {source!r} to train on",
            expected=f"one of {', '.join((*with_simulation, *known))}",
        )
    if names[0] in simulated:
        _check_simulated(challenge, names[0], part)
    return names


def _check_simulated(challenge: Challenge, name: str, part: Part) -> None:
    """Refuse a simulated background that has nothing but test events, and its validation part."""
    file = next(one for one in challenge.files if one.process == name)
    if not set(file.part_events) - {"test"}:
        raise UsageError(
            f"all events of {name} are for testing", fix="train on the recorded background"
        )
    if part == "validation" and "train" not in file.part_events:
        raise UsageError(
            f"{name} has one part for training and validation",
            fix=f'hold some events of `training_events("{challenge.name}", source="{SIMULATION}")` '
            "back",
        )


def _parts(challenge: Challenge, name: str, part: Part) -> tuple[Part, ...]:
    """Return the parts of a process that are given for a part: of a simulated one all but test."""
    file = next(one for one in challenge.files if one.process == name)
    if file.role == "variation" and part == "train":
        return tuple(one for one in file.part_events if one != "test")
    return (part,)


def _has_events(store: EventStore, name: str, part: Part) -> bool:
    return len(store.indices(name, part)) > 0


def _refuse_signal(challenge: Challenge, signal: str) -> None:
    """Refuse a signal where its events are no training events, before any is read."""
    if not challenge.training_signals:
        raise UsageError(
            f"{challenge.name} is unsupervised: {signal} has no training part",
            fix="train on background alone",
        )
    known = challenge.processes("signal")
    if signal not in known:
        listed = ", ".join(known)
        raise UsageError(f"{challenge.name} has no signal {signal!r}", expected=f"one of {listed}")
