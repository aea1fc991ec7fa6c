"""Trees read from scikit-learn and XGBoost score as these do; rounded, as worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import ensemble, tree

from harness import heads
from harness.submission import network
from harness.submission.tree_circuit import (
    MAX_DEPTH,
    MAX_LEAVES,
    Leaf,
    Split,
    circuit_of,
    rounded_forest,
)
from harness.submission.tree_network import exact_matrices
from harness.submission.trees import read_trees
from tests.rounding import assert_same_but_for_rounding

BOOSTED = Path(__file__).parents[2] / "golden" / "trees" / "boosted.json"
SAVED = BOOSTED.with_suffix(".npz")
# MET at most 10, else lepton at most 4.6: three leaves.
BY_HAND = {
    "feature": [0, -1, 1, -1, -1],
    "threshold": [10.0, 0.0, 4.6, 0.0, 0.0],
    "left": [1, -1, 3, -1, -1],
    "right": [2, -1, 4, -1, -1],
    "value": [0.0, -1.0, 0.0, 0.5, 2.0],
    "root": [0],
}


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return np.random.default_rng(3).exponential(20.0, (600, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def labels(events) -> np.ndarray:
    return (events[:, 0] + events[:, 1] > 40).astype(int)


def chain(n_comparisons: int) -> dict[str, list[float]]:
    """One tree that compares one value with 0, 1, 2, ... on one path."""
    inner = range(n_comparisons)
    return {
        "feature": [0] * n_comparisons + [-1] * (n_comparisons + 1),
        "threshold": [*inner] + [0] * (n_comparisons + 1),
        "left": [n_comparisons + i for i in inner] + [-1] * (n_comparisons + 1),
        "right": [*range(1, n_comparisons), 2 * n_comparisons] + [-1] * (n_comparisons + 1),
        "value": [0] * n_comparisons + [*range(n_comparisons + 1)],
        "root": [0],
    }


@pytest.mark.parametrize(
    ("model", "output"),
    [
        (ensemble.RandomForestClassifier(3, max_depth=4), lambda m, x: m.predict_proba(x)[:, 1]),
        (ensemble.ExtraTreesRegressor(3, max_depth=4), lambda m, x: m.predict(x)),
        (tree.DecisionTreeClassifier(max_depth=4), lambda m, x: m.predict_proba(x)[:, 1]),
        (
            ensemble.GradientBoostingClassifier(n_estimators=4, init="zero"),
            lambda m, x: m.decision_function(x),
        ),
        (
            ensemble.HistGradientBoostingClassifier(max_iter=5, max_depth=4),
            # Its trees are added to what all events have in common.
            lambda m, x: m.decision_function(x) - np.ravel(m._baseline_prediction),
        ),
    ],
    ids=lambda one: type(one).__name__,
)
def test_trees_of_scikit_learn_score_as_there(model, output, events, labels):
    model.set_params(random_state=1).fit(events, labels)

    scores = heads.tree_scores(heads.tree_arrays(model), events)

    np.testing.assert_allclose(scores, output(model, events), rtol=1e-12, atol=1e-12)


def test_an_isolation_forest_has_scikit_learns_order_and_sign(events):
    forest = ensemble.IsolationForest(
        n_estimators=5, max_samples=64, max_features=3, random_state=1
    )
    forest.fit(events)

    paths = heads.tree_scores(heads.tree_arrays(forest), events)

    # 2^(-E[h] / c), with c of 64 events from the paper's equation 1.
    c = 2 * (np.log(63) + np.euler_gamma) - 2 * 63 / 64
    np.testing.assert_allclose(2 ** (paths / 5 / c), -forest.score_samples(events), rtol=1e-12)
    far = np.full((1, 6), 1e4)
    assert heads.tree_scores(heads.tree_arrays(forest), far) > np.median(paths)


def test_a_cut_isolation_forest_counts_the_path_that_is_left(events):
    forest = ensemble.IsolationForest(n_estimators=1, max_samples=64, random_state=1).fit(events)

    arrays = heads.tree_arrays(forest, max_depth=1)

    grown = forest.estimators_[0].tree_
    sizes = grown.n_node_samples[[grown.children_left[0], grown.children_right[0]]]
    expected = [
        -(1 + 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n) if n > 2 else -float(n)
        for n in sizes
    ]
    assert arrays["value"][1:].tolist() == pytest.approx(expected)


def test_xgboosts_json_scores_as_xgboost_but_for_the_base_score():
    with np.load(SAVED) as saved:
        given, margins, chances = saved["events"], saved["margins"], saved["probabilities"]
    # A string with a list in it.
    base = json.loads(BOOSTED.read_text())["learner"]["learner_model_param"]["base_score"]
    base = float(base.strip("[]"))

    scores = heads.tree_scores(BOOSTED, given)

    # XGBoost adds up in float32.
    np.testing.assert_allclose(scores + np.log(base / (1 - base)), margins, atol=2e-6)
    assert np.corrcoef(scores, chances)[0, 1] > 0.9
    on_a_threshold = np.isin(given, [37.25, 31.0, 4.25]).sum()
    assert on_a_threshold > 0, "values at a threshold go right in XGBoost, left in scikit-learn"


def changed(change, folder: Path) -> Path:
    document = json.loads(BOOSTED.read_text())
    change(document["learner"]["gradient_booster"])
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def test_a_dart_booster_weights_its_trees(tmp_path):
    def to_dart(booster):
        inner = {"model": booster.pop("model"), "name": "gbtree"}
        booster.update(gbtree=inner, weight_drop=[0.5] * 5, name="dart")

    given = np.load(SAVED)["events"]
    halved = heads.tree_scores(changed(to_dart, tmp_path), given)

    np.testing.assert_allclose(halved, heads.tree_scores(BOOSTED, given) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda booster: booster["model"]["tree_info"].__setitem__(0, 1), "several classes"),
        (lambda booster: booster.pop("model"), "KeyError"),
        (lambda booster: booster["model"]["trees"][0].update(split_type=[1] * 11), "categories"),
        (lambda booster: booster["model"]["trees"][0]["left_children"].__setitem__(0, 0), "parent"),
        (lambda booster: booster["model"]["trees"][0]["left_children"].__setitem__(0, 99), "Index"),
        (lambda booster: booster["model"]["trees"].clear(), "it has no trees"),
    ],
)
def test_what_is_no_tree_of_xgboost_is_named(change, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        heads.tree_scores(changed(change, tmp_path), np.zeros((1, 6)))


def test_another_model_is_named(events, labels):
    with pytest.raises(ValueError, match="AdaBoostClassifier is no model of trees"):
        heads.tree_arrays(ensemble.AdaBoostClassifier())
    three = tree.DecisionTreeClassifier().fit(events, labels + (events[:, 2] > 30))
    with pytest.raises(ValueError, match="1 outputs of 3 classes"):
        heads.tree_arrays(three)
    boosted = ensemble.HistGradientBoostingClassifier(max_iter=1)
    with pytest.raises(ValueError, match="has 3 outputs"):
        heads.tree_arrays(boosted.fit(events, labels + (events[:, 2] > 30)))
    with pytest.raises(ValueError, match="max_depth cuts isolation forests"):
        heads.tree_arrays(BOOSTED, max_depth=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"left": None}, "'left' is missing"),
        ({"left": [1, -1, 3, -1]}, "left has 4 entries for 5 nodes"),
        ({"feature": [0.5, -1, 1, -1, -1]}, "feature is float64"),
        ({"right": [2, -1, 2, -1, -1]}, "a node has no parent"),
        ({"left": [0, -1, 3, -1, -1]}, "a node has no parent"),
        ({"root": [1]}, "a node has no parent"),
        ({"value": [0, np.nan, 0, 1, 1]}, "not finite"),
        ({"threshold": [np.inf, 0, 1, 0, 0]}, "not finite"),
        ({"root": []}, "5 nodes; expected"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(change, told, tmp_path):
    arrays = {name: array for name, array in (BY_HAND | change).items() if array is not None}
    if change == {"root": []}:
        arrays["root"] = np.zeros(0, int)
    np.savez(tmp_path / "forest.npz", **arrays)

    with pytest.raises(ValueError, match=told):
        heads.tree_scores(tmp_path / "forest.npz", np.zeros((1, 2)))


def test_a_network_of_exact_trees_scores_as_the_trees_do(events):
    """Also where a value is a threshold, or the float32 next to it."""
    network.load_keras()
    import keras

    forest = heads.tree_arrays(
        ensemble.IsolationForest(n_estimators=20, random_state=1).fit(events)
    )
    inputs = keras.Input(events.shape[1:])
    model = keras.Model(inputs, heads.exact_trees(inputs, forest))
    inner = np.flatnonzero(np.asarray(forest["feature"]) >= 0)[:200]
    edges = np.repeat(events[:1], 3 * len(inner), axis=0)
    for place, node in enumerate(inner):
        near = np.float32(forest["threshold"][node])
        for step, value in enumerate(
            (near, np.nextafter(near, -np.inf), np.nextafter(near, np.inf))
        ):
            edges[3 * place + step, forest["feature"][node]] = value
    given = np.concatenate([events, edges]).astype(np.float32)

    scores = model.predict(given, verbose=0, batch_size=512)[:, 0]

    expected = heads.tree_scores(forest, given)
    assert_same_but_for_rounding(scores, expected, n_terms=20)


def test_trees_without_a_comparison_are_no_network():
    leaf = {"feature": [-1], "threshold": [0], "left": [-1], "right": [-1], "value": [1.0]}
    with pytest.raises(ValueError, match="nothing is compared"):
        exact_matrices(read_trees({**leaf, "root": [0]}), 3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\x80\x04K\x01."])
def test_a_file_that_is_no_archive_is_refused(content, tmp_path):
    (tmp_path / "forest.npz").write_bytes(content)

    with pytest.raises(ValueError, match="no arrays of trees"):
        heads.tree_scores(tmp_path / "forest.npz", np.zeros((1, 2)))


def test_a_tree_is_rounded_as_by_hand():
    # Leaves -1, 0.5 and 2 are 0, 1.5 and 3 of 3 steps of 1; halves go to even.
    rounded = rounded_forest(BY_HAND, ["ufixed<4,5>", "fixed<4,4>"], 2, leaf_bits=2)

    assert rounded.trees == (Split(0, 5, Leaf(0), Split(1, 4, Leaf(2), Leaf(3))),)
    assert rounded.step == 1.0
    given = [[11.9, 9.0], [12.0, 4.99], [12.0, 5.0], [999.0, -999.0]]
    scores = heads.tree_scores(BY_HAND, given, words=["ufixed<4,5>", "fixed<4,4>"], leaf_bits=2)
    assert scores.tolist() == [0, 2, 3, 2]


def test_a_comparison_that_is_decided_is_left_out():
    # 10 lies beyond ufixed<3,3>, so every event goes left; 8 comparisons of ufixed<2,2> are three.
    with pytest.raises(ValueError, match="no comparison is left"):
        rounded_forest(BY_HAND, ["ufixed<3,3>"], 2, leaf_bits=2)
    (left,) = rounded_forest(chain(8), ["ufixed<2,2>"], 1, leaf_bits=4).trees

    assert left == Split(0, 0, Leaf(0), Split(0, 1, Leaf(2), Split(0, 2, Leaf(4), Leaf(6))))


def test_the_circuit_of_a_tree_is_as_by_hand():
    circuit = circuit_of(rounded_forest(BY_HAND, ["ufixed<4,5>", "fixed<4,4>"], 2, leaf_bits=2))

    # Below zero up to 10, that is to 5 steps of 2; and up to 4.
    assert circuit.compare.tolist() == [[2**-5, 0], [0, 2**-4]]
    assert circuit.thresholds.tolist() == [-6 / 16, -5 / 16]
    # A leaf is missed by "above" of a comparison that leads left, by "at most" of one to the right.
    at_most_met, at_most_lepton, above_met, above_lepton = circuit.address[0].tolist()
    assert (at_most_met, above_met) == ([0, 1, 1], [1, 0, 0])
    assert (at_most_lepton, above_lepton) == ([0, 0, 2], [0, 2, 0])
    assert circuit.planes[0].tolist() == [[0, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("forest", "words", "told"),
    [
        (chain(MAX_DEPTH + 1), ["ufixed<8,8>"], f"9 comparisons on a path; at most {MAX_DEPTH}"),
        (chain(101), ["ufixed<8,8>"], "101 comparisons on a path"),
        (BY_HAND, ["ufixed<24,24>"], "ufixed<24,24> is no word to compare in"),
        (BY_HAND, ["ufixed<8,8,RND,SAT>"], "no modes"),
        (BY_HAND, ["ufixed<8,8>"] * 3, "3 words for 2 values"),
        ({**BY_HAND, "feature": [0, -1, 7, -1, -1]}, ["ufixed<8,8>"], "value 7 is compared"),
    ],
)
def test_a_limit_is_named(forest, words, told):
    n_inputs = 1 if forest["feature"][1] == 0 else 2
    with pytest.raises(ValueError, match=told):
        rounded_forest(forest, words, n_inputs, leaf_bits=4)


def test_too_many_leaves_are_named():
    shift = 5 * np.arange(400)[:, None]
    many = {name: np.tile(BY_HAND[name], 400) for name in ("feature", "threshold", "value")}
    for name in ("left", "right"):
        links = np.asarray(BY_HAND[name])
        many[name] = np.where(links == -1, -1, links + shift).ravel()
    many["root"] = shift.ravel()

    with pytest.raises(ValueError, match=rf"1,200 leaves; at most {MAX_LEAVES:,} are built: train"):
        rounded_forest(many, ["ufixed<8,8>"], 2, leaf_bits=4)
