"""What participants write, and what `harness validate` and `harness score` say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import CommandLine, write_submission

INVALID = 3


@pytest.fixture
def folder(harness: CommandLine, tmp_path: Path) -> Path:
    """Return a submission of the trigger division without faults."""
    return write_submission(tmp_path / "team_p")


def one_line(text: str) -> str:
    """Return a message without its line breaks."""
    return " ".join(text.split())


# --- Words ----------------------------------------------------------------------------------------


def test_a_precision_may_be_written_as_vitis_writes_it(harness, folder):
    words = {"input": "ap_fixed<16,13>", "weights": "ap_fixed<8, 2, AP_RND, AP_SAT>"}
    write_submission(folder, precision={**words, "activations": "ap_ufixed<16,8>"})
    done = harness("validate", folder)
    assert done.returncode == 0, done.stderr


def test_a_mode_that_cannot_be_built_is_named_once(harness, folder):
    words = dict.fromkeys(("weights", "activations"), "ap_fixed<16,6,AP_RND_CONV>")
    write_submission(folder, precision={"input": "ap_fixed<16,6,AP_RND>", **words})
    done = harness("validate", folder)
    said = one_line(done.stderr)
    assert done.returncode == INVALID
    assert said.count("AP_RND_CONV is not built by this firmware: write AP_TRN or AP_RND") == 2
    assert "field precision.input: 'ap_fixed<16,6,AP_RND>': an input is cut" in said
    assert "Value error" not in said


def test_the_modes_of_words_decide_how_a_float_network_is_rounded():
    from harness.firmware.translate.quantise import to_fixed_width
    from harness.submission.network import load_keras

    load_keras()
    import keras
    import numpy as np

    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.set_weights([np.float32([[1.0]])])
    scores = {}
    for modes in ("", ",AP_TRN", ",AP_RND,AP_WRAP"):
        words = {"input": "fixed<16,8>", "weights": "fixed<8,4>"}
        fixed = to_fixed_width(model, {**words, "activations": f"fixed<4,4{modes}>"})
        scores[modes] = np.asarray(fixed(np.float32([[1.75], [9.0]]))).ravel().tolist()
    # A word of four bits before the point ends at 7; 9 wraps around to -7.
    assert scores == {"": [2, 7], ",AP_TRN": [1, 7], ",AP_RND,AP_WRAP": [2, -7]}
