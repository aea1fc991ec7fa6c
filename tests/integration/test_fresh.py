"""Fresh events of the recipe show an entry that knows the published ones by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.card.checks import Check
from harness.card.files import read_card
from harness.card.records import ScoreCard
from tests.events import make_events, write_hdf5
from tests.integration.conftest import CommandLine, write_submission

pytestmark = pytest.mark.whole

KNOWS = """
from pathlib import Path

import numpy as np

KNOWN = np.load(Path(__file__).parent / "known.npy")


def score(events):
    return np.isin(events[:, 0, 0], KNOWN) * 1e6 + events[:, :, 0].sum(axis=1)
"""
HONEST = """
def score(events):
    return events[:, :, 0].sum(axis=1)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    write_hdf5(folder / "heavy.h5", make_events(400, seed=12) * np.float32([3, 1, 1]))
    write_hdf5(folder / "alike.h5", make_events(300, seed=13))
    return folder


def scored(harness: CommandLine, folder: Path, fresh: Path, results: Path) -> ScoreCard:
    done = harness.score(folder, "--fresh", fresh, "--results", results)
    assert done.returncode == 0, done.stderr
    (card,) = results.glob("toy/*/*.json")
    return read_card(card)


def check_of(card: ScoreCard) -> Check:
    assert isinstance(card.checks, tuple)
    (found,) = (check for check in card.checks if check.name == "fresh_events")
    return found


def test_an_entry_that_knows_the_published_events_is_seen(harness, fresh, tmp_path):
    folder = write_submission(tmp_path / "knows", model=KNOWS, division="open")
    np.save(folder / "known.npy", (make_events(500, seed=2) * np.float32([3, 1, 1]))[:, 0, 0])
    card = scored(harness, folder, fresh, tmp_path / "results")
    found = check_of(card)
    assert found.n_events == 700
    assert found.rates["heavy"].before == 1.0
    assert found.rates["heavy"].difference.upper < -0.1
    (warning,) = (one for one in card.warnings if "knows the published events" in one)
    assert warning.startswith("the TPR of heavy is 100 %")


def test_an_honest_entry_has_the_same_rates_on_both(harness, fresh, tmp_path):
    folder = write_submission(tmp_path / "honest", model=HONEST, division="open")
    card = scored(harness, folder, fresh, tmp_path / "results")
    for rate in check_of(card).rates.values():
        assert rate.difference.lower <= 0 <= rate.difference.upper
    assert not [one for one in card.warnings if "published events" in one]


def test_a_folder_without_fresh_events_is_refused_before_anything_is_scored(harness, tmp_path):
    folder = write_submission(tmp_path / "honest", model=HONEST, division="open")
    done = harness.score(folder, "--fresh", tmp_path)
    assert done.returncode == 5
    assert "there is no file of fresh events" in done.stderr
    assert "heavy.h5, alike.h5" in done.stderr
    assert "score:" not in done.stdout + done.stderr
