"""The baselines: each loads and scores, its firmware agrees, its training sees background alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.board.rows import BoardRow
from harness.card.figures import NotMeasured
from harness.card.files import read_card
from harness.card.physics import WorkingPoint
from harness.data import events as events_module
from harness.data import training as training_module
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.split import is_in_part
from harness.submission import network as networks
from harness.submission.contract import check_network
from harness.submission.network import export_network, model_digest
from harness.submission.validate import read_submission
from tests.events import make_events
from tests.firmware_bench import exact_scores
from tests.rounding import assert_same_but_for_rounding, rounding_of
from tools import baselines_page
from tools.baselines import SUBMISSIONS, TEAMS
from tools.baselines_page import SIZES
from tools.sizes import read_sizes

KIT = SUBMISSIONS / "_kit"
TRIGGER = [team for team in TEAMS if "keras" in (SUBMISSIONS / team / "model.py").read_text()]
OPEN = [team for team in TEAMS if team not in TRIGGER]
# Terms of the float32 sums on the way from an event to its score, layer by layer; the other
# entries of the open division add in float64, event by event, or not at all.
N_TERMS = {"flow": 6 * (19 + 64 + 64) + 19, "vae_mu2_float": 57 + 32 + 16 + 3}
# Names of the weights of layers that follow each other.
CHAINS = {
    "flow": [[f"coupling_{number}_{layer}_{{}}" for layer in range(3)] for number in range(6)],
    "vae_mu2_float": [["{}_0", "{}_1", "{}_2"]],
}
# Sizes of one model share their training; the smallest stands for all.
SMALLEST = {"dense_vae_mu2_w4", "cnn_ae_small", "cnn_vae_small"}
SHARED = {team for one, size in read_sizes().items() for team in (one, size.base)}
TRAINED = [
    path.parent.name
    for path in sorted(SUBMISSIONS.glob("[a-z]*/train.py"))
    if path.parent.name in TEAMS and path.parent.name not in SHARED - SMALLEST
]
# They share their code, too; the smallest and the largest are scored for all.
LARGEST = {"dense_vae_mu2_w64", "cnn_ae", "cnn_vae"}
SCORED = [
    team for team in TEAMS if team != "control_constant" and team not in SHARED - SMALLEST - LARGEST
]
# Of these in each run of the tests; of all others in `make test-baselines`.
FEW = {"team_x", "dense_vae_mu2_w4", "isolation_trees", "linear_pca"}
# Scored from end to end in each run: firmware, trees, and sums in float32.
PLAYED = {"dense_vae_mu2_w4", "isolation_trees", "vae_mu2_float"}


def _slow_unless(team: str, few: set[str], mark: pytest.MarkDecorator | None = None) -> object:
    if team not in few:
        return pytest.param(team, marks=pytest.mark.slow)
    return pytest.param(team, marks=() if mark is None else mark)


# Whoever scores an entry again has a newer card than the page's.
CARDS = baselines_page.cards_of(baselines_page.PAGE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch) -> Iterator[None]:
    """Every folder has a `model` of its own: forget the one that an earlier test imported."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("model", "train", "kit"):
        sys.modules.pop(name, None)


