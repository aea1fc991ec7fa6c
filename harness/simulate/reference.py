"""Published figures of the real background of ADC2021, version 2, and how to compute them.

All figures are of the 13,451,915 events of `background_for_training.h5` as its readers published
them: shares of events that fill a slot, moments and quantiles of the leading objects. Means and
widths count empty slots as zeros, as the published ones do.

Not published, and so not compared: correlations between objects, spectra beyond the 99 % quantile,
anything of the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]
TOLERANCE = 0.15
# The tolerance does not apply to an occupancy below this; it is only shown.
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
# Leading objects: slot, mean pT [GeV], share of events without one.
_LEADING = (("e1", ELECTRON, 19.2, 0.46), ("mu1", MUON, 16.7, 0.52), ("jet1", JET, 33.2, 0.37))


Compute = Callable[[Column, Column], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One published figure.

    Attributes
    ----------
    unit : str
        ``GeV``, or empty.
    compute : callable
        From the columns (pT, eta), each of shape (n, 19), to the figure.
    """

    name: str
    published: float
    unit: str
    compute: Compute

    @property
    def is_binding(self) -> bool:
        """Whether the tolerance applies to it; the shares of rarer objects are only shown."""
        return not self.name.startswith("occupancy") or self.published >= MIN_OCCUPANCY


def quantities() -> tuple[Quantity, ...]:
    """List every published figure."""
    return tuple(
        Quantity(name=name, published=published, unit=unit, compute=compute)
        for name, published, unit, compute in _rows()
    )


def _rows() -> Iterator[tuple[str, float, str, Compute]]:
    for name, (slot, share) in _OCCUPANCIES.items():
        yield f"occupancy {name}", share, "", _occupancy(slot)
    yield "MET mean", 35.2, "GeV", _mean_pt(MET)
    yield "MET sd", 20.4, "GeV", lambda pt, _: float(pt[:, MET].std(dtype=float))
    for n, value in enumerate(_MET_DECILES_GEV, start=1):
        yield f"MET {10 * n} % quantile", value, "GeV", _quantile(MET, n / 10)
    for name, slot, mean, empty in _LEADING:
        yield f"{name} pT mean", mean, "GeV", _mean_pt(slot)
        yield f"{name} zero fraction", empty, "", _empty(slot)
    yield "e1 pT 99 % quantile", 74.0, "GeV", _quantile(ELECTRON, 0.99)
    yield "jet1 pT 99 % quantile", 181.0, "GeV", _quantile(JET, 0.99)
    yield "e1 eta sd", 1.15, "", _eta_sd(ELECTRON)
    yield "mu1 eta sd", 0.82, "", _eta_sd(MUON)
    yield "jet1 eta sd", 1.37, "", _eta_sd(JET)
    yield "events with e and mu", 0.0195, "", _both


def _occupancy(slot: int) -> Compute:
    return lambda pt, _: float(np.count_nonzero(pt[:, slot]) / len(pt))


def _empty(slot: int) -> Compute:
    return lambda pt, _: 1.0 - float(np.count_nonzero(pt[:, slot]) / len(pt))


def _mean_pt(slot: int) -> Compute:
    return lambda pt, _: float(pt[:, slot].mean(dtype=float))


def _quantile(slot: int, share: float) -> Compute:
    return lambda pt, _: float(np.quantile(pt[:, slot], share))


def _eta_sd(slot: int) -> Compute:
    return lambda _, eta: float(eta[:, slot].std(dtype=float))


def _both(pt: Column, _: Column) -> float:
    return float(np.mean((pt[:, ELECTRON] > 0) & (pt[:, MUON] > 0)))
