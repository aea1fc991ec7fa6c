"""Networks that participants bring: the command line translates or refuses them with a cure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import CommandLine, write_submission

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
INVALID = 3
WORDS = {"input": "fixed<16,13>", "weights": "fixed<6,1>", "activations": "fixed<10,6>"}

# The shape of the convolutional autoencoder of ADC2021, with few channels.
AUTOENCODER = """
import keras
from keras import layers, ops


def network():
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([
        keras.Input((19, 3, 1)),
        layers.Rescaling(1 / 64),
        layers.Conv2D(2, (3, 3), use_bias=False, padding="same"),
        layers.AveragePooling2D((3, 1)),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Flatten(),
        layers.Dense(3),
    ], name="encoder")
    decoder = keras.Sequential([
        keras.Input((3,)),
        layers.Dense(9 * 3 * 2),
        layers.LeakyReLU(),
        layers.Reshape((9, 3, 2)),
        layers.UpSampling2D((2, 1)),
        layers.ZeroPadding2D(((1, 0), (0, 0))),
        layers.Conv2D(1, (3, 3), use_bias=False, padding="same"),
    ], name="decoder")
    image = keras.Input((19, 3, 1))
    both = keras.Model(encoder.inputs, decoder(encoder.outputs[0]), name="both")
    loss = ops.mean(ops.square(ops.subtract(image, both(image))), axis=(1, 2, 3))
    return keras.Model(image, loss)
"""
REFUSED = """
import keras
from keras import layers


def network():
    keras.utils.set_random_seed(1)
    event = keras.Input((57,))
    x = layers.LayerNormalization(name="norm")(event)
    x = layers.Dense(4, activation="softmax", name="classes")(x)
    x = layers.Reshape((2, 2, 1))(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="smooth")(x)
    return keras.Model(event, layers.Dense(1)(layers.Flatten()(x)))
"""
# Models of HGQ2 within each other; one is used twice. Words as older files of HGQ2 write them.
NESTED = """
import keras
from hgq.config import QuantizerConfigScope
from hgq.layers import QAdd, QDense

from harness import heads


def network():
    keras.utils.set_random_seed(1)
    event = keras.Input((57,))
    x = heads.input_words(event, ["ufixed<15,13>", "fixed<8,4>", "fixed<8,3>"])
    x = heads.limit(x, ["ufixed<6,6>", "fixed<5,3>", "fixed<5,3>"])
    with QuantizerConfigScope(
        place="datalane", overflow_mode="sat", round_mode="trn", i0=6, f0=2
    ):
        inner = keras.Sequential([keras.Input((4,)), QDense(3, activation="relu")], name="inner")
        first, second = QDense(4, name="first")(x), QDense(4, name="second")(x)
        mu = QAdd()([inner(first), inner(second)])
    return keras.Model(event, heads.sum_of_squares(mu, word="fixed<10,8>"))
"""


def synth(harness: CommandLine, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return harness(*("synth", folder, "--challenge", "toy", "--manifest", harness.manifest, *more))


def test_a_convolutional_autoencoder_of_plain_layers_becomes_firmware(harness, tmp_path):
    folder = write_submission(tmp_path / "team_conv", model=AUTOENCODER, precision=WORDS)

    done = synth(harness, folder, "--quick", "--json")

    assert done.returncode == 0, done.stderr
    firmware = json.loads(done.stdout)
    assert firmware["lut"]["value"] > 1_000
    assert firmware["latency_cycles"]["value"] > 2


def test_models_within_models_of_hgq2_become_firmware(harness, tmp_path):
    folder = write_submission(tmp_path / "team_nested", model=NESTED)

    done = synth(harness, folder, "--quick", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lut"]["value"] > 100


def test_all_layers_without_firmware_are_told_and_the_exit_code_says_that_nothing_was_made(
    harness, tmp_path
):
    folder = write_submission(tmp_path / "team_odd", model=REFUSED, precision=WORDS)
    project = tmp_path / "project"

    done = synth(harness, folder, "--quick", "--json", "--export", str(project))

    assert done.returncode == INVALID, done.stderr
    told = json.loads(done.stdout)["not_measured"]
    assert "layer 'norm' (LayerNormalization)" in told
    assert "layer 'classes' (Dense): the activation 'softmax'" in told
    assert "hgq.layers.QSoftmax()" in told
    assert "layer 'smooth' (UpSampling2D)" in told
    assert "interpolation='nearest'" in told
    assert not project.exists()


@pytest.mark.slow
def test_a_score_without_firmware_says_why_and_is_not_ranked(harness, tmp_path):
    folder = write_submission(tmp_path / "team_odd", model=REFUSED, precision=WORDS)
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    done = harness("score", folder, *toy, "--results", tmp_path / "my results")

    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "firmware: not measured: layer 'norm' (LayerNormalization)" in text
    assert "not ranked: unofficial: no firmware: layer 'norm' (LayerNormalization)" in text


def test_the_help_says_what_the_exit_code_is_where_nothing_was_measured(harness):
    text = " ".join(harness.here("synth", "--help").stdout.split())

    assert (
        "nothing is measured: the message names each layer in the way, and the exit code is 3"
        in text
    )


@pytest.mark.slow
def test_a_clone_in_an_odd_path_makes_firmware(harness, tmp_path):
    """Environment, code, submission, scratch and cache: all of them lie in such a path."""
    odd = tmp_path / "My code (2) é it's & $x"
    (odd / "tmp").mkdir(parents=True)
    for name, target in {
        ".venv": Path(sys.prefix),
        "harness": ROOT / "harness",
        "data_manifest.yaml": ROOT / "data_manifest.yaml",
    }.items():
        (odd / name).symlink_to(target)
    folder = write_submission(odd / "sub missions" / "team_sum", precision=WORDS)
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    done = subprocess.run(
        [odd / ".venv/bin/python", "-m", "harness.cli", "synth", folder, *toy, "--json"],
        cwd=odd,
        env={
            **os.environ,
            "PYTHONPATH": str(odd),
            "TMPDIR": str(odd / "tmp"),
            "HARNESS_CACHE": str(harness.folder / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lut"]["evidence"] == "rtl"
