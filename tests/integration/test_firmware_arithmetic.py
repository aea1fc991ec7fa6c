"""That the firmware computes what the network does, as `harness synth --quick` says it.

The command runs in this process and its steps without a sandbox, so that a test takes seconds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from harness.card.figures import NotMeasured
from harness.card.run import IsolationRecord
from harness.cli import cli
from harness.errors import ExitCode, IntegrityError
from harness.firmware.synthesise import synthesise
from harness.firmware.translate import tracing
from harness.sandbox.step import Usage
from harness.sandbox.workspace import Workspace
from harness.scoring import pipeline, trial, with_firmware
from harness.scoring.scorer import ExportedNetwork
from harness.submission.network import load_keras
from tests.events import make_events
from tests.firmware_bench import deep, direct_step, export, fixed, rounding_to_even
from tests.integration.conftest import CommandLine, Synth, write_submission

pytestmark = pytest.mark.whole

N_INPUTS = 57
Score = Callable[..., Result]
Validate = Callable[..., Result]


def saturating(*, rounding: str = "RND"):
    """Return a network whose first quantiser saturates, of four inputs without words."""
    load_keras()
    import keras
    import numpy as np
    from hgq.layers import QDense

    inputs = keras.Input((N_INPUTS,), name="event")
    layer = QDense(
        2,
        iq_conf=fixed(6, 5, is_signed=True, place="datalane", round_mode=rounding),
        kq_conf=fixed(3, 1, is_signed=True),
        enable_ebops=False,
        use_bias=False,
        name="first",
    )
    x = layer(inputs)
    kernel = np.zeros((N_INPUTS, 2))
    kernel[:4] = [[0.75, -0.5], [0.25, 0.5], [-1, 0.25], [0.5, -0.25]]
    layer.kernel.assign(kernel)
    from harness import heads

    return keras.Model(inputs, heads.sum_of_squares(x, word="fixed<8,7>"))


@pytest.fixture
def synth(synth_in_process: Synth) -> Synth:
    return lambda network, *options, **declared: synth_in_process(
        network, "--quick", *options, **declared
    )


@pytest.fixture
def score(harness: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    return make_score(harness, tmp_path, monkeypatch)


def make_score(harness: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """`harness score` of a network on the toy challenge, with firmware by estimate alone."""

    def timed(step, place):
        # The speed of the scoring decides how many events the integrity checks take.
        return replace(
            direct_step(step, place), usage=Usage(wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1)
        )

    sandbox = SimpleNamespace(run=timed, start=None, record=IsolationRecord(kind="bwrap"))
    # It runs beside the scoring, which two steps in one process cannot.
    monkeypatch.setattr(pipeline, "_count_cost", lambda *_: NotMeasured(not_measured="left out"))
    monkeypatch.setattr(pipeline, "open_sandbox", lambda _: sandbox)
    # Without a sandbox there is nothing to try.
    untried = NotMeasured(not_measured="left out")
    monkeypatch.setattr(pipeline, "tried_isolation", lambda *_: untried)
    monkeypatch.setattr(with_firmware, "find_made", lambda *_, **__: None)
    monkeypatch.setattr(
        with_firmware,
        "synthesise",
        lambda request, **_: synthesise(request, backend="estimate", cache_root=None),
    )
    monkeypatch.setenv("HARNESS_CACHE", str(harness.folder / "cache"))

    def run(network, *options: str, **declared: object) -> Result:
        graph, weights = export(network, folder / "network")
        exported = ExportedNetwork(graph=graph, weights=weights, digest=f"sha256:{'0' * 64}")
        monkeypatch.setattr(pipeline, "extract_network", lambda *_, **__: exported)
        submission = write_submission(folder / "team_compared", **declared)
        toy = ("--challenge", "toy", "--manifest", str(harness.manifest))
        results = ("--results", str(folder / "results"))
        return CliRunner().invoke(cli, ["score", str(submission), *toy, *results, *options])

    return run


@pytest.fixture
def validate(harness: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Validate:
    """`harness validate --deep` of a network on the toy challenge."""

    @contextmanager
    def opened(*_):
        yield Workspace(run_step=direct_step, folder=tmp_path / "steps")

    monkeypatch.setattr(trial, "open_tried_workspace", opened)

    def run(network) -> Result:
        graph, weights = export(network, tmp_path / "network")
        exported = ExportedNetwork(graph=graph, weights=weights, digest="")
        monkeypatch.setattr(trial, "extract_network", lambda *_: exported)
        folder = write_submission(tmp_path / "team_deep")
        toy = ("--challenge", "toy", "--manifest", str(harness.manifest))
        return CliRunner().invoke(cli, ["validate", str(folder), "--deep", *toy])

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
    monkeypatch.setattr(tracing, "exact_da4ml", nullcontext)
    # Another clock, so that nothing comes out of the cache.
    result = synth(deep(N_INPUTS), "--clock", "6")

    assert isinstance(result.exception, IntegrityError)
    assert "the quantised Keras graph" in str(result.exception)


@pytest.mark.parametrize("make", [deep, rounding_to_even, saturating])
def test_the_extremes_of_the_input_words_are_compared_by_validate(validate, make):
    result = validate(make(N_INPUTS) if make is not saturating else make())

    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    assert "nothing wrong found" in result.stdout


def test_a_score_that_differs_at_an_extreme_is_found_by_validate(validate, monkeypatch):
    monkeypatch.setattr(tracing, "exact_da4ml", nullcontext)

    result = validate(deep(N_INPUTS))

    assert isinstance(result.exception, IntegrityError)
    assert "scores differ between da4ml's interpreter" in str(result.exception)


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


@pytest.mark.parametrize("rounding", ["RND", "TRN"])
def test_an_input_that_saturates_without_words_agrees_with_keras(synth, rounding):
    found = agreement(synth(saturating(rounding=rounding), "--json"))

    assert found["n_events"] >= 4_000
    assert found["n_different"] == 0


def test_the_share_that_overflows_is_the_background_s(synth):
    """A signal of three times the momenta overflows far more often, and is not counted."""
    load_keras()
    import keras

    from harness import heads

    inputs = keras.Input((N_INPUTS,), name="event")
    words = ["ufixed<13,11>", "fixed<8,4>", "fixed<8,4>"]
    x = heads.input_words(inputs, words)[:, :1]
    network = keras.Model(inputs, heads.limit(x, ["ufixed<8,6>"]))

    result = synth(network, "--json")

    background, heavy = make_events(6_000, seed=1), 3 * make_events(500, seed=2)
    assert (heavy[:, 0, 0] >= 64).mean() > 0.3
    overflow = json.loads(result.stdout)["overflow"]
    assert list(overflow) == ["limit"]
    # Five standard deviations of a share of 0.05 of 1,000 events.
    assert overflow["limit"] == pytest.approx((background[:, 0, 0] >= 64).mean(), abs=0.035)


@pytest.mark.parametrize("bound", [6.3, 0.1, 1000.0])
def test_a_relu_with_a_bound_that_is_no_word_agrees_with_keras(synth_in_process, bound):
    words = {"input": "fixed<16,13>", "weights": "fixed<6,1>", "activations": "fixed<10,6>"}
    load_keras()
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((N_INPUTS,), name="event")
    x = keras.layers.ReLU(max_value=bound)(keras.layers.Dense(3)(inputs))
    network = keras.Model(inputs, keras.layers.Dense(1)(x))

    assert (
        agreement(synth_in_process(network, "--quick", "--json", precision=words))["n_different"]
        == 0
    )


# --- Every score ----------------------------------------------------------------------------------


def two_momenta():
    """Return 2^19 a + b of two transverse momenta in GeV, of which float32 rounds the larger."""
    load_keras()
    import keras
    import numpy as np
    from hgq.layers import QDense

    from harness import heads

    inputs = keras.Input((N_INPUTS,), name="event")
    layer = QDense(
        1, use_bias=False, enable_iq=False, kq_conf=fixed(20, 20), enable_ebops=False, name="sum"
    )
    score = layer(heads.input_words(inputs, ["ufixed<13,13>"]))
    kernel = np.zeros((N_INPUTS, 1))
    kernel[[0, 27], 0] = 2**19, 1
    layer.kernel.assign(kernel)
    return keras.Model(inputs, score)


@pytest.fixture(scope="module")
def card_of_momenta(harness: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of `two_momenta`."""
    folder = tmp_path_factory.mktemp("momenta")
    with pytest.MonkeyPatch.context() as patch:
        result = make_score(harness, folder, patch)(two_momenta(), "--json")
    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    (path,) = (folder / "results").glob("toy/team_compared/*.json")
    assert json.loads(result.stdout) == json.loads(path.read_text())
    return path


