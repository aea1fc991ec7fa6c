"""Trees as firmware: trees in NumPy, Keras, interpreter, hls4ml, Verilog, netlist, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import heads
from harness.firmware.backend import FirmwareSettings
from harness.firmware.record import Firmware
from harness.firmware.translate.tracing import trace_program
from harness.submission import network
from tests.firmware_bench import export, make_firmware

pytestmark = pytest.mark.whole

BOOSTED = Path(__file__).parents[1] / "golden" / "trees" / "boosted.json"
# Of different sizes; one word has a sign; no leaf sets the lowest bit of its value.
TWO_TREES = {
    "feature": [0, 1, 2, -1, -1, -1, -1, 1, -1, -1],
    "threshold": [-9.0, 31.5, 4.25, 0, 0, 0, 0, 20.0, 0, 0],
    "left": [1, 3, 5, -1, -1, -1, -1, 8, -1, -1],
    "right": [2, 4, 6, -1, -1, -1, -1, 9, -1, -1],
    "value": [0, 0, 0, 0.0, 8.0, 14.0, 4.0, 0, 15.0, 1.0],
    "root": [0, 7],
}
WORDS = ["fixed<5,6>", "ufixed<5,6>", "ufixed<6,5>"]


def network_of(forest, words, leaf_bits):
    """Return a network of six values, in quarters, and of trees."""
    network.load_keras()
    import keras

    inputs = keras.Input((6,), name="event")
    x = heads.input_words(inputs, ["fixed<11,9>"])
    return keras.Model(inputs, heads.trees(x, forest, words=words, leaf_bits=leaf_bits))


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return np.load(BOOSTED.with_suffix(".npz"))["events"] - 20.0


@pytest.fixture(scope="module")
def made(tmp_path_factory, events):
    """Return the whole firmware of two small trees."""
    folder = tmp_path_factory.mktemp("trees")
    np.save(folder / "events.npy", events)
    exported = export(network_of(TWO_TREES, WORDS, 4), folder / "network")
    settings = FirmwareSettings(n_witness_events=200, n_csim_events=200)
    return make_firmware(exported, folder / "events.npy", folder, settings=settings)


def test_the_firmware_scores_as_the_rounded_trees_do(made, events):
    scores = np.fromfile(made.scores, "<f8")

    expected = heads.tree_scores(TWO_TREES, events, words=WORDS, leaf_bits=4)
    # By hand: leaves of 0, 4, 9 and 15 with 0 or 15; no event has 9 and 15.
    assert set(expected) == {0.0, 4.0, 9.0, 15.0, 19.0, 30.0}
    np.testing.assert_array_equal(scores, expected)


def test_every_witness_agrees_and_hls4ml_reads_the_trees_by_itself(made):
    assert isinstance(made.report, Firmware), made.report
    found = made.report.agreements
    others = {agreement.witnesses[1]: agreement for agreement in found}

    assert [agreement.n_different for agreement in found] == [0] * len(found)
    (simulation,) = (others[name] for name in others if "hls4ml" in name)
    assert simulation.is_independent
    assert any("netlist" in name for name in others)


def test_trees_multiply_nothing_and_take_little(made):
    assert (made.report.dsp.value, made.report.bram18.value) == (0, 0)
    assert made.report.lut.value < 100
    assert made.report.latency_ns.value <= 30


def test_boosted_trees_are_the_same_bits_in_keras_and_in_the_program(events):
    words = ["ufixed<6,7>", "ufixed<5,6>"]
    model = network_of(BOOSTED, words, 5)

    expected = heads.tree_scores(BOOSTED, events, words=words, leaf_bits=5)

    assert len(np.unique(expected)) > 15
    np.testing.assert_array_equal(np.asarray(model(events, training=False)).ravel(), expected)
    by_program = trace_program(model).predict(events.astype(np.float64))
    np.testing.assert_array_equal(np.ravel(by_program), expected)
