"""Trees of harness beside XGBoost and conifer themselves, run by ``make test-trees`` alone.

conifer 1.11 is a reference for boosted trees only: its random forest gives other scores, and it
reads no isolation forest.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import conifer
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import GradientBoostingClassifier

from harness import heads

# conifer leaves files open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

N_EVENTS, N_FEATURES = 2_000, 6
# conifer adds leaves that are cut to 20 bits after the point, one of each tree.
N_TREES, LEAF_STEP = 10, 2.0**-20
# XGBoost adds them in float32.
FLOAT32 = 2.0**-22


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    """Momenta in steps of 1/4 and two classes that overlap."""
    random = np.random.default_rng(5)
    events = np.round(random.exponential(20.0, (N_EVENTS, N_FEATURES)) * 4) / 4
    labels = events[:, 0] + events[:, 1] * (events[:, 2] > 15) > random.normal(45, 10, N_EVENTS)
    return events.astype(np.float32), labels


@pytest.fixture(scope="module")
def boosted(sample, tmp_path_factory) -> tuple[xgboost.XGBClassifier, Path]:
    """A model of XGBoost, and the JSON that it writes."""
    model = xgboost.XGBClassifier(n_estimators=N_TREES, max_depth=4, n_jobs=1).fit(*sample)
    path = tmp_path_factory.mktemp("boosted") / "boosted.json"
    model.save_model(path)
    return model, path


def emulated(model, events: np.ndarray, folder: Path) -> np.ndarray:
    """What conifer's HLS gives, compiled with the fixed-point types that hls4ml carries."""
    settings = conifer.backends.xilinxhls.auto_config()
    settings |= {"OutputDir": str(folder), "Precision": "ap_fixed<32,12>"}
    converted = model(settings)
    converted.compile()
    return np.ravel(converted.decision_function(events))


@pytest.fixture
def types(monkeypatch) -> None:
    """Where conifer finds the types."""
    found = find_spec("hls4ml")
    assert found is not None
    templates = Path(str(found.origin)).parent / "templates"
    folder = next(path for path in templates.rglob("ap_types") if path.is_dir())
    monkeypatch.setenv("XILINX_AP_INCLUDE", str(folder))


def are_equal_but_for_a_constant(first: np.ndarray, second: np.ndarray, most: float) -> bool:
    """Whether two scores differ by the base score alone, which orders no events."""
    difference = np.asarray(first, float) - np.asarray(second, float)
    return bool(np.ptp(difference) <= most < np.ptp(first) / 1_000)


def test_the_trees_of_a_json_file_score_as_xgboost(sample, boosted):
    model, path = boosted
    margins = model.predict(sample[0], output_margin=True)

    scores = heads.tree_scores(path, sample[0])

    assert are_equal_but_for_a_constant(scores, margins, N_TREES * FLOAT32)


def test_xgboost_in_conifer_scores_as_the_trees_of_harness(sample, boosted, types, tmp_path):
    def convert(settings):
        return conifer.converters.convert_from_xgboost(boosted[0], settings)

    scores = heads.tree_scores(boosted[1], sample[0])

    found = emulated(convert, sample[0], tmp_path / "project")
    assert are_equal_but_for_a_constant(scores, found, N_TREES * LEAF_STEP)


def test_boosting_of_scikit_learn_in_conifer_scores_as_the_trees_of_harness(
    sample, types, tmp_path
):
    model = GradientBoostingClassifier(n_estimators=N_TREES, max_depth=4).fit(*sample)
    np.savez(tmp_path / "boosted.npz", **heads.tree_arrays(model))

    def convert(settings):
        return conifer.converters.convert_from_sklearn(model, settings)

    scores = heads.tree_scores(tmp_path / "boosted.npz", sample[0])

    found = emulated(convert, sample[0], tmp_path / "project")
    assert are_equal_but_for_a_constant(scores, found, N_TREES * LEAF_STEP)
