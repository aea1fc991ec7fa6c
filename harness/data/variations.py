"""Background as a slightly different detector would see it, made from the events themselves.

Each variation changes what can honestly be changed in reconstructed events, and the data set's
preselection is applied again: an event that loses its only lepton drops out. What is not in the
events cannot be brought back: jets just below threshold, particles lost before, further pile-up
jets. Where that matters a variation has to be simulated (a file of the role ``variation``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from harness.challenge import Challenge, EventLayout, Preselection
from harness.data.draws import keyed_uniforms

Floats = NDArray[np.float64]

# The sizes of the variations are choices of this benchmark, no measurements of a detector.
MET_SMEARING_GEV = 10.0
JET_SCALE = 0.05
ELECTRON_LOSS = 0.10
# One of 18 sectors in azimuth.
DEAD_PHI_RAD = (0.0, np.pi / 9)
# A jet this close to an electron is the electron itself, seen again: files of ADC2021 have no
# overlap removal.
OVERLAP_DR = 0.4

MET, ELECTRON, MUON, JET = "met", "electron", "muon", "jet"
_LARGEST_PHI = np.nextafter(np.float32(np.pi), np.float32(0))


# One kind of object of some events: float64, shape (n, n_slots, 3), pT, eta and phi; a slot with a
# pT of 0 is empty.
PT, ETA, PHI = 0, 1, 2
EventObjects = dict[str, Floats]
Vary = Callable[[EventObjects, Floats], EventObjects]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventVariation:
    """A change of the events.

    Attributes
    ----------
    what : str
        What is changed, and what is not.
    needs : tuple of str
        Kinds of object without which it makes no sense.
    draws_for : str or None
        One random number is drawn for each slot of this kind of object, two for MET.
    vary : callable
        Given the objects by kind and uniform numbers of shape (n, n_draws), returns the objects.
    """

    name: str
    title: str
    what: str
    needs: tuple[str, ...]
    draws_for: str | None = None
    vary: Vary


@dataclass(frozen=True, kw_only=True, slots=True)
class Varied:
    """Varied events.

    Attributes
    ----------
    events : float32 array, shape (n, n_objects, n_features)
        Those that fail the preselection are among them.
    is_selected : bool array, shape (n,)
        Whether an event still passes the preselection.
    """

    events: NDArray[np.float32]
    is_selected: NDArray[np.bool_]


def event_variations() -> tuple[EventVariation, ...]:
    """Return the variations that are made from the events themselves."""
    percent = f"{100 * JET_SCALE:.0f} %"
    return (
        EventVariation(
            name="met_smearing",
            title="MET smeared (pile-up-like)",
            what=f"a Gaussian of {MET_SMEARING_GEV:.0f} GeV is added to each component of the "
            "missing transverse momentum; no pile-up jets are added",
            needs=(MET,),
            draws_for=MET,
            vary=_smear_met,
        ),
        EventVariation(
            name="jet_scale_up",
            title=f"jet energy scale +{percent}",
            what=f"pT of jets is {percent} higher, MET follows; jets that would rise over the "
            "threshold are not in the events",
            needs=(JET,),
            vary=lambda objects, _: _scale_jets(objects, 1.0 + JET_SCALE),
        ),
        EventVariation(
            name="jet_scale_down",
            title=f"jet energy scale −{percent}",
            what=f"pT of jets is {percent} lower, MET follows; jets below threshold are dropped",
            needs=(JET,),
            vary=lambda objects, _: _scale_jets(objects, 1.0 - JET_SCALE),
        ),
        EventVariation(
            name="dead_region",
            title="dead region of 20° in φ",
            what="electrons and jets with 0 ≤ φ < 20° are lost, at any η; their pT is missing, "
            "so MET takes it up",
            needs=(JET,),
            vary=lambda objects, _: _kill_region(objects),
        ),
        EventVariation(
            name="electron_loss",
            title=f"electron efficiency −{100 * ELECTRON_LOSS:.0f} %",
            what=f"each electron is lost with a probability of {100 * ELECTRON_LOSS:.0f} %; its "
            "energy is still seen, so MET and the jet that it makes stay",
            needs=(ELECTRON,),
            draws_for=ELECTRON,
            vary=_lose_electrons,
        ),
    )


def why_not(variation: EventVariation, challenge: Challenge) -> str | None:
    """Return the reason why the events of a challenge cannot be varied so; None if they can."""
    layout = challenge.layout
    kinds = {group.name for group in layout.objects}
    missing = [name for name in variation.needs if name not in kinds]
    if missing:
        return f"the events have no {' or '.join(missing)}"
    if lacking := layout.lacks("pt", "eta", "phi"):
        return lacking
    if len(layout.features) != 3:
        return "the objects have other features beside pT, eta and phi"
    return None


def vary_events(
    variation: EventVariation,
    events: NDArray[np.float32],
    hashes: NDArray[np.uint64],
    challenge: Challenge,
) -> Varied:
    """Vary events, and apply the preselection of their data set again.

    Parameters
    ----------
    events : float32 array, shape (n, n_objects, n_features)
        Not modified.
    hashes : uint64 array, shape (n,)
        Their keyed hashes, which with the challenge's seed give the random numbers:
        an event is varied alike in any order and any subset.
    """
    uniforms = keyed_uniforms(
        hashes,
        _n_draws(variation, challenge.layout),
        seed=challenge.seed,
        label=f"variation {variation.name}",
    )
    changed = variation.vary(_objects(events, challenge.layout), uniforms)
    thresholds = {} if challenge.preselection is None else challenge.preselection.object_pt_gev
    kept = {
        name: _in_order(_drop(each, each[..., PT] < thresholds.get(name, 0.0)))
        for name, each in changed.items()
    }
    return Varied(
        events=_events(events, kept, challenge.layout),
        is_selected=passes_preselection(kept, challenge.preselection, len(events)),
    )


def _n_draws(variation: EventVariation, layout: EventLayout) -> int:
    if variation.draws_for == MET:
        return 2
    return sum(group.n_slots for group in layout.objects if group.name == variation.draws_for)


def passes_preselection(
    objects: EventObjects, preselection: Preselection | None, n_events: int
) -> NDArray[np.bool_]:
    """Return which events have a leading object that is hard enough; all if none is asked for."""
    if preselection is None:
        return np.ones(n_events, np.bool_)
    leading = [objects[name][..., PT].max(axis=1) for name in preselection.leading]
    is_selected: NDArray[np.bool_] = np.maximum.reduce(leading) >= preselection.leading_pt_gev
    return is_selected


# --- the variations -----------------------------------------------------------------------------


def _smear_met(objects: EventObjects, uniforms: Floats) -> EventObjects:
    return _shift_met(objects, *(MET_SMEARING_GEV * ndtri(uniforms)).T)


def _scale_jets(objects: EventObjects, scale: float) -> EventObjects:
    """Scale the jets that are no electrons; what they gain, MET loses."""
    jets = objects[JET]
    change = np.where(_is_electron(objects), 0.0, (scale - 1.0) * jets[..., PT])
    scaled = jets.copy()
    scaled[..., PT] += change
    shifted = _shift_met(objects, *_sum_vector(change, jets[..., PHI], sign=-1.0))
    return {**shifted, JET: scaled}


def _kill_region(objects: EventObjects) -> EventObjects:
    """Lose electrons and jets of the region; a jet that is an electron is missing once."""
    jets = objects[JET]
    is_dead = _is_dead(jets)
    changed = {**objects, JET: _drop(jets, is_dead)}
    x, y = _sum_vector(np.where(is_dead, jets[..., PT], 0.0), jets[..., PHI])
    if ELECTRON in objects:
        electrons = objects[ELECTRON]
        has_jet = (_distance(electrons, jets) < OVERLAP_DR).any(axis=2)
        is_alone = _is_dead(electrons) & ~has_jet
        more = _sum_vector(np.where(is_alone, electrons[..., PT], 0.0), electrons[..., PHI])
        x, y = x + more[0], y + more[1]
        changed[ELECTRON] = _drop(electrons, _is_dead(electrons))
    return _shift_met(changed, x, y)


def _lose_electrons(objects: EventObjects, uniforms: Floats) -> EventObjects:
    electrons = objects[ELECTRON]
    return {**objects, ELECTRON: _drop(electrons, uniforms < ELECTRON_LOSS)}


# --- their parts --------------------------------------------------------------------------------


def _is_dead(objects: Floats) -> NDArray[np.bool_]:
    first, last = DEAD_PHI_RAD
    phi = objects[..., PHI]
    return (objects[..., PT] > 0) & (phi >= first) & (phi < last)


def _is_electron(objects: EventObjects) -> NDArray[np.bool_]:
    """Return which jets are electrons seen again; shape (n, n_jets)."""
    jets = objects[JET]
    if ELECTRON not in objects:
        return np.zeros(jets.shape[:2], np.bool_)
    nearest: Floats = _distance(objects[ELECTRON], jets).min(axis=1)
    return nearest < OVERLAP_DR


def _distance(one: Floats, other: Floats) -> Floats:
    """Return Delta R of every pair, infinite where one is missing; shape (n, n_one, n_other)."""
    one, other = one[:, :, None], other[:, None, :]
    dphi = np.abs(one[..., PHI] - other[..., PHI])
    distance = np.hypot(one[..., ETA] - other[..., ETA], np.minimum(dphi, 2 * np.pi - dphi))
    return np.where((one[..., PT] > 0) & (other[..., PT] > 0), distance, np.inf)


def _sum_vector(pt: Floats, phi: Floats, *, sign: float = 1.0) -> tuple[Floats, Floats]:
    return sign * (pt * np.cos(phi)).sum(axis=1), sign * (pt * np.sin(phi)).sum(axis=1)


def _shift_met(objects: EventObjects, x: Floats, y: Floats) -> EventObjects:
    """Add a vector to the missing transverse momentum; events without the object stay."""
    if MET not in objects:
        return objects
    met = objects[MET].copy()
    pt, phi = met[:, 0, PT], met[:, 0, PHI]
    new_x = pt * np.cos(phi) + x
    new_y = pt * np.sin(phi) + y
    # What does not move keeps its bits.
    is_moved = (x != 0) | (y != 0)
    pt[is_moved] = np.hypot(new_x, new_y)[is_moved]
    phi[is_moved] = np.arctan2(new_y, new_x)[is_moved]
    return {**objects, MET: met}


def _drop(objects: Floats, is_lost: NDArray[np.bool_]) -> Floats:
    return np.where(is_lost[..., None], 0.0, objects)


def _in_order(objects: Floats) -> Floats:
    """Put the slots in the order of falling pT; empty ones come last."""
    pt = objects[..., PT]
    if not (pt[:, 1:] > pt[:, :-1]).any():
        return objects
    order = np.argsort(-pt, axis=1, kind="stable")
    return np.take_along_axis(objects, order[..., None], axis=1)


def _objects(events: NDArray[np.float32], layout: EventLayout) -> EventObjects:
    values = layout.physical(events)[..., layout.columns("pt", "eta", "phi")].astype(np.float64)
    return {name: values[:, slots] for name, slots in layout.slots.items()}


def _events(
    events: NDArray[np.float32], objects: EventObjects, layout: EventLayout
) -> NDArray[np.float32]:
    """Put objects back into a copy of the events."""
    joined = np.concatenate([objects[name] for name in layout.slots], axis=1, dtype=np.float32)
    np.clip(joined[..., PHI], -_LARGEST_PHI, _LARGEST_PHI, out=joined[..., PHI])
    varied = events
    for column, name in enumerate(("pt", "eta", "phi")):
        varied = layout.put(varied, name, joined[..., column])
    # An object of no pT, such as one that was dropped, is an empty slot.
    was_there = layout.values(events, "pt") > 0
    varied[was_there & (joined[..., PT] == 0)] = 0.0
    return varied
