"""The baselines of jets: what they declare, what they compute, what they learn from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.jets import jet_mass
from harness.submission import network as networks
from harness.submission.contract import check_network
from harness.submission.validate import read_submission, validate
from tools.baselines import BY_HAND, SUBMISSIONS

TOPTAG, ANOMALY, INVERSE = "jets-toptag-sample", "jets-anomaly-sample", "jets-inverse-sample"
# Scores that no training makes, and the least AUC of the first signal that shows what they do.
UNTRAINED = {
    TOPTAG: {"jets_mass_window": 0.9},
    ANOMALY: {"jets_mass_cut": 0.7, "jets_subjettiness_ratio": 0.8},
    INVERSE: {},
}
LEAST = {TOPTAG: 0.93, ANOMALY: 0.65, INVERSE: 0.0}
JETS = [
    read_submission(path.parent).spec
    for path in sorted(SUBMISSIONS.glob("jets_*/train.py"))
    if path.parent.name not in BY_HAND
]
TRAINED = {one: [spec.team for spec in JETS if one in spec.challenges] for one in UNTRAINED}
ENTRIES = [
    (challenge, team)
    for challenge, cuts in UNTRAINED.items()
    for team in (*cuts, *TRAINED[challenge])
]
# Of these in each run of the tests; of all others in `make test-baselines`.
FEW = {"jets_mass_window", "jets_trees", "jets_pca"}
N_JETS = 400


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every folder has a `model` of its own: forget the one that an earlier test imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("model", "train", "kit", "jets"):
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


def scorer(team: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return what an entry makes of jets; of a network, whose graph is checked."""
    module = load(team)
    if hasattr(module, "score"):
        return module.score
    model = module.network()
    assert check_network(model, (200, 3)) == []
    return lambda jets: np.asarray(model.predict(jets, batch_size=128, verbose=0), float).ravel()


def jets(challenge: str, process: str | None = None) -> np.ndarray:
    """Return test jets of a process, by default the background."""
    rules = load_manifest().challenge(challenge)
    store = open_store(rules)
    found: np.ndarray = store.select(process or rules.processes("background")[0], "test")[:N_JETS]
    return found


def test_each_challenge_has_the_baselines_of_the_field() -> None:
    assert set(TRAINED[TOPTAG]) == {
        *("jets_cuts", "jets_trees", "jets_subjettiness_network"),
        *("jets_cnn", "jets_deep_sets", "jets_particlenet"),
    }
    assert set(TRAINED[ANOMALY]) == {
        *("jets_isolation_forest", "jets_pca", "jets_dense_ae", "jets_conv_ae")
    }
    assert set(TRAINED[INVERSE]) == {
        *("jets_inverse_pca", "jets_inverse_pca_16", "jets_inverse_pca_32"),
        "jets_inverse_dense_ae",
    }


@pytest.mark.parametrize(("challenge", "team"), ENTRIES)
def test_a_baseline_keeps_the_rules_of_a_submission(challenge: str, team: str) -> None:
    spec = read_submission(SUBMISSIONS / team).spec
    assert spec.team == team
    assert spec.challenges == (challenge,)
    assert spec.learning == ("supervised" if challenge == TOPTAG else "unsupervised")
    assert list(validate(SUBMISSIONS / team)) == []
    assert max(file.stat().st_size for file in (SUBMISSIONS / team).iterdir()) < 600_000


@pytest.mark.parametrize("name", ["model.py", "train.py"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("jets_inverse_pca", "jets_inverse_pca_16"),
        ("jets_inverse_pca", "jets_inverse_pca_32"),
        ("jets_pca", "jets_inverse_pca"),
        ("jets_dense_ae", "jets_inverse_dense_ae"),
    ],
)
def test_one_model_of_several_entries_is_one_text(first: str, second: str, name: str) -> None:
    texts = [
        (SUBMISSIONS / team / name).read_text(encoding="utf-8").replace("INVERSE", "ANOMALY")
        for team in (first, second)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("challenge", "team"),
    [pytest.param(*entry, marks=() if entry[1] in FEW else pytest.mark.slow) for entry in ENTRIES],
)
def test_a_baseline_finds_its_signal_and_scores_each_jet_by_itself(
    challenge: str, team: str
) -> None:
    score = scorer(team)
    plain = jets(challenge)
    signal = jets(challenge, load_manifest().challenge(challenge).signals[0])
    scores = [score(given) for given in (plain, signal)]
    truth = np.repeat([0, 1], [len(plain), len(signal)])

    assert np.isfinite(np.concatenate(scores)).all()
    least = UNTRAINED[challenge].get(team, LEAST[challenge])
    assert roc_auc_score(truth, np.concatenate(scores)) > least
    spread = np.std(scores[0])
    backwards = score(plain[:64][::-1])[::-1]
    np.testing.assert_allclose(backwards, scores[0][:64], rtol=1e-4, atol=1e-4 * spread)


def test_the_window_is_the_distance_of_the_mass_from_its_peak() -> None:
    given = jets(TOPTAG)
    model = load("jets_mass_window")
    scores = np.asarray(model.network()(given)).ravel()
    expected = -np.abs(jet_mass(given) - model.TOP_GEV)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("team", ["jets_inverse_pca", "jets_inverse_pca_16", "jets_inverse_pca_32"])
def test_components_of_tops_find_qcd_jets_less_anomalous(team: str) -> None:
    plain, signal = jets(INVERSE), jets(INVERSE, "anomaly_qcd")
    score = scorer(team)
    truth = np.repeat([0, 1], [len(plain), len(signal)])
    assert roc_auc_score(truth, np.concatenate([score(plain), score(signal)])) < 0.4


def test_labelled_jets_to_train_on_are_no_test_jets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUBMISSIONS / "_kit"))
    kit, kit_jets = (importlib.import_module(name) for name in ("kit", "jets"))
    settings = kit.Settings(
        challenge=TOPTAG,
        manifest=None,
        n_events=200,
        n_epochs=1,
        seed=1,
        output=SUBMISSIONS / "none",
    )

    given = kit_jets.labelled(settings)

    assert given.labels.mean() == 0.5
    store = open_store(load_manifest().challenge(TOPTAG))
    tested = {
        jet.tobytes()
        for process in ("toptag_qcd", "toptag_top")
        for jet in np.asarray(store.select(process, "test")[:])
    }
    assert not tested & {jet.tobytes() for jet in (*given.jets, *given.validation)}


def test_a_share_of_signals_is_mixed_into_the_training_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(SUBMISSIONS / "_kit"))
    kit, kit_jets = (importlib.import_module(name) for name in ("kit", "jets"))
    monkeypatch.setattr(kit_jets, "read_simulated", lambda *_: np.ones((30, 200, 3), np.float32))
    settings = partial(kit.Settings, manifest=None, n_epochs=1, seed=1, output=tmp_path / "none")
    mixed = settings(challenge=ANOMALY, n_events=180, mixed_in=tmp_path / "x.h5", share=0.1)

    given = kit_jets.background(mixed)
    are_signals = (given.training == 1).all(axis=(1, 2))
    assert (len(given.training), are_signals.sum()) == (200, 20)
    assert not (given.validation == 1).all(axis=(1, 2)).any()
    with pytest.raises(SystemExit, match="has 30 jets, 90 are needed"):
        kit_jets.background(replace(mixed, share=1 / 3))
    with pytest.raises(SystemExit, match="needs --mixed-in"):
        kit_jets.background(replace(mixed, mixed_in=None))
