"""What `validate` notes of a submission without faults."""

from __future__ import annotations

import numpy as np
import pytest

from harness.submission import notes
from harness.submission.advice import advise
from harness.submission.validate import read_submission
from tests.integration.conftest import MODEL, OPEN_MODEL, write_submission


def found(folder, *, has_fpga=True, was_run=False):
    submission = read_submission(folder)
    return list(notes.notes_on(submission, has_fpga=has_fpga, was_run=was_run))


def test_a_network_of_plain_layers_without_words_is_noted_without_a_run(tmp_path):
    folder = write_submission(tmp_path / "team_a", owners=["ada"])

    assert found(folder, was_run=True) == [notes.NO_PRECISION]
    assert found(folder, was_run=True, has_fpga=False) == []


@pytest.mark.parametrize("precision", ["auto", dict.fromkeys(("input", "weights"), "fixed<8,4>")])
def test_words_that_are_declared_are_not_missed(tmp_path, precision):
    if precision != "auto":
        precision = {**precision, "activations": "fixed<8,4>"}
    folder = write_submission(tmp_path / "team_a", owners=["ada"], precision=precision)

    assert found(folder, was_run=True) == []


def test_layers_of_hgq2_need_no_words(tmp_path):
    folder = write_submission(
        tmp_path / "team_a", owners=["ada"], model="import hgq.layers\n" + MODEL
    )

    assert found(folder, was_run=True) == []


def test_owners_are_asked_for_and_what_was_not_run_is_said(tmp_path):
    folder = write_submission(tmp_path / "team_a", model=OPEN_MODEL, division="open")

    owners, not_run = found(folder)
    assert owners == notes.NO_OWNERS
    assert f"harness validate {folder} --deep" in not_run


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, with NumPy 2
def test_weights_of_another_network_are_recognised(tmp_path):
    from harness.submission.network import load_keras

    load_keras()
    import keras

    def made(width):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(width)])

    path = tmp_path / "old.weights.h5"
    made(4).save_weights(path)
    with pytest.raises(ValueError, match=r"shape|variables") as caught:
        made(5).load_weights(path)
    assert "run train.py again" in advise(caught.value, "trigger")
    with pytest.raises(ValueError, match="reshape") as other:
        np.zeros(3).reshape(2, 2)
    assert advise(other.value, "trigger") == ""
