"""What becomes of a network's layers, by `harness synth` with the real tools.

The command runs in this process and its steps without a sandbox, so that a test takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import ExitCode, HarnessFaultError
from tests.integration.conftest import Synth

pytestmark = pytest.mark.whole


@pytest.fixture
def synth(synth_in_process: Synth) -> Callable[..., dict[str, Any]]:
    """`harness synth --json`; returns the record, or raises what the command did."""

    def run(network, *options: str, **declared: object) -> dict[str, Any]:
        done = synth_in_process(network, "--json", *options, **declared)
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)

    return run


def event(name: str = "event"):
    import keras

    from harness.submission.network import load_keras

    load_keras()
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    return keras.Input((57,), name=name)


def few_inputs(inputs, n_outputs: int = 2):
    """Cut the momenta of the first objects to short words and add some of them up."""
    import numpy as np

    from harness import heads

    words = heads.input_words(inputs, ["ufixed<13,13>", "fixed<4,4>", "fixed<4,4>"])
    short = heads.limit(words, ["ufixed<6,6>", "fixed<2,2>", "fixed<2,2>"])
    matrix = np.zeros((57, n_outputs))
    matrix[:12:3, :] = np.random.default_rng(1).choice([-0.25, 0.25, 0.5], (4, n_outputs))
    return heads.combine(short, matrix, name="few")


def assert_all_agree(record: dict[str, Any], *, n_witnesses: int = 4) -> None:
    """Check that every witness saw the scores, and that none differs."""
    agreements = record["agreements"]
    assert len(agreements) == n_witnesses, record["notes"]
    assert all(agreement["n_different"] == 0 for agreement in agreements)


# --- Tables ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_long_tables_are_made_of_luts_and_every_witness_sees_them(synth):
    import keras

    from harness import heads

    inputs = event()
    few = few_inputs(inputs)
    spread = heads.table(few, "kl_of_log_variance", word="fixed<10,4>", output="ufixed<14,10>")
    # All but a few entries are the same.
    rise = heads.table(few, "sigmoid", word="fixed<12,9>", output="ufixed<4,1>")
    both = keras.layers.Concatenate()([spread, rise])
    record = synth(keras.Model(inputs, heads.combine(both, [[1.0]] * 4, name="score")))

    assert_all_agree(record)
    assert record["bram18"]["value"] == 0
    assert record["lut"]["value"] > 50
    assert not any("not timed" in note or "not evaluated" in note for note in record["notes"])


def float_network(activation: str):
    import keras

    from harness import heads

    inputs = event()
    small = keras.initializers.RandomNormal(stddev=0.03)
    dense = keras.layers.Dense(2, activation=activation, kernel_initializer=small, name="bent")
    return keras.Model(inputs, heads.sum_of_squares(keras.layers.Dense(2)(dense(inputs))))


SLOW = ("sigmoid", "softsign", "hard_sigmoid")
WORDS = {"input": "fixed<16,13>", "weights": "fixed<10,2>", "activations": "fixed<16,12>"}


# One that bends and one of straight lines; the others of either kind are slow.
@pytest.mark.parametrize(
    "activation", ["tanh", "relu6", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_a_table_spends_its_bits_where_its_function_changes(synth, activation):
    record = synth(float_network(activation), "--quick", precision=WORDS)

    assert not any("warning" in note for note in record["notes"])


@pytest.mark.parametrize("activation", ["elu", pytest.param("softplus", marks=pytest.mark.slow)])
def test_a_table_that_loses_the_fraction_of_its_address_is_told(synth, activation):
    record = synth(float_network(activation), "--quick", precision=WORDS)

    (warning,) = (note for note in record["notes"] if "warning" in note)
    assert f"the table of layer 'bent>{activation}'" in warning
    assert "in steps of 4" in warning
    assert "activations are fixed<16,12>" in warning


def test_a_table_over_a_range_in_which_little_changes_is_told_a_better_word(synth):
    import keras

    from harness import heads

    inputs = event()
    values = few_inputs(inputs)
    bent = heads.table(values, "tanh", word="fixed<10,8>", output="fixed<10,2>", name="bent")
    record = synth(keras.Model(inputs, heads.sum_of_squares(bent)), "--quick")

    (warning,) = (note for note in record["notes"] if "warning" in note)
    assert "the table of layer 'bent' (tanh) reads its input in steps of 0.25" in warning
    # tanh is 1 to half a step of 1/256 from atanh(511/512) = 3.47 on.
    assert "fixed<10,3> covers all values at which it changes, in steps of 0.0078125" in warning


# --- Names ----------------------------------------------------------------------------------------

NAMES = ("input", "result", "dense-1", "dense.1", "dense_1", "1.b", "always", "clk", "n" * 128)


def test_neither_a_name_nor_a_long_table_switches_a_witness_off(synth):
    import keras
    from hgq.config import QuantizerConfigScope
    from hgq.layers import QDense

    from harness import heads

    # Keras itself gives other tensors such a name.
    inputs = event("keras_tensor_3")
    x = few_inputs(inputs)
    with (
        QuantizerConfigScope(place="datalane", overflow_mode="SAT", i0=4, f0=2),
        QuantizerConfigScope(place="weight", b0=3, i0=1),
    ):
        for name in NAMES:
            x = QDense(2, name=name)(x)
            x = x if name != "clk" else keras.layers.ReLU(max_value=6, name="float")(x)
        shared = QDense(2, name="model")
        x = shared(shared(x))
    x = heads.table(x, "tanh", word="fixed<10,4>", output="fixed<7,2>", name="result_t")
    record = synth(keras.Model(inputs, heads.sum_of_squares(x, word="fixed<7,2>"), name="int"))

    assert_all_agree(record)
    assert record["bram18"]["value"] == 0
    assert [one["is_independent"] for one in record["agreements"][:2]] == [True, True]
    stages = [stage["stage"] for stage in record["stages"]]
    assert {*NAMES, "float", "model", "result_t"} <= set(stages)


def test_a_float_network_keeps_its_names_whatever_they_are(synth):
    import keras

    from harness import heads

    inputs = event()
    x = keras.layers.Dense(2, name="dense")(inputs)
    x = keras.layers.Dense(2, name="q_dense")(x)
    x = keras.layers.Dense(2, name="input_words", activation="tanh")(x)
    twice = keras.layers.Dense(2, name="events", activation="tanh")
    network = keras.Model(inputs, heads.sum_of_squares(twice(twice(x))))
    record = synth(network, "--quick", precision=WORDS | {"activations": "fixed<16,6>"})

    assert record["lut"]["value"] > 0


# --- Faults ---------------------------------------------------------------------------------------


def test_what_a_step_of_the_firmware_did_not_expect_is_a_fault_of_the_harness(synth, monkeypatch):
    import keras

    from harness import heads
    from harness.firmware.translate import translation

    inputs = event()
    network = keras.Model(inputs, heads.sum_of_squares(few_inputs(inputs)))
    monkeypatch.setattr(translation, "count_operations", lambda _: {}["odd"])

    with pytest.raises(HarnessFaultError) as caught:
        synth(network, "--quick")

    assert caught.value.exit_code == ExitCode.HARNESS_FAULT
    assert "step firmware-trace: a fault of harness itself: KeyError: 'odd'" in str(caught.value)
    assert "Traceback" not in str(caught.value)