def test_a_card_tells_how_many_scores_differ_and_by_how_much(card_of_momenta):
    card = json.loads(card_of_momenta.read_text())
    compared = card["compared"]
    assert not compared["is_rounded"]
    # Every event of the challenge that is scored: the test part of the background, all signals.
    n_events = {name: row["n_events"] for name, row in compared["by_process"].items()}
    n_scored = {row["process"]: row["n_scored"] for row in card["challenge"]["files"]}
    assert n_events == n_scored
    assert n_events["heavy"] == 500
    # A float32 of 2^25 to 2^26 has steps of four: it is wrong by two at most, below 128 GeV.
    for row in compared["by_process"].values():
        assert 0 < row["n_different"] < row["n_events"]
        assert 0 < row["max_difference"] <= 32
    # All of them were compared in float64, too: there they are the firmware's.
    n_different = sum(row["n_different"] for row in compared["by_process"].values())
    (found,) = card["firmware"]["agreements"]
    assert found["n_different"] == 0
    assert int(found["note"].split("float32 rounds ")[1].split()[0]) >= n_different


def test_the_terminal_shows_how_many_scores_differ(score):
    words = {"input": "fixed<16,13>", "weights": "fixed<8,2>", "activations": "fixed<18,14>"}
    load_keras()
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((N_INPUTS,), name="event")
    network = keras.Model(inputs, keras.layers.Dense(1)(inputs))

    result = score(network, precision=words)

    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    assert "every score: network and firmware" in result.stdout
    assert "rounded to its declared precision" in " ".join(result.stdout.split())
    (row,) = (line for line in result.stdout.splitlines() if "│ alike" in line and " 400 " in line)
    assert row.count("400") == 2


