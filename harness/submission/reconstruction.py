"""The step that shows what an autoencoder makes of an event, in a sandbox.

A network that has a layer called `LAYER`, whose output has the shape of the event, is taken to
reconstruct the event there. That layer is in the graph that is scored, so what is shown is what the
score is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import JsonValue, NonNegativeInt

from harness.challenge import Value
from harness.submission.events import open_events
from harness.submission.network import load_keras, rebuild

LAYER = "reconstruction"
# Images are made dense so many at a time.
_AT_ONCE = 8


class ReconstructionReport(Value):
    """What `reconstruct` reports: whether the network has a reconstruction, and of how many."""

    has_reconstruction: bool
    n_events: NonNegativeInt = 0


def reconstruct(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Reconstruct events with the layer `LAYER` of an exported network.

    Parameters
    ----------
    request : mapping
        ``n_whole``: of so many events, the first ones, the reconstruction is written.
    inputs : mapping
        ``graph``, ``weights`` and ``events``.
    outputs : mapping
        ``sums``: little-endian float64, the sum over the reconstruction of each event; ``whole``:
        little-endian float32, the reconstructions themselves. Both are empty if there is no such
        layer.
    """
    load_keras()
    import keras

    model = rebuild(inputs["graph"], inputs["weights"])
    events = open_events(inputs["events"])
    n_whole = cast("int", request["n_whole"])
    layer = next((one for one in model.layers if one.name == LAYER), None)
    is_there = layer is not None and tuple(layer.output.shape[1:]) == tuple(events.shape[1:])
    with outputs["sums"].open("wb") as sums, outputs["whole"].open("wb") as whole:
        if layer is None or not is_there:
            return {"has_reconstruction": False}
        inner = keras.Model(model.input, layer.output)
        for start in range(0, len(events), _AT_ONCE):
            given = events[start : start + _AT_ONCE].reshape(-1, *model.input_shape[1:])
            again = np.asarray(inner(given, training=False), "<f4")
            flat = again.reshape(len(again), -1)
            sums.write(flat.sum(axis=1, dtype="<f8").tobytes())
            whole.write(flat[: max(0, n_whole - start)].tobytes())
    return {"has_reconstruction": True, "n_events": len(events)}
