"""Jets: four-momenta, masses, substructure, images and clustering of massless constituents.

Jets are arrays of shape ``(n, m, 3)``: pT [GeV], eta and phi [rad] of each constituent, by falling
pT, zero where there is none; the layout `constituents` of the harness. Everything here works on
many jets at a time and looks at each by itself, so that an entry of the open division may use it.
"""

from harness.jets.clustering import ClusteredJets, cluster
from harness.jets.correlators import EnergyCorrelators, energy_correlators
from harness.jets.dijets import (
    DIJET_FEATURES,
    JET_FEATURES,
    dijet_features,
    dijet_mass,
    dijet_observables,
    leading_jets,
    leading_momenta,
)
from harness.jets.images import jet_images
from harness.jets.momenta import (
    centred,
    four_momenta,
    from_components,
    invariant_mass,
    jet_axis,
    jet_mass,
    jet_momentum,
    n_constituents,
    wrapped,
)
from harness.jets.subjettiness import subjettiness
from harness.jets.substructure import SUBSTRUCTURE, subjettiness_basis, substructure

__all__ = [
    "DIJET_FEATURES",
    "JET_FEATURES",
    "SUBSTRUCTURE",
    "ClusteredJets",
    "EnergyCorrelators",
    "centred",
    "cluster",
    "dijet_features",
    "dijet_mass",
    "dijet_observables",
    "energy_correlators",
    "four_momenta",
    "from_components",
    "invariant_mass",
    "jet_axis",
    "jet_images",
    "jet_mass",
    "jet_momentum",
    "leading_jets",
    "leading_momenta",
    "n_constituents",
    "subjettiness",
    "subjettiness_basis",
    "substructure",
    "wrapped",
]
