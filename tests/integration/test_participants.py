"""What participants write, and what `harness validate` and `harness score` say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import MODEL, OPEN_MODEL, CommandLine, write_submission

SUBMISSION_FAILED, INVALID = 1, 3


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


# --- Files ----------------------------------------------------------------------------------------


def test_what_a_system_leaves_in_the_folder_is_ignored_and_named_once(harness, folder):
    before = harness("validate", folder)
    (folder / "._model.py").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xa3")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "model-checkpoint.py").write_text("def network(:")
    done = harness("validate", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == before.stdout
    assert done.stderr == (
        "ignored, because a system, an editor or a tool left it: ._model.py, .ipynb_checkpoints\n"
    )


def test_nothing_hides_in_a_file_that_is_ignored(harness, folder):
    model = "import os\nraise RuntimeError(sorted(os.listdir('.')))\n" + OPEN_MODEL
    write_submission(folder, division="open", model=model)
    for name in ("._weights.npz", "Thumbs.db", ".model.py.swp", "model.py~"):
        (folder / name).write_bytes(b"x")
    done = harness.score(folder, "--quick")
    assert done.returncode == SUBMISSION_FAILED
    assert "['model.py', 'submission.yaml']" in done.stderr
    assert done.stderr.count("ignored, because") == 1


def test_a_file_is_missed_only_where_it_is_read(harness, folder):
    mentioned = '"""Better than old.weights.h5."""\n# As other.npz.\nTRAINED = "first.keras"\n'
    training = "def train(model):\n    model.load_weights('last.weights.h5')\n"
    write_submission(folder, model=mentioned + MODEL + training)
    done = harness("validate", folder)
    assert done.returncode == 0, done.stderr
    reading = "\nimport numpy as np\nMEANS = np.load('means.npz') or np.load('._spread.npz')\n"
    write_submission(folder, model=mentioned + MODEL + reading)
    done = harness("validate", folder)
    said = one_line(done.stderr)
    assert done.returncode == INVALID
    assert said.count("error:") == 2
    assert "reads 'means.npz', which is not in the submission" in said
    assert "run train.py, or add the file" in said
    assert "give it another name: files of this name are ignored" in said
