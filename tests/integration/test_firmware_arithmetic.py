"""That the firmware computes what the network does, as `harness synth --quick` says it.

The command runs in this process and its steps without a sandbox, so that a test takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import cli
from harness.errors import ExitCode, IntegrityError
from harness.firmware.translate import tracing
from harness.sandbox.workspace import Workspace
from harness.scoring import synthesis
from harness.scoring.scorer import ExportedNetwork
from harness.submission.network import load_keras
from tests.firmware_bench import deep, direct_step, export, fixed, rounding_to_even
from tests.integration.conftest import CommandLine, write_submission

N_INPUTS = 57
Synth = Callable[..., Result]


@pytest.fixture
def synth(harness: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synth:
    """`harness synth --quick` of a network on the toy challenge."""

    @contextmanager
    def opened(_):
        yield Workspace(run_step=direct_step, folder=tmp_path / "steps")

    monkeypatch.setattr(synthesis, "open_workspace", opened)
    monkeypatch.setenv("HARNESS_CACHE", str(harness.folder / "cache"))

    def run(network, *options: str) -> Result:
        graph, weights = export(network, tmp_path / "network")
        exported = ExportedNetwork(graph=graph, weights=weights, digest="")
        monkeypatch.setattr(synthesis, "extract_network", lambda *_: exported)
        folder = write_submission(tmp_path / "team_exact")
        toy = ("--challenge", "toy", "--manifest", str(harness.manifest))
        return CliRunner().invoke(cli, ["synth", str(folder), *toy, "--quick", *options])

    return run


def agreement(result: Result) -> dict:
    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    (found,) = json.loads(result.stdout)["agreements"]
    return found


def test_a_deep_network_is_compared_with_keras_and_agrees(synth):
    found = agreement(synth(deep(N_INPUTS), "--json"))

    # 2,000 real events, and 6 + 3 x 3 + 2 x 1,000 at the edges of the words that are read.
    assert found["n_events"] >= 4_000
    assert found["n_different"] == 0


def test_a_program_that_loses_a_constant_is_an_integrity_fault(synth, monkeypatch):
    """The guard of the test above: da4ml alone computes another score, and harness says so."""
    from contextlib import nullcontext

    monkeypatch.setattr(tracing, "exact_da4ml", nullcontext)
    # Another clock, so that nothing comes out of the cache.
    result = synth(deep(N_INPUTS), "--clock", "6")

    assert isinstance(result.exception, IntegrityError)
    assert "the quantised Keras graph" in str(result.exception)


def test_a_network_that_rounds_to_even_has_firmware(synth):
    assert agreement(synth(rounding_to_even(N_INPUTS), "--json"))["n_different"] == 0


def test_a_layer_that_needs_too_many_bits_ends_with_its_name_and_what_to_do(synth):
    load_keras()
    import keras
    from hgq.layers import QMultiply

    from harness import heads

    inputs = keras.Input((N_INPUTS,), name="event")
    x = heads.input_words(inputs, ["ufixed<20,13>"])[:, :1]
    square = QMultiply(enable_iq=False, name="square")([x, x])
    fourth = QMultiply(enable_iq=False, name="fourth")([square, square])
    score = QMultiply(enable_iq=False, name="fifth")([fourth, x])

    result = synth(keras.Model(inputs, heads.limit(score, ["ufixed<16,16>"])))

    assert result.exit_code == ExitCode.INVALID
    told = " ".join(result.stdout.split())
    assert "layer 'fourth': computes with 80 bits" in told
    assert "by heads.limit" in told


def test_an_input_rounded_to_even_ends_with_what_to_write(synth):
    load_keras()
    import keras
    from hgq.layers import QDense

    inputs = keras.Input((N_INPUTS,), name="event")
    config = fixed(8, 6, is_signed=True, place="datalane", round_mode="RND_CONV")
    layer = QDense(1, iq_conf=config, kq_conf=fixed(3, 2), enable_ebops=False, name="first")

    result = synth(keras.Model(inputs, layer(inputs)))

    assert result.exit_code == ExitCode.INVALID
    assert "heads.input_words(inputs, [...])" in " ".join(result.stdout.split())
