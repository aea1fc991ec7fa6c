"""The baselines on images: what they declare, what they compute, the published architecture."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.card.costs import ProcessorUse
from harness.card.files import read_card
from harness.challenge import CpuTarget, MistagAtTpr
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.submission import network as networks
from harness.submission.contract import check_network
from harness.submission.validate import read_submission
from tools import suep_page
from tools.baselines import SUBMISSIONS, WITHOUT_WEIGHTS, trained_teams
from tools.pages import ROOT
from tools.suep_sample import MAX_BYTES, OUT

CHALLENGE = "hlt-suep-sample"
TEAMS = sorted(path.name for path in SUBMISSIONS.glob("suep_*"))
RESULTS = ROOT / "results" / CHALLENGE


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every folder has a `model` of its own: forget the one that an earlier test imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("model", None)


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


def images(n_events: int) -> np.ndarray:
    store = open_store(load_manifest().challenge(CHALLENGE))
    found: np.ndarray = store.select("suep_400", "test")[:n_events]
    return found


@pytest.mark.parametrize("team", TEAMS)
def test_a_baseline_keeps_the_rules_of_a_submission(team: str) -> None:
    spec = read_submission(SUBMISSIONS / team).spec
    assert spec.team == team
    assert spec.challenges == (CHALLENGE,)
    assert spec.is_supervised == (team == "suep_supervised")


def test_the_published_network_has_the_published_parameters_and_shapes() -> None:
    model = load("suep_published").autoencoder()
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert (model.count_params(), trained) == (3_575_047, 3_574_065)
    shapes = [layer.output.shape[1:] for layer in model.layers if "conv2d" in layer.name]
    down = [(96, 120, 128), (48, 60, 64), (24, 30, 32), (12, 15, 16), (6, 5, 8)]
    assert shapes == [*down, *down[-2::-1], (288, 360, 3)]


@pytest.mark.parametrize("team", WITHOUT_WEIGHTS)
def test_an_untrained_entry_says_so_and_has_no_card(team: str) -> None:
    spec = read_submission(SUBMISSIONS / team).spec
    assert "untrained" in spec.title
    assert "untrained" in spec.description.lower()
    assert team not in trained_teams(CHALLENGE)
    assert not (RESULTS / team).exists()
    with pytest.raises(FileNotFoundError, match="was not trained"):
        load(team).network()


def test_every_other_entry_with_a_training_has_its_weights() -> None:
    for team in trained_teams(CHALLENGE):
        assert [*(SUBMISSIONS / team).glob("*.weights.h5"), *(SUBMISSIONS / team).glob("*.npz")]


def test_the_loss_is_the_published_one() -> None:
    module = load("suep_published")
    image = np.zeros((2, 4, 4, 3), np.float32)
    image[:, 1, 2] = [1.0, 2.0, 3.0]
    again = 2.0 * image
    # (14 + 56) / (2 x 28) - 1; and nothing is lost of what is reproduced.
    np.testing.assert_allclose(module.inverse_dice(image, again), 0.25, rtol=1e-6)
    np.testing.assert_allclose(module.inverse_dice(image, image), 0.0, atol=1e-6)
    np.testing.assert_allclose(module.inverse_et(image, again), 1 / 12, rtol=1e-3)


def test_simple_scores_are_what_they_say() -> None:
    given = images(5)
    tracks = np.asarray(load("suep_tracks").network()(given)).ravel()
    assert tracks.tolist() == (given[..., 0] > 0).sum(axis=(1, 2)).tolist()
    inverse = np.asarray(load("suep_inverse_et").network()(given)).ravel()
    np.testing.assert_allclose(1 / inverse - 1, given.sum(axis=(1, 2, 3)), rtol=1e-4)


def test_the_residual_of_pca_is_that_of_numpy(tmp_path: Path) -> None:
    module, given = load("suep_pca"), images(5)
    drawn = np.random.default_rng(1).normal(size=(2_160, 17)).astype(np.float32)
    orthogonal = np.linalg.qr(drawn[:, 1:])[0]
    module.WEIGHTS = tmp_path / "weights.npz"
    np.savez(module.WEIGHTS, mean=drawn[:, 0], components=orthogonal)
    with np.load(module.WEIGHTS) as weights:
        mean, components = (weights[name].astype(np.float64) for name in ("mean", "components"))
    squares = given.reshape(5, 24, 12, 30, 12, 3).sum(axis=(2, 4), dtype=np.float64)
    centred = squares.reshape(5, -1) - mean
    residual = centred - centred @ components @ components.T
    scores = np.asarray(module.network()(given)).ravel()
    np.testing.assert_allclose(scores, (residual**2).sum(axis=1), rtol=1e-3)


@pytest.mark.parametrize("team", [team for team in TEAMS if (RESULTS / team).exists()])
def test_a_card_is_that_of_the_folder_and_says_what_an_event_costs(team: str) -> None:
    *_, path = sorted((RESULTS / team).glob("*.json"))
    card = read_card(path)
    assert card.submission.digest == read_submission(SUBMISSIONS / team).digest
    assert isinstance(card.processor, ProcessorUse)
    assert card.processor.wall_ms is not None
    assert card.float_physics.merit.merit.kind == "mistag_at_tpr"
    assert (card.reconstruction is not None) == team.startswith("suep_conv")


def test_the_page_has_the_figures_of_its_cards() -> None:
    page = suep_page.PAGE.read_text(encoding="utf-8")
    linked = suep_page.cards_of(page)
    assert suep_page.page_of(page, linked) == page


def test_the_networks_keep_the_contract() -> None:
    for team in ("suep_tracks", "suep_inverse_et"):
        assert check_network(load(team).network(), (288, 360, 3)) == []


def test_the_challenge_is_ranked_by_mistag_and_shows_the_time_against_both_limits() -> None:
    challenge = load_manifest().challenge(CHALLENGE)
    assert challenge.synthetic
    assert challenge.merit == MistagAtTpr(tpr=0.4)
    assert challenge.merit.smaller_is_better
    limits = [
        one.limits.max_time_ms for one in challenge.targets if isinstance(one.limits, CpuTarget)
    ]
    assert limits == [None, 100.0, 30.0]
    assert OUT.stat().st_size <= MAX_BYTES
    store = open_store(challenge)
    for file in challenge.files:
        counts = {part: len(store.indices(file.process, part)) for part in file.part_events}
        assert counts == dict(file.part_events)
