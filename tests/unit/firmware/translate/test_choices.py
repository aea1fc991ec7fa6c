"""What a submission chooses of hls4ml's flow: it is in the C++, and the scores stay the same."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from harness import heads
from harness.challenge import FirmwareChoices, LayerChoices
from harness.errors import HarnessError
from harness.firmware.backend import FirmwareSettings, UntranslatableError
from harness.firmware.translate.hls4ml_project import PROJECT
from harness.firmware.translate.tracing import trace_program
from harness.firmware.translate.translation import translate
from harness.firmware.witnesses.csim import simulate_project
from harness.submission import network
from tests.firmware_bench import (
    ask,
    encoder,
    every_pair,
    export,
    plain_events,
    two_and_one,
    words_in,
)


def chosen(model, folder, **choices):
    """Translate a network with choices."""
    exported = export(model, folder / "network")
    settings = FirmwareSettings(n_workers=1)
    request = ask(exported, None, folder, choices=FirmwareChoices(**choices), settings=settings)
    return translate(request, has_hls4ml=True)


def parameters(translation) -> str:
    with tarfile.open(translation.project) as archive:
        file = archive.extractfile(f"{PROJECT}/firmware/parameters.h")
        assert file is not None
        return file.read().decode()


def simulate(translation, events, folder):
    np.save(folder / "rows.npy", events)
    simulate_project(
        {"n_processes": 1, "timeout_s": 200.0},
        {"project": translation.project, "events": folder / "rows.npy"},
        {"scores": folder / "scores"},
    )
    return np.fromfile(folder / "scores")


def test_a_streaming_network_with_reused_multipliers_gives_the_same_scores(tmp_path):
    made = chosen(two_and_one(), tmp_path, strategy="resource", reuse_factor=2, io_type="io_stream")

    assert made.report.hls4ml == "translated"
    text = parameters(made)
    assert "strategy = nnet::resource" in text
    assert "reuse_factor = 2" in text
    assert "nnet::io_stream" in text
    expected = [2 * a + b for a in range(8) for b in range(8)]
    assert simulate(made, every_pair(), tmp_path).tolist() == expected


def test_a_layer_may_have_choices_of_its_own_and_another_factor_is_said(tmp_path):
    layers = {"mu": LayerChoices(strategy="resource", reuse_factor=3)}
    made = chosen(encoder(), tmp_path, reuse_factor=2, layers=layers)

    parts = parameters(made).split("struct config")
    dense = [part for part in parts if "strategy = nnet::" in part]
    assert ["nnet::resource" in part for part in dense] == [False, True, False]
    assert "reuse_factor = 2" in dense[0]
    # mu has four inputs and two outputs.
    assert made.report.warnings == ("layer mu: hls4ml takes the reuse factor 2 in place of 3",)


def test_a_layer_without_a_form_of_the_strategy_resource_keeps_latency_and_is_named(tmp_path):
    network.load_keras()
    import keras

    inputs = keras.Input((3,), name="event")
    x = heads.scale(words_in(inputs, 6, 4, is_signed=True), [0, 1, 2])
    scale = x._keras_history.operation.name
    score = heads.combine(x, [[1.0], [2.0], [0.5]], name="score")

    made = chosen(keras.Model(inputs, score), tmp_path, strategy="resource")

    assert made.report.hls4ml == "translated"
    assert made.report.warnings == (
        f"layer {scale}: hls4ml has no strategy resource for it, and takes latency",
    )
    assert "strategy = nnet::resource" in parameters(made)


def test_layers_of_distributed_arithmetic_are_no_second_opinion(tmp_path):
    made = chosen(encoder(), tmp_path, strategy="distributed_arithmetic")

    assert made.report.hls4ml == "translated"
    assert set(made.report.da4ml_layers) >= {"hidden", "mu", "score"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [{"strategy": "distributed_arithmetic"}, {"strategy": "resource", "reuse_factor": 4}],
    ids=["distributed", "resource"],
)
def test_each_strategy_gives_the_same_scores(tmp_path, choices):
    model, events = encoder(), plain_events(400, 6)
    made = chosen(model, tmp_path, **choices)

    expected = trace_program(model).predict(events).ravel()
    np.testing.assert_array_equal(simulate(made, events, tmp_path), expected)


def test_what_cannot_stream_is_said_and_has_no_second_translator(tmp_path):
    made = chosen(encoder(), tmp_path, io_type="io_stream")

    assert made.project is None
    assert "io_parallel" in made.report.hls4ml


def test_a_layer_that_there_is_not_is_named(tmp_path):
    with pytest.raises(HarnessError, match="no layer hiden") as caught:
        chosen(encoder(), tmp_path, layers={"hiden": LayerChoices(reuse_factor=2)})

    assert isinstance(caught.value, UntranslatableError)
    assert "firmware.layers" in str(caught.value)
    assert "hidden" in str(caught.value)
