"""Building blocks of a network that FPGA tools translate: input words, scaling, score heads.

Every block consists of HGQ2 layers that both hls4ml 1.3 and da4ml 0.6 can translate, so the two
stay independent witnesses of the firmware's arithmetic. Words are written ``fixed<W,I>`` or
``ufixed<W,I>``: W bits, I of them before the point, the sign included. Words inside the heads
saturate: in the tail of the score, a value that wraps around would make the most anomalous event
look ordinary.

A float32 holds integers up to 24 bits, so every head keeps its sums to 24 bits; what Keras computes
is then exactly what the netlist computes.
"""

from harness.heads.accumulators import dense, offset
from harness.heads.inputs import CMSL1T_ROWS, input_words, limit, quantise, scale, select
from harness.heads.jets import jet_coordinates, jet_image, jet_mass
from harness.heads.products import combine, multiply
from harness.heads.saved import from_keras
from harness.heads.scores import identity, kl_divergence, mean_squared_error, r_z, sum_of_squares
from harness.heads.tables import table
from harness.heads.trees import exact_trees, trees
from harness.submission.functions import TABLE_FUNCTIONS
from harness.submission.tree_circuit import tree_scores
from harness.submission.tree_models import tree_arrays
from harness.submission.words import input_overflow, overflow_of_words, parse_word

__all__ = [
    "CMSL1T_ROWS",
    "TABLE_FUNCTIONS",
    "combine",
    "dense",
    "exact_trees",
    "from_keras",
    "identity",
    "input_overflow",
    "input_words",
    "jet_coordinates",
    "jet_image",
    "jet_mass",
    "kl_divergence",
    "limit",
    "mean_squared_error",
    "multiply",
    "offset",
    "overflow_of_words",
    "parse_word",
    "quantise",
    "r_z",
    "scale",
    "select",
    "sum_of_squares",
    "table",
    "tree_arrays",
    "tree_scores",
    "trees",
]
