"""All figures of the mass of the events, in one call."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import Interval, NotMeasured
from harness.card.mass import HuntAtCut, InjectedScan, MassFigures, Scan
from harness.challenge import MassObservable, Merit
from harness.metrics.bump_hunt import Plan, hunt_bump, plan_hunt
from harness.metrics.intervals import clopper_pearson
from harness.metrics.rates import BACKGROUND
from harness.metrics.regions import measure_regions
from harness.metrics.scores import Sample
from harness.metrics.sculpting import (
    binned,
    cut_at,
    is_passing,
    mean_by_score,
    mean_mass,
    spectra_behind_cuts,
)
from harness.metrics.significance import local_significance
from harness.metrics.working_point import Cut

Masses = Mapping[str, NDArray[np.float64]]


def measure_mass(
    mass: MassObservable,
    samples: Mapping[str, Sample],
    masses: Masses,
    merit: Merit | None,
    *,
    seed: int,
) -> MassFigures:
    """Measure what cuts on the score do to the mass.

    Parameters
    ----------
    mass : MassObservable
        What the challenge states.
    samples : mapping of str to Sample
        The signals, and the test background as `BACKGROUND`.
    masses : mapping of str to float64 array, shape (n,)
        Of the same events; NaN of an event without a mass.
    merit : Merit or None
        What the challenge ranks.
    seed : int
        The challenge's: everything that is drawn is the same for the same scores.
    """
    generator = np.random.default_rng(seed)
    edges = mass.edges
    known = masses[BACKGROUND][np.isfinite(masses[BACKGROUND])]
    lost = {name: int((~np.isfinite(one)).sum()) for name, one in masses.items()}
    return MassFigures(
        title=mass.title,
        unit=mass.unit,
        edges=edges,
        window=mass.window,
        overall=mean_mass(known, 1.0, 0.0),
        profile=mean_by_score(samples[BACKGROUND], masses[BACKGROUND]),
        spectra=spectra_behind_cuts(
            samples, masses, edges, mass.background_efficiencies, generator
        ),
        regions=measure_regions(samples, masses, mass.window, merit, seed=seed),
        injected={} if mass.hunt is None else dict(mass.hunt.injected),
        hunts=() if mass.hunt is None else _hunts(mass, samples, masses, generator),
        without_mass={name: n for name, n in lost.items() if n},
    )


def _hunts(
    mass: MassObservable,
    samples: Mapping[str, Sample],
    masses: Masses,
    generator: np.random.Generator,
) -> tuple[HuntAtCut, ...]:
    assert mass.hunt is not None
    plan = plan_hunt(mass)
    background = samples[BACKGROUND]
    found = []
    for efficiency in (1.0, *mass.background_efficiencies):
        cut = None if efficiency >= 1.0 else cut_at(background, efficiency)
        if efficiency < 1.0 and cut is None:
            none = NotMeasured(not_measured=f"{background.n_events:,} background events: none pass")
            injected: dict[str, InjectedScan | NotMeasured] = dict.fromkeys(
                mass.hunt.injected, none
            )
            found.append(
                HuntAtCut(background_efficiency=efficiency, background=none, injected=injected)
            )
            continue
        counts = _spectrum(background, masses[BACKGROUND], cut, plan)
        alone = hunt_bump(counts, plan, generator)
        found.append(
            HuntAtCut(
                background_efficiency=efficiency,
                background=alone,
                injected={
                    name: _injected(
                        counts, alone, samples[name], masses[name], cut, plan, generator,
                        n_injected=round(ratio * background.n_events), ratio=ratio,
                        n_background=background.n_events,
                    )
                    for name, ratio in mass.hunt.injected.items()
                },
            )
        )  # fmt: skip
    return tuple(found)


def _spectrum(
    sample: Sample, masses: NDArray[np.float64], cut: Cut | None, plan: Plan
) -> NDArray[np.int64]:
    return binned(masses[is_passing(sample, cut)], plan.edges.tolist())[1:-1]


def _injected(
    counts: NDArray[np.int64],
    alone: Scan | NotMeasured,
    signal: Sample,
    masses: NDArray[np.float64],
    cut: Cut | None,
    plan: Plan,
    generator: np.random.Generator,
    *,
    n_injected: int,
    ratio: float,
    n_background: int,
) -> InjectedScan | NotMeasured:
    """Hunt in the background with some events of a signal: those of the lowest hashes."""
    if isinstance(alone, NotMeasured):
        return alone
    if not 1 <= n_injected <= signal.n_events:
        return NotMeasured(
            not_measured=f"S/B {ratio:g} of {n_background:,} events is {n_injected:,} signal "
            f"events; {signal.n_events:,} are here"
        )
    chosen = np.zeros(signal.n_events, np.bool_)
    chosen[np.argsort(signal.hashes, kind="stable")[:n_injected]] = True
    passes = is_passing(signal, cut)
    edges = plan.edges.tolist()
    added = binned(masses[passes & chosen], edges)[1:-1]
    every = int(binned(masses[passes], edges)[1:-1][plan.stated].sum())
    in_window = int(counts[plan.stated].sum())
    scan = hunt_bump(counts + added, plan, generator)
    if isinstance(scan, NotMeasured):
        return scan
    # Expected of each signal event that is here, for as many as the data would hold.
    scale = ratio * n_background / signal.n_events
    purity, interval = _purity(every, in_window, scale)
    expected, uncertainty = alone.stated.expected, alone.stated.uncertainty
    return InjectedScan(
        n_injected=n_injected,
        n_signal=int(added[plan.stated].sum()),
        n_background=in_window,
        signal_to_background=purity,
        interval=interval,
        expected_z=float(local_significance(expected + scale * every, expected, uncertainty)),
        counts=tuple((counts + added).tolist()),
        scan=scan,
    )


def _purity(
    n_signal: int, n_background: int, scale: float
) -> tuple[float | NotMeasured, Interval | None]:
    """Return S/B with its interval: both counts are Poisson, their sum is given.

    References
    ----------
    W. Nelson, IEEE Trans. Reliab. 19 (1970) 42, as in `harness.metrics.stability`.
    """
    if n_background == 0:
        return NotMeasured(not_measured="no background event is in the window"), None
    share = clopper_pearson(n_signal, n_signal + n_background)
    upper = share.upper / (1.0 - share.upper) if share.upper < 1.0 else float(n_signal + 1)
    return scale * n_signal / n_background, Interval(
        lower=scale * share.lower / (1.0 - share.lower),
        upper=scale * upper,
        level=share.level,
        method="Clopper-Pearson of the share of signal",
    )