def plain_network():
    """Return a float network that sees momenta in GeV."""
    load_keras()
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((N_INPUTS,), name="event")
    x = keras.layers.Dense(4, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="score")(x))


def test_words_are_chosen_by_training_events_and_a_quick_score_says_what_they_cost(score):
    result = score(plain_network(), "--quick", precision="auto")

    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    assert "fixed-point words, chosen by the ranges of training events" in result.stdout
    assert "│ hidden" in result.stdout
    assert "the rounded one (in Keras)" in result.stdout


def test_the_chosen_words_are_in_the_card_and_the_firmware_is_of_them(score):
    result = score(plain_network(), "--json", precision="auto")

    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    card = json.loads(result.stdout)
    assert card["precision"]["is_chosen"]
    assert set(card["precision"]["layers"]) == {"hidden", "score"}
    assert card["compared"]["is_rounded"]
    (found,) = card["firmware"]["agreements"]
    assert found["n_different"] == 0


def test_an_estimate_shows_the_physics_of_the_scores_that_the_firmware_gives(synth):
    result = synth(plain_network(), precision="auto")

    assert result.exit_code == ExitCode.SCORED, (result.output, result.exception)
    said = " ".join(result.stdout.split())
    assert "firmware, a part of the events" in said
    assert "TPR at FPR" in said


def test_the_compared_scores_of_a_card_are_verified(
    harness, card_of_momenta, tmp_path, monkeypatch
):
    monkeypatch.setenv("HARNESS_CACHE", str(harness.folder / "cache"))
    shutil.copytree(card_of_momenta.parents[2], tmp_path / "results")
    (path,) = (tmp_path / "results").glob("toy/team_compared/*.json")
    verify = ["verify", str(path), "--manifest", str(harness.manifest)]
    assert CliRunner().invoke(cli, verify).exit_code == ExitCode.SCORED

    card = json.loads(path.read_text())
    card["compared"]["by_process"]["heavy"]["n_different"] = 0
    path.write_text(json.dumps(card))

    result = CliRunner().invoke(cli, verify)
    assert isinstance(result.exception, IntegrityError)
    assert "compared.by_process.heavy.n_different" in str(result.exception)