def load(team: str, name: str) -> ModuleType:
    """Import a file of a submission as its own process would."""
    networks.load_keras()
    import keras

    keras.utils.clear_session()
    sys.path.insert(0, str(SUBMISSIONS / team))
    spec = importlib.util.spec_from_file_location(name, SUBMISSIONS / team / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def events(n_events: int) -> np.ndarray:
    """Return events of the sample's validation background, and some that are made up."""
    store = open_store(load_manifest().challenge("sample"))
    real = store.select("background", "validation")[: n_events // 2]
    return np.concatenate([real, make_events(n_events - len(real), seed=5)])


@pytest.mark.parametrize("team", TEAMS)
def test_a_baseline_keeps_the_rules_of_a_submission(team):
    submission = read_submission(SUBMISSIONS / team)

    assert submission.spec.team == team
    assert max(file.stat().st_size for file in (SUBMISSIONS / team).iterdir()) < 600_000


@pytest.mark.parametrize("team", [_slow_unless(team, FEW) for team in TRIGGER])
def test_the_firmware_computes_the_scores_of_the_network_bit_for_bit(team):
    """1,000 events through Keras and through both interpreters of the traced program."""
    from harness.firmware.translate.tracing import trace_program

    model = load(team, "model").network()
    assert check_network(model, (19, 3)) == []
    given = events(1_000).reshape(-1, *model.input_shape[1:])
    by_keras = np.asarray(model(given, training=False), np.float64).ravel()

    by_program = exact_scores(trace_program(model), given.reshape(len(given), -1))

    assert len(np.unique(by_keras)) > 10
    np.testing.assert_array_equal(by_program, by_keras)


@pytest.mark.parametrize("team", [team for team in OPEN if team != "control_constant"])
def test_an_open_baseline_scores_each_event_by_itself(team):
    score = load(team, "model").score
    given = events(400)

    scores = score(given)

    assert scores.shape == (400,)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 300
    alone = np.concatenate([score(event[None]) for event in given[:20]])
    for again in (score(given[::-1])[::-1], np.append(alone, scores[20:])):
        assert_same_but_for_rounding(again, scores, n_terms=N_TERMS.get(team, 0))


def in_another_order(
    weights: dict[str, np.ndarray], chains: list[list[str]]
) -> dict[str, np.ndarray]:
    """Return weights that put the hidden units, and so the terms of the sums, in another order."""
    changed, generator = dict(weights), np.random.default_rng(1)
    for layer, following in (pair for chain in chains for pair in pairwise(chain)):
        kernel, bias = layer.format("kernel"), layer.format("bias")
        order = generator.permutation(changed[bias].size)
        changed[kernel], changed[bias] = changed[kernel][:, order], changed[bias][order]
        taken = following.format("kernel")
        changed[taken] = changed[taken][order]
    return changed


def scores_by(model: ModuleType, given: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Score by other weights than those of the entry, in their precision."""
    if hasattr(model, "minus_log_density"):
        return model.minus_log_density(model.coordinates(given), weights)
    return np.square(model.means(given, weights), dtype=np.float64).sum(axis=1)


@pytest.mark.parametrize("team", N_TERMS)
def test_the_rounding_that_is_allowed_covers_another_order_of_the_sums_and_the_exact_ones(team):
    """As another processor would add: what no setting of this one can show for all others."""
    model, given = load(team, "model"), events(400)
    with np.load(model.WEIGHTS) as stored:
        weights = dict(stored)
    scores = scores_by(model, given, weights)
    wide = {name: values.astype(np.float64) for name, values in weights.items()}

    reordered = scores_by(model, given, in_another_order(weights, CHAINS[team]))
    exact = scores_by(model, given.astype(np.float64), wide)

    np.testing.assert_array_equal(scores, model.score(given))
    for other in (reordered, exact):
        assert (other != scores).any()
        # A few per cent of what is allowed.
        change = np.abs(other - scores) / rounding_of(scores, n_terms=N_TERMS[team])
        assert change.max() < 0.2


def test_the_cuts_are_what_they_say():
    given = events(1_000)
    momenta = given[..., 0].astype(np.float64)
    # The words in which momenta arrive have steps of a quarter of a GeV.
    momenta = np.floor(momenta * 4) / 4
    expected = {
        "met_cut": momenta[:, 0],
        "lepton_pt_cut": np.maximum(momenta[:, 1], momenta[:, 5]),
        "ht_cut": momenta[:, 9:].sum(axis=1),
    }
    for team, wanted in expected.items():
        model = load(team, "model").network()
        scores = np.asarray(model(given.reshape(-1, 57), training=False)).ravel()
        np.testing.assert_array_equal(scores, wanted)


def test_the_trade_off_has_six_sizes_and_more():
    assert len(SIZES) >= 6


def test_the_float_twin_is_the_network_of_its_entry_without_quantisers():
    """Same layers and scaling; the loss, its weights and the decoder are the same text."""
    size = json.loads((SUBMISSIONS / "dense_vae_mu2" / "size.json").read_text())
    twin = load("vae_mu2_float", "model")
    quantised = load("dense_vae_mu2", "model")

    assert list(twin.HIDDEN) == size["hidden"]
    assert size["latent"] == twin.N_LATENT
    np.testing.assert_array_equal(twin.SCALES, np.exp2(quantised.EXPONENTS))
    theirs, ours = (
        (SUBMISSIONS / team / "train.py").read_text().replace("np.exp2(EXPONENTS)", "SCALES")
        for team in ("dense_vae_mu2", "vae_mu2_float")
    )
    start, end = "# Weight of the Kullback-Leibler", "def train("
    assert (
        theirs[theirs.index(start) : theirs.index(end)] == ours[ours.index(start) : ours.index(end)]
    )


@pytest.fixture
def accesses(monkeypatch) -> list[tuple[str, np.ndarray]]:
    """Every event that is gathered from a store, by process; reading past it is refused."""
    seen: list[tuple[str, np.ndarray]] = []
    mapped = events_module.open_events

    def recording(*arguments, on_access=None, **more):
        return open_store(*arguments, on_access=lambda *access: seen.append(access), **more)

    def guarded(challenge, process, root):
        """Give the events of a process to selections alone, which keep the record."""
        if sys._getframe(2).f_code is not EventStore.choose.__code__:
            raise AssertionError(f"{process} was read past its selections")
        return mapped(challenge, process, root)

    for module in (training_module, events_module):
        monkeypatch.setattr(module, "open_store", recording)
    monkeypatch.setattr(events_module, "open_events", guarded)
    return seen


@pytest.mark.filterwarnings("ignore:Even though the .tf.config:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")
@pytest.mark.parametrize("team", [_slow_unless(team, FEW) for team in TRAINED])
def test_a_training_runs_and_gathers_background_of_its_parts_alone(
    team, accesses, tmp_path, monkeypatch
):
    """One epoch on 2,000 events."""
    import tensorflow as tf

    arguments = ["train.py", "--events", "2000", "--epochs", "1"]
    before = {path: path.read_bytes() for path in (SUBMISSIONS / team).iterdir() if path.is_file()}
    monkeypatch.chdir(tmp_path)
    # Threads cannot be set any more where an earlier test of this process has used TensorFlow.
    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, lambda n_threads: None)
    # Two steps are sooner done than compiled.
    tf.config.run_functions_eagerly(True)
    try:
        train = load(team, "train")
        has_kit = hasattr(train, "kit")
        output = tmp_path / getattr(train, "WEIGHTS", Path("forest.joblib")).name
        more = ["--output", str(output)] if has_kit else []
        if team == "team_x":
            monkeypatch.setattr(train, "WEIGHTS", output)
        if team == "isolation_forest":
            arguments = ["train.py"]
            monkeypatch.setattr(train, "N_EVENTS", 2_000)
        monkeypatch.setattr(sys, "argv", [*arguments, *more])
        if has_kit:
            monkeypatch.setattr(train.kit, "N_VALIDATION", 2_000)
            train.kit.run(train.train, output=output, description="")
        else:
            train.main()
    finally:
        tf.config.run_functions_eagerly(False)
    written = sorted(path.name for path in tmp_path.iterdir())

    assert output.name in written
    store = open_store(load_manifest().challenge("sample"))
    hashes, split = store.hashes("background"), store.challenge.split
    assert accesses
    for process, positions in accesses:
        assert process == "background"
        assert not is_in_part(hashes[positions], split, "test").any()
    for path, content in before.items():
        assert path.read_bytes() == content, f"{path} was overwritten"


def test_the_access_record_sees_a_test_event(accesses):
    """The guard of the test above works: what a store gives is seen, and how it was had."""
    store = events_module.open_store(load_manifest().challenge("sample"))
    store.select("background", "test")[:5]
    store.select("ato4l", "test")[:5]

    assert [process for process, _ in accesses] == ["background", "ato4l"]
    hashes, split = store.hashes("background"), store.challenge.split
    assert is_in_part(hashes[accesses[0][1]], split, "test").all()
    with pytest.raises(AssertionError, match="past its selections"):
        store.events("ato4l")


@pytest.mark.parametrize("team", sorted(CARDS))
def test_a_card_is_that_of_the_folder_as_it_stands(team):
    """The digest covers every file, so the weights too."""
    card = read_card(CARDS[team])

    assert card.submission.digest == read_submission(SUBMISSIONS / team).digest
    assert card.is_official
    assert card.isolation.kind == "bwrap"


@pytest.mark.parametrize("team", [team for team in TRIGGER if team in CARDS])
def test_the_network_exported_here_has_the_digest_of_the_card(team, tmp_path):
    """Graph and weights are written without arithmetic that hangs on the processor."""
    export_network(load(team, "model").network(), tmp_path / "graph", tmp_path / "weights")

    digest = model_digest(tmp_path / "graph", tmp_path / "weights")
    assert digest == read_card(CARDS[team]).model_digest


@pytest.fixture(scope="module")
def board() -> baselines_page.Baselines:
    return baselines_page.read_baselines(CARDS)


def test_eight_trigger_entries_and_more_are_ranked(board):
    assert len(board.ranked) >= 8
    assert not any(board.cards[team].submission.is_supervised for team in board.ranked)


def test_a_small_encoder_is_not_resolved_to_be_worse_than_its_float_twin(board):
    """0.3 % of the part's LUTs and 40 ns, with the physics of the float network."""
    small = [team for team in SIZES if team in board.ranked and is_small(board.rows[team])]
    compared = {team: board.compare(team, "vae_mu2_float") for team in small}

    assert any(not found.is_resolved or found.ratio > 1 for found in compared.values())


def is_small(row: BoardRow) -> bool:
    return row.lut.value <= 0.003 * 1_182_240 and row.latency_ns.value <= 40


def test_the_random_control_earns_what_chance_gives(board):
    card = board.cards["control_random"]
    assert isinstance(card.firmware, NotMeasured)
    for physics_point in card.float_physics.working_points:
        if not isinstance(physics_point, WorkingPoint):
            continue
        for rate in physics_point.rates.values():
            assert rate.interval.lower <= physics_point.fpr <= rate.interval.upper
    for auc in card.float_physics.auc.values():
        # Four intervals of 95 % all hold the truth four times out of five; of twice the width,
        # they all do.
        assert abs(auc.value - 0.5) < auc.interval.upper - auc.interval.lower


def test_the_constant_control_earns_nothing(harness):
    done = harness.score(SUBMISSIONS / "control_constant", "--json")

    assert done.returncode == 3
    assert "have the score 1" in done.stderr
    assert not (harness.folder / "results" / "toy" / "control_constant").exists()


def test_the_closure_is_of_background_and_holds_its_arithmetic():
    told = json.loads((SUBMISSIONS / "double_ae" / "closure.json").read_text())
    for row in told["regions"]:
        assert row["ratio"] == pytest.approx(row["estimated"] / row["observed"], abs=1e-3)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("team", [_slow_unless(team, PLAYED, pytest.mark.whole) for team in SCORED])
def test_the_whole_scoring_of_the_toy_challenge(harness, team, tmp_path: Path):
    done = harness.score(SUBMISSIONS / team, "--json", "--results", str(tmp_path))

    assert done.returncode == 0, done.stderr


def test_make_baselines_trains_the_teacher_first_and_all_that_need_no_signals():
    from tools.baselines import trained_teams

    teams = trained_teams()

    assert teams.index("flow") < teams.index("flow_distilled")
    assert "control_supervised" not in teams
    assert {"dense_ae", "dense_vae_mu2_w64", "isolation_forest", "team_x"} <= set(teams)


def test_tables_of_trainings_keep_what_others_wrote(tmp_path):
    from tools.baselines import keep

    keep(tmp_path / "table.json", {"b": {"processor_s": 2}})
    keep(tmp_path / "table.json", {"a": {"processor_s": 1}})

    told = json.loads((tmp_path / "table.json").read_text())
    assert told == {"a": {"processor_s": 1}, "b": {"processor_s": 2}}


def test_a_folder_with_other_weights_has_another_digest(tmp_path):
    from tools.baselines import digest_of_folder

    (tmp_path / "weights.npz").write_bytes(b"12")
    first = digest_of_folder(tmp_path)
    assert digest_of_folder(tmp_path) == first

    (tmp_path / "weights.npz").write_bytes(b"13")
    assert digest_of_folder(tmp_path) != first
