"""Clustering by fastjet, many events in one call."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import EnvironmentFaultError, install_extra
from harness.jets.momenta import Array

Indices = NDArray[np.int64]
# What of `harness.jets` needs fastjet.
NEED_FASTJET = frozenset(
    {
        "cluster", "dijet_features", "leading_jets", "leading_momenta", "subjettiness",
        "subjettiness_basis", "substructure",
    }
)  # fmt: skip
Algorithm = Literal["antikt", "kt", "cambridge"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusteredJets:
    """Jets of many events, in the order of their events; within one, as fastjet lists them.

    Attributes
    ----------
    n_jets : ndarray of int64, shape (n_events,)
        Jets of each event.
    momenta : ndarray of float64, shape (n, 4)
        E, px, py, pz [GeV].
    n_members : ndarray of int64, shape (n,)
        Particles of each jet; empty where they were not asked for.
    members : ndarray of int64, shape (n_members.sum(),)
        Positions among all particles, jet after jet.
    """

    n_jets: Indices
    momenta: Array
    n_members: Indices
    members: Indices

    @property
    def event(self) -> Indices:
        """Return which event each jet belongs to; shape (n,)."""
        return np.repeat(np.arange(len(self.n_jets)), self.n_jets)


def import_fastjet(what: str) -> Any:  # noqa: ANN401 - a module
    """Import fastjet and awkward, which `what` needs.

    Raises
    ------
    EnvironmentFaultError
        One of them is not installed.
    """
    require_fastjet(what)
    import fastjet

    # Its banner would stand before the results on standard output, which may be JSON.
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)  # noqa: SLF001
    return fastjet


def require_fastjet(what: str) -> None:
    """Make sure that fastjet and awkward are installed, which `what` needs; import neither.

    Raises
    ------
    EnvironmentFaultError
        One of them is not installed.
    """
    missing = [name for name in ("fastjet", "awkward") if find_spec(name) is None]
    if missing:
        raise EnvironmentFaultError(
            f"{what} needs {' and '.join(missing)}, which this Python does not have",
            fix=install_extra("simulate"),
        )


def cluster(
    pt: Array,
    eta: Array,
    phi: Array,
    counts: Indices,
    *,
    radius: float,
    min_pt_gev: float,
    algorithm: Algorithm = "antikt",
    with_members: bool = False,
) -> ClusteredJets:
    """Cluster massless particles into jets.

    Parameters
    ----------
    pt, eta, phi : ndarray of float64, shape (n,)
        [GeV, 1, rad]; event after event.
    counts : ndarray of int64, shape (n_events,)
        Particles of each event.
    min_pt_gev : float
        Softer jets are left out.
    with_members : bool
        Whether to find the particles of each jet.

    Raises
    ------
    EnvironmentFaultError
        fastjet is not installed.

    References
    ----------
    M. Cacciari, G. P. Salam, G. Soyez, anti-kT, arXiv:0802.1189; FastJet, arXiv:1111.6097.
    """
    fastjet = import_fastjet("clustering")
    import awkward as ak

    definition = fastjet.JetDefinition(getattr(fastjet, f"{algorithm}_algorithm"), radius)
    sequence = fastjet.ClusterSequence(awkward_momenta(pt, eta, phi, counts), definition)
    found = sequence.inclusive_jets(min_pt=min_pt_gev)
    momenta = [_flat(found[name]).astype(np.float64) for name in ("E", "px", "py", "pz")]
    n_members = members = np.zeros(0, np.int64)
    if with_members:
        within = sequence.constituent_index(min_pt=min_pt_gev)
        n_members = _flat(ak.num(within, axis=2)).astype(np.int64)
        starts = np.cumsum(counts) - counts
        of_event = ak.to_numpy(ak.num(ak.flatten(within, axis=2))).astype(np.int64)
        members = _flat(ak.flatten(within, axis=2)).astype(np.int64) + np.repeat(starts, of_event)
    return ClusteredJets(
        n_jets=ak.to_numpy(ak.num(found["px"])).astype(np.int64),
        momenta=np.stack(momenta, axis=-1),
        n_members=n_members,
        members=members,
    )


def awkward_momenta(pt: Array, eta: Array, phi: Array, counts: Indices) -> Any:  # noqa: ANN401
    """Return massless particles as fastjet takes them: an awkward array with a list an event."""
    import awkward as ak

    components = {
        "px": pt * np.cos(phi),
        "py": pt * np.sin(phi),
        "pz": pt * np.sinh(eta),
        "E": pt * np.cosh(eta),
    }
    return ak.unflatten(ak.zip(components, with_name="Momentum4D"), counts)


def _flat(column: Any) -> NDArray[Any]:  # noqa: ANN401 - an awkward array
    import awkward as ak

    values: NDArray[Any] = ak.to_numpy(ak.flatten(column))
    return values
