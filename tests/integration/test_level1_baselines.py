"""The baselines of the level-1 stand-in: what they declare, what they compute, what they read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.submission import network as networks
from harness.submission.contract import check_network
from harness.submission.validate import read_submission
from tests.firmware_bench import exact_scores
from tools.baselines import SUBMISSIONS, trained_teams

CHALLENGE = "cmsl1t-sample"
# The row whose pT is the score.
CUTS = {"l1_et_cut": "et", "l1_ht_cut": "ht", "l1_met_cut": "met", "l1_muon_cut": "muon"}
TRAINED = trained_teams(CHALLENGE)
TEAMS = (*CUTS, *TRAINED)
FEW = {*CUTS, "l1_pca"}


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every folder has a `model` of its own: forget the one that an earlier test imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("model", "train", "kit", "level1"):
        sys.modules.pop(name, None)


def load(team: str) -> ModuleType:
    """Import the model of a submission as its own process would."""
    networks.load_keras()
    import keras

    keras.utils.clear_session()
    spec = importlib.util.spec_from_file_location("model", SUBMISSIONS / team / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def events(n_events: int) -> np.ndarray:
    """Return test events of a signal, which fill more slots than background does."""
    store = open_store(load_manifest().challenge(CHALLENGE))
    found: np.ndarray = store.select("tthto2b_par-mh-125", "test")[:n_events]
    return found


def test_there_are_eight_at_least_and_they_are_apart_from_those_of_the_sample() -> None:
    assert len(TEAMS) >= 8
    assert not set(TEAMS) & set(trained_teams("sample"))


@pytest.mark.parametrize("team", TEAMS)
def test_a_baseline_keeps_the_rules_of_a_submission(team: str) -> None:
    spec = read_submission(SUBMISSIONS / team).spec
    assert spec.team == team
    assert spec.challenges == (CHALLENGE,)
    assert (SUBMISSIONS / team / "train.py").exists() == (team in TRAINED)


def test_one_is_trained_on_simulation_by_the_same_files() -> None:
    data, simulation = (SUBMISSIONS / f"l1_vae_mu2{end}" for end in ("", "_simulation"))
    declared = [read_submission(folder).spec.trained_on for folder in (data, simulation)]
    assert declared == [("data",), ("simulation",)]
    for name in ("model.py", "train.py"):
        assert (data / name).read_bytes() == (simulation / name).read_bytes()
    weights = "encoder.weights.h5"
    assert (data / weights).read_bytes() != (simulation / weights).read_bytes()


@pytest.mark.parametrize("name", ["model.py", "train.py"])
def test_the_sizes_of_the_autoencoder_share_their_files(name: str) -> None:
    dense, tiny = (SUBMISSIONS / team / name for team in ("l1_dense_ae", "l1_tiny_ae"))
    assert dense.read_bytes() == tiny.read_bytes()


@pytest.mark.parametrize(("team", "kind"), CUTS.items())
def test_a_cut_is_the_code_of_the_hardware(team: str, kind: str) -> None:
    slot = load_manifest().challenge(CHALLENGE).layout.slots[kind].start
    given = events(200)
    scores = np.asarray(load(team).network()(given.reshape(len(given), -1))).ravel()
    assert np.array_equal(scores, given[:, slot, 0])


@pytest.mark.parametrize(
    "team", [pytest.param(team, marks=() if team in FEW else pytest.mark.slow) for team in TEAMS]
)
def test_the_firmware_computes_the_scores_of_the_network_bit_for_bit(team: str) -> None:
    from harness.firmware.translate.tracing import trace_program

    model = load(team).network()
    given = events(300)
    assert check_network(model, given.shape[1:]) == []
    flat = given.reshape(len(given), -1)
    by_keras = np.asarray(model(flat, training=False), np.float64).ravel()
    by_program = exact_scores(trace_program(model), flat)
    # Many events have no muon.
    assert len(np.unique(by_keras)) > 1
    np.testing.assert_array_equal(by_program, by_keras)
