"""On which fixed-point grid the values of a network of QKeras lie."""

from __future__ import annotations

import numpy as np

from harness.submission.saved.layers import Graph, Layer
from harness.submission.saved.normalisation import scale_and_offset
from harness.submission.saved.plain_layers import LayerError, quantiser_of
from harness.submission.saved.quantisers import (
    UnknownQuantiserError,
    parse_quantiser,
    quantised,
    word_of_values,
)
from harness.submission.saved.ties import is_half_way
from harness.submission.saved.word_configs import magnitude_and_fraction
from harness.submission.words import FixedPoint

NORMALISATIONS = ("BatchNormalization", "QBatchNormalization")
_WEIGHTED = ("QDense", "QConv1D", "QConv2D")
_MAX_DEPTH = 50
# What connects values, or chooses among them, or adds them.
_WIRING = (
    *("Flatten", "Reshape", "Permute", "Concatenate", "Dropout", "ZeroPadding1D", "ZeroPadding2D"),
    *("Add", "Subtract", "Maximum", "Minimum", "ReLU"),
    *("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
)


def follows_between(graph: Graph, name: str) -> bool:
    """Say whether what a quantiser gets never lies half way between two values of its word.

    So it is behind most normalisations, and nowhere else.
    """
    layer, source = graph.layers[name], _only_source(graph, name)
    if layer.kind != "QActivation" or source is None:
        return False
    normalisation, word = graph.layers[source], _word_of(layer)
    before = _only_source(graph, source)
    if normalisation.kind not in NORMALISATIONS or word is None or before is None:
        return False
    fraction_bits = _fraction_bits_of(graph, before, 0)
    if fraction_bits is None:
        return False
    try:
        scale, offset = scale_and_offset(normalisation)
    except LayerError:  # It is named where that layer is made.
        return False
    pairs = zip(scale.tolist(), offset.tolist(), strict=True)
    return not any(is_half_way(one, other, fraction_bits, [word]) for one, other in pairs)


def _word_of(layer: Layer) -> FixedPoint | None:
    try:
        quantiser = parse_quantiser(layer.settings.get("activation"))
    except UnknownQuantiserError:
        return None
    return word_of_values(quantiser) if quantiser else None


def _only_source(graph: Graph, name: str) -> str | None:
    """Return the layer whose result a layer that is called once gets, if it gets one."""
    calls = graph.layers[name].calls
    source = calls[0][0][0] if len(calls) == 1 and len(calls[0]) == 1 else None
    return source if source in graph.layers else None


def _word_behind(layer: Layer) -> FixedPoint | None:
    if layer.kind != "QActivation":
        return None
    quantiser = quantiser_of(layer, "activation")
    return word_of_values(quantiser) if quantiser else None


def _fraction_bits_of(graph: Graph, name: str, depth: int) -> int | None:
    """Return how many bits after the point a layer's results have; None if that is not known."""
    layer = graph.layers[name]
    if layer.kind == "QActivation":
        return _activation_bits(layer)
    sources = [tensor[0] for call in layer.calls for tensor in call]
    if depth > _MAX_DEPTH or not sources or layer.kind not in (*_WIRING, *_WEIGHTED):
        return None
    found = [_fraction_bits_of(graph, source, depth + 1) for source in sources]
    known = [bits for bits in found if bits is not None]
    if len(known) < len(found):
        return None
    if layer.kind in _WIRING:
        return max(known)
    if layer.settings.get("activation") not in (None, "linear", "relu"):
        return _activation_bits(layer)
    keys = ("kernel_quantizer", "bias_quantizer")
    bits = [
        magnitude_and_fraction(
            np.asarray(quantised(quantiser_of(layer, key), np.asarray(array)), np.float64).ravel()
        )[1]
        for key, array in zip(keys, layer.arrays, strict=False)
    ]
    return max([max(known) + bits[0], *bits[1:]]) if bits else None


def _activation_bits(layer: Layer) -> int | None:
    word = _word_of(layer)
    quantiser = quantiser_of(layer, "activation") if word is not None else None
    if quantiser is None or word is None:
        return None
    return word.fraction_bits - int(np.log2(quantiser.settings.get("alpha") or 1))
