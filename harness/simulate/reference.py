"""What is published of the real background of ADC2021, version 2, and how it is computed.

Every figure is of the 13,451,915 events of `background_for_training.h5` as its readers have
published them: shares of events that fill a slot, moments and quantiles of the leading objects.
Means and widths count empty slots as zeros, as the published ones do.

Not published, and so not compared: correlations between objects, spectra beyond the 99 % quantile,
anything of the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Events = NDArray[np.float32]
TOLERANCE = 0.15
# An occupancy below this is shown and not held against the tolerance.
MIN_OCCUPANCY = 1e-3

MET, ELECTRON, MUON, JET = 0, 1, 5, 9
_OCCUPANCIES = {
    "e1": (ELECTRON, 0.545), "e2": (ELECTRON + 1, 0.041),
    "mu1": (MUON, 0.477), "mu2": (MUON + 1, 0.032),
    "j1": (JET, 0.622), "j2": (JET + 1, 0.325), "j3": (JET + 2, 0.141), "j4": (JET + 3, 0.053),
    "j5": (JET + 4, 0.018), "j6": (JET + 5, 0.006), "j7": (JET + 6, 0.0019),
    "j8": (JET + 7, 0.0006), "j9": (JET + 8, 0.0002), "j10": (JET + 9, 0.0001),
}  # fmt: skip
_MET_DECILES_GEV = (12.2, 17.9, 22.9, 27.6, 32.4, 37.5, 43.4, 50.5, 60.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One published figure.

    Attributes
    ----------
    compute : callable
        From the columns (pT, eta), each of shape (n, 19), to the figure.
    unit : str
        ``GeV``, or empty.
    """

    name: str
    published: float
    unit: str
    compute: Callable[[Events, Events], float]

    @property
    def is_binding(self) -> bool:
        """Whether it is held against the tolerance; rarer objects are shown only."""
        return not self.name.startswith("occupancy") or self.published >= MIN_OCCUPANCY


def quantities() -> tuple[Quantity, ...]:
    """List every published figure."""
    found = [
        _quantity(f"occupancy {name}", value, "", _occupancy(slot))
        for name, (slot, value) in _OCCUPANCIES.items()
    ]
    found += [
        _quantity("MET mean", 35.2, "GeV", lambda pt, _: float(pt[:, MET].mean(dtype=float))),
        _quantity("MET sd", 20.4, "GeV", lambda pt, _: float(pt[:, MET].std(dtype=float))),
    ]
    found += [
        _quantity(f"MET {10 * n} % quantile", value, "GeV", _quantile(MET, n / 10))
        for n, value in enumerate(_MET_DECILES_GEV, start=1)
    ]
    leading: Mapping[str, tuple[int, float, float]] = {
        "e1": (ELECTRON, 19.2, 0.46),
        "mu1": (MUON, 16.7, 0.52),
        "jet1": (JET, 33.2, 0.37),
    }
    for name, (slot, mean, empty) in leading.items():
        found.append(_quantity(f"{name} pT mean", mean, "GeV", _mean_pt(slot)))
        found.append(_quantity(f"{name} zero fraction", empty, "", _empty(slot)))
    found += [
        _quantity("e1 pT 99 % quantile", 74.0, "GeV", _quantile(ELECTRON, 0.99)),
        _quantity("jet1 pT 99 % quantile", 181.0, "GeV", _quantile(JET, 0.99)),
        _quantity("e1 eta sd", 1.15, "", _eta_sd(ELECTRON)),
        _quantity("mu1 eta sd", 0.82, "", _eta_sd(MUON)),
        _quantity("jet1 eta sd", 1.37, "", _eta_sd(JET)),
        _quantity("events with e and mu", 0.0195, "", _both),
    ]
    return tuple(found)


def _quantity(
    name: str, published: float, unit: str, compute: Callable[[Events, Events], float]
) -> Quantity:
    return Quantity(name=name, published=published, unit=unit, compute=compute)


def _occupancy(slot: int) -> Callable[[Events, Events], float]:
    return lambda pt, _: float(np.count_nonzero(pt[:, slot]) / len(pt))


def _empty(slot: int) -> Callable[[Events, Events], float]:
    return lambda pt, _: 1.0 - float(np.count_nonzero(pt[:, slot]) / len(pt))


def _mean_pt(slot: int) -> Callable[[Events, Events], float]:
    return lambda pt, _: float(pt[:, slot].mean(dtype=float))


def _quantile(slot: int, share: float) -> Callable[[Events, Events], float]:
    return lambda pt, _: float(np.quantile(pt[:, slot], share))


def _eta_sd(slot: int) -> Callable[[Events, Events], float]:
    return lambda _, eta: float(eta[:, slot].std(dtype=float))


def _both(pt: Events, _: Events) -> float:
    return float(np.mean((pt[:, ELECTRON] > 0) & (pt[:, MUON] > 0)))
