"""Make the saved models of this folder, and what Keras 2 and QKeras compute with them.

Run in an environment of its own, with Python 3.11::

    pip install tensorflow-cpu==2.15.1 keras==2.15.0 numpy==1.26.4 pyparsing qkeras==0.9.0
    python make.py

Each model is trained for a few steps on made-up events, so that its weights are no round numbers.
``NAME.npz`` holds the events ``x`` and, by its name, the output of each layer. Some inputs are
round numbers in binary, some are not.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import qkeras
import tensorflow as tf
from tensorflow.keras import Model, Sequential, layers

N_EVENTS = 64


def make_events():
    """Make events of three features of 19 objects: pT falls, eta and phi within 3."""
    rng = np.random.default_rng(19)
    events = rng.uniform(-3, 3, (4096, 19, 3))
    events[..., 0] = rng.exponential(30, (4096, 19))
    events[rng.uniform(size=(4096, 19)) < 0.4] = 0
    events[::2] = np.round(events[::2] * 16) / 16
    return events.astype("float32")


EVENTS = make_events()


def save(name, model, targets, formats, shape):
    """Train a model, save it, and write what its layers compute."""
    tf.random.set_seed(5)
    x = EVENTS.reshape(-1, *shape)
    model.compile(tf.keras.optimizers.Adam(0.003), "mse")
    model.fit(x, targets(x), epochs=2, batch_size=64, verbose=0)
    # Without the state of the training, which would be two thirds of a file.
    model = Model(model.inputs, model.outputs)
    if "h5" in formats:
        model.save(f"{name}.h5")
    if "keras" in formats:
        model.save(f"{name}.keras")
    if "json" in formats:
        Path(f"{name}.json").write_text(model.to_json(), encoding="utf-8")
        model.save_weights(f"{name}_old.h5")
        model.save_weights(f"{name}.weights.h5")
    x = x[:N_EVENTS]
    inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    outputs = Model(model.input, [layer.get_output_at(-1) for layer in inner]).predict(x, verbose=0)
    outputs = [outputs] if len(inner) == 1 else outputs
    named = {layer.name: output for layer, output in zip(inner, outputs)}
    np.savez_compressed(f"{name}.npz", x=x, score_of_the_file=model.predict(x, verbose=0), **named)


def plain_autoencoder():
    """An autoencoder of Keras 2: models within the model, activations in other layers."""
    encoder = Sequential(
        [
            layers.BatchNormalization(input_shape=(57,), name="scaled"),
            layers.Dense(16, name="hidden"),
            layers.LeakyReLU(0.1),
            layers.BatchNormalization(name="normalised"),
            layers.Dense(4, activation="tanh", name="latent"),
        ],
        name="encoder",
    )
    inputs = layers.Input((57,))
    latent = layers.Dropout(0.1)(encoder(inputs))
    hidden = layers.Dense(16, activation="elu", name="back")(latent)
    return Model(inputs, layers.Dense(57, name="reconstruction")(hidden))


def plain_images():
    """A convolutional network of Keras 2 with a branch."""
    inputs = layers.Input((19, 3, 1))
    x = layers.ZeroPadding2D(((1, 0), (0, 0)))(inputs)
    x = layers.Conv2D(4, (3, 3), activation="relu")(x)
    left = layers.AveragePooling2D((3, 1))(x)
    right = layers.MaxPooling2D((3, 1))(x)
    x = layers.Concatenate()([layers.Flatten()(left), layers.Flatten()(right)])
    x = layers.Dense(8)(layers.ReLU(max_value=6.0)(x))
    x = layers.PReLU()(x)
    return Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def sampling(moments):
    """Draw from the latent space: the code in this layer is what no reader may run."""
    mean, log_variance = moments
    return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))


def variational():
    """A variational autoencoder of Keras 2, with a Lambda."""
    inputs = layers.Input((57,))
    hidden = layers.Dense(8, activation="relu", name="hidden")(inputs)
    mean = layers.Dense(3, name="z_mean")(hidden)
    log_variance = layers.Dense(3, name="z_log_var")(hidden)
    latent = layers.Lambda(sampling, name="z")([mean, log_variance])
    return Model(inputs, layers.Dense(57, name="reconstruction")(latent))


def quantised_autoencoder():
    """An autoencoder of QKeras, as on the trigger: power-of-two scales, plain normalisation."""
    inputs = layers.Input((57,))
    x = qkeras.QActivation("quantized_bits(12, 8, alpha=1)", name="words")(inputs)
    x = qkeras.QDense(
        16,
        kernel_quantizer=qkeras.quantized_bits(6, 0, alpha=1),
        bias_quantizer=qkeras.quantized_bits(8, 3, alpha=1),
        name="hidden",
    )(x)
    x = layers.BatchNormalization(name="normalised")(x)
    x = qkeras.QActivation("quantized_relu(8, 4)", name="rectified")(x)
    x = qkeras.QDense(
        4,
        kernel_quantizer=qkeras.quantized_bits(6, 1, symmetric=1, alpha=None),
        bias_quantizer=qkeras.quantized_bits(6, 2, alpha=1),
        activation=qkeras.quantized_bits(8, 3, 0, alpha=1),
        name="latent",
    )(x)
    x = qkeras.QDense(
        57,
        kernel_quantizer="quantized_bits(6,1,alpha='auto_po2')",
        bias_quantizer=qkeras.quantized_bits(10, 6, alpha=1),
        name="reconstruction",
    )(x)
    return Model(inputs, qkeras.QActivation("quantized_bits(12, 8)", name="rounded")(x))


def quantised_images():
    """A convolutional network of QKeras with every quantiser of weights."""
    inputs = layers.Input((19, 3, 1))
    x = qkeras.QActivation("quantized_bits(10, 6, 1)", name="words")(inputs)
    x = qkeras.QConv2D(
        4,
        (3, 3),
        kernel_quantizer=qkeras.quantized_bits(5, 0, alpha=0.5),
        bias_quantizer=qkeras.quantized_po2(4, max_value=2),
        name="images",
    )(x)
    x = qkeras.QBatchNormalization(
        gamma_quantizer=qkeras.quantized_relu(6, 2),
        variance_quantizer=qkeras.quantized_bits(16, 12, keep_negative=False, alpha=1),
        beta_quantizer=qkeras.quantized_bits(6, 3, alpha=1),
        mean_quantizer=qkeras.quantized_bits(8, 5, alpha=1),
        name="normalised",
    )(x)
    x = qkeras.QActivation("quantized_relu(6, 3)", name="rectified")(x)
    x = layers.MaxPooling2D((2, 1), name="pooled")(x)
    x = layers.Reshape((8, 4), name="rows")(x)
    x = qkeras.QConv1D(
        4,
        3,
        strides=2,
        padding="same",
        kernel_quantizer=qkeras.ternary(alpha="auto_po2"),
        use_bias=False,
        name="columns",
    )(x)
    x = qkeras.QActivation("quantized_bits(8, 4, keep_negative=True)", name="rounded")(x)
    x = layers.Flatten(name="flat")(x)
    left = qkeras.QDense(6, kernel_quantizer=qkeras.binary(alpha="auto_po2"), name="left")(x)
    right = qkeras.QDense(6, kernel_quantizer=qkeras.quantized_po2(4), name="right")(x)
    x = layers.Add(name="sum")([left, right])
    x = qkeras.QActivation("quantized_relu(10, 6)", name="positive")(x)
    x = qkeras.QDense(4, kernel_quantizer="ternary(alpha=1)", use_bias=False, name="last")(x)
    x = qkeras.QActivation("quantized_bits(10, 5, alpha=2.0)", name="cut")(x)
    x = qkeras.QDense(1, kernel_quantizer=qkeras.binary(use_01=True, alpha=1), name="one")(x)
    return Model(inputs, qkeras.QActivation("quantized_relu(12, 8)", name="score")(x))


def half(x):
    """Give what the scores of images learn: a sum of some inputs."""
    return np.clip(x.reshape(len(x), -1)[:, ::9].sum(axis=1, keepdims=True) / 16, 0, 100)


if __name__ == "__main__":
    tf.keras.utils.set_random_seed(3)
    same = np.asarray
    save("plain_autoencoder", plain_autoencoder(), same, ("h5", "keras", "json"), (57,))
    save("plain_images", plain_images(), lambda x: half(x) / 100, ("h5", "keras"), (19, 3, 1))
    save("variational", variational(), same, ("h5",), (57,))
    save("quantised_autoencoder", quantised_autoencoder(), same, ("h5", "keras", "json"), (57,))
    save("quantised_images", quantised_images(), half, ("h5", "keras"), (19, 3, 1))
