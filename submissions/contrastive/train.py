"""Train the encoder of `model.py` by contrast, then the autoencoder on its space.

Run it in this folder: ``python train.py``. The training part of the background alone is read, the
validation part to stop; about a minute on two free cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "_kit"))

import keras
import kit
import numpy as np
from hgq.config import LayerConfigScope
from model import ERROR_WORD, WEIGHTS, autoencoder, encoder
from numpy.typing import NDArray

from harness import heads

# What a bit operation costs in the loss of the encoder and of the autoencoder.
EBOPS_WEIGHT, AUTOENCODER_EBOPS_WEIGHT = 3e-6, 1e-5
TEMPERATURE = 0.5
# What a view changes: pT by 10 %, the whole event rotated in phi; an object in ten is lost.
SMEARING, LOSS = 0.1, 0.1


class Contrast(keras.layers.Layer):
    """Adds the contrastive loss of the places of two views of the same events (NT-Xent)."""

    def call(self, places: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Return the first view's places; the loss is on the side."""
        first, second = (
            place / keras.ops.sqrt(1e-3 + keras.ops.sum(place**2, axis=-1, keepdims=True))
            for place in places
        )
        likeness = keras.ops.matmul(first, keras.ops.transpose(second)) / TEMPERATURE
        own = keras.ops.diagonal(likeness)
        others = keras.ops.logsumexp(likeness, axis=-1) + keras.ops.logsumexp(likeness, axis=0)
        # A weak pull towards the origin keeps the scale of the space, which the angle leaves open.
        pull = sum(keras.ops.mean(place**2) for place in places)
        self.add_loss(keras.ops.mean(0.5 * others - own) + 1e-3 * pull)
        return places[0]


def view(events: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Return another view of each event: smeared, rotated, some objects lost."""
    seen = events.reshape(len(events), -1, 3).copy()
    is_there = seen[..., 0] > 0
    seen[..., 0] *= np.exp(SMEARING * generator.standard_normal(is_there.shape))
    turned = seen[..., 2] + generator.uniform(-np.pi, np.pi, (len(seen), 1))
    seen[..., 2] = (turned + np.pi) % (2 * np.pi) - np.pi
    is_kept = is_there & (generator.random(is_there.shape) > LOSS)
    is_kept[:, 0] = is_there[:, 0]
    return (seen * is_kept[..., None]).reshape(events.shape).astype(np.float32)


def nothing(_: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Leave the loss to the layer."""
    return 0.0 * keras.ops.sum(predicted, axis=-1)


def squared_error(truth: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Return the squared error of each place."""
    return keras.ops.sum(keras.ops.square(truth - predicted), axis=-1)


def train(settings: kit.Settings) -> None:
    """Train both parts, one after the other, and write the weights."""
    events = kit.background(settings)
    generator = np.random.default_rng(settings.seed)
    with LayerConfigScope(beta0=EBOPS_WEIGHT):
        inputs, place = encoder()
    contrastive = keras.Model(inputs, place)
    other = keras.Input(inputs.shape[1:], name="other_view")
    pairs = {
        part: [view(values, generator), view(values, generator)]
        for part, values in (("training", events.training), ("validation", events.validation))
    }
    kit.fit(
        keras.Model([inputs, other], Contrast()([place, contrastive(other)])),
        settings,
        training=(pairs["training"], np.zeros(len(events.training), np.float32)),
        validation=(pairs["validation"], np.zeros(len(events.validation), np.float32)),
        loss=nothing,
        ebops_weight=EBOPS_WEIGHT,
        batch_size=512,
    )
    contrastive.trainable = False
    with LayerConfigScope(beta0=AUTOENCODER_EBOPS_WEIGHT):
        space = keras.Input(place.shape[1:], name="space_input")
        seen, reconstruction = autoencoder(space)
    places = {
        part: contrastive.predict(values, batch_size=8_192, verbose=0)
        for part, values in (("training", events.training), ("validation", events.validation))
    }
    decoding = keras.Model(space, reconstruction)
    kit.fit(
        decoding,
        settings,
        training=(places["training"], places["training"]),
        validation=(places["validation"], places["validation"]),
        loss=squared_error,
        ebops_weight=AUTOENCODER_EBOPS_WEIGHT,
    )
    del seen
    kit.save(joined(contrastive, decoding), settings.output)


def joined(contrastive: keras.Model, decoding: keras.Model) -> keras.Model:
    """Return the network of `model.py` with the weights of both parts."""
    inputs, place = encoder()
    seen, reconstruction = autoencoder(place)
    network = keras.Model(inputs, heads.mean_squared_error(seen, reconstruction, word=ERROR_WORD))
    for part in (contrastive, decoding):
        for layer in part.layers:
            if layer.weights:
                network.get_layer(layer.name).set_weights(layer.get_weights())
    return network


if __name__ == "__main__":
    kit.run(train, output=WEIGHTS, description=__doc__)
