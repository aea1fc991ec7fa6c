"""The baselines of the LHC Olympics' kind: what they declare, what they compute."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.submission.validate import read_submission, validate
from tools.sizes import SUBMISSIONS

CHALLENGE = "lhco-sample"
# Learning of each, and the least AUC on few events that shows that it finds the signal.
ENTRIES = {
    "lhco_jet_masses": ("unsupervised", 0.7),
    "lhco_tau21": ("unsupervised", 0.7),
    "lhco_isolation_forest": ("unsupervised", 0.5),
    "lhco_dense_ae": ("unsupervised", 0.5),
    "lhco_cwola": ("weak", 0.5),
    "lhco_density_ratio": ("weak", 0.5),
    "lhco_supervised": ("supervised", 0.9),
}
N_EVENTS = 300


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every folder has a `model` of its own: forget the one that an earlier test imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("model", None)


def load(team: str) -> ModuleType:
    """Import the model of a submission as its own process would."""
    spec = importlib.util.spec_from_file_location("model", SUBMISSIONS / team / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def events(process: str) -> np.ndarray:
    """Return the first test events of a process."""
    store = open_store(load_manifest().challenge(CHALLENGE))
    found: np.ndarray = np.asarray(store.select(process, "test")[:N_EVENTS])
    return found


def test_every_baseline_of_the_folder_is_tested() -> None:
    assert {path.name for path in SUBMISSIONS.glob("lhco_*")} == set(ENTRIES)


@pytest.mark.parametrize("team", ENTRIES)
def test_a_baseline_keeps_the_rules_of_a_submission(team: str) -> None:
    spec = read_submission(SUBMISSIONS / team).spec
    assert spec.team == team
    assert spec.challenges == (CHALLENGE,)
    assert spec.learning == ENTRIES[team][0]
    assert list(validate(SUBMISSIONS / team)) == []


@pytest.mark.slow
@pytest.mark.parametrize("team", ENTRIES)
def test_a_baseline_finds_its_signal_and_scores_each_event_by_itself(team: str) -> None:
    score = load(team).score
    background = events("background")
    scores = [score(background), score(events("wprime"))]
    truth = np.repeat([0, 1], [len(one) for one in scores])

    assert np.isfinite(np.concatenate(scores)).all()
    assert roc_auc_score(truth, np.concatenate(scores)) > ENTRIES[team][1]
    backwards = score(background[:64][::-1])[::-1]
    np.testing.assert_allclose(backwards, scores[0][:64], rtol=1e-4, atol=1e-4 * np.std(scores[0]))
