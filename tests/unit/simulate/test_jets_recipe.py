"""The embedded samples of jets are what their recipe and the manifest say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data import training_events
from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.data.manifest import load_manifest
from harness.data.sample import decode_member, read_members
from harness.jets import jet_axis, jet_mass, n_constituents
from harness.scoring.readiness import check_challenge
from harness.simulate.boosted.presets import JET_SAMPLES
from harness.simulate.boosted.selection import LAYOUT
from tools import jets_sample as recipe

CHALLENGES = ("jets-toptag-sample", "jets-anomaly-sample", "jets-inverse-sample")
# On another processor the last digits differ, and then now and then a jet.
LEAST_EQUAL = 0.7


def jets_of(one: recipe.Recipe, name: str) -> np.ndarray:
    member = next(each for each in read_members(one.path, LAYOUT) if each.process == name)
    return next(decode_member(one.path, member, LAYOUT))


@pytest.mark.parametrize("one", recipe.RECIPES, ids=lambda one: one.file_name)
def test_a_sample_is_small_and_holds_what_its_recipe_says(one: recipe.Recipe) -> None:
    assert one.path.stat().st_size <= recipe.MAX_BYTES
    members = read_members(one.path, LAYOUT)
    assert [(each.process, each.n_events) for each in members] == [
        (run.name, run.n_jets) for run in one.runs
    ]


@pytest.mark.parametrize("one", recipe.RECIPES, ids=lambda one: one.file_name)
def test_its_jets_lie_in_the_window_of_their_selection(one: recipe.Recipe) -> None:
    for run in one.runs:
        selection, jets = JET_SAMPLES[run.name].selection, jets_of(one, run.name)[:2000]
        axis = jet_axis(jets)
        # Rounding moves the pT of a jet by about a GeV.
        assert axis[:, 0].min() > selection.min_pt_gev - 5
        assert axis[:, 0].max() < selection.max_pt_gev + 5
        assert np.abs(axis[:, 1]).max() < selection.max_abs_eta + 0.02
        assert n_constituents(jets).max() < 200


def test_tops_peak_at_their_mass_and_have_more_constituents_than_qcd() -> None:
    tops, qcd = (jets_of(recipe.TOPTAG, name) for name in ("toptag_top", "toptag_qcd"))

    counts, edges = np.histogram(jet_mass(tops), bins=np.arange(120, 230, 5))

    assert 165 <= edges[np.argmax(counts)] <= 175
    assert n_constituents(tops).mean() > n_constituents(qcd).mean() + 5
    assert np.median(jet_mass(qcd)) < 100


@pytest.mark.parametrize(
    ("one", "name"), [(recipe.TOPTAG, "toptag_top"), (recipe.ANOMALY, "anomaly_gluino")]
)
def test_the_recipe_makes_the_first_jets_again(one: recipe.Recipe, name: str) -> None:
    made = recipe.first_jets(name, one.seed, 10)

    is_equal = (made == jets_of(one, name)[:10]).all(axis=(1, 2))
    assert is_equal.mean() >= LEAST_EQUAL


@pytest.mark.parametrize("name", CHALLENGES)
def test_fetch_takes_it_from_the_package_and_it_can_rank(name: str, tmp_path: Path) -> None:
    challenge = load_manifest().challenge(name)
    assert challenge.synthetic
    assert "synthetic" in challenge.title
    report = fetch(challenge, root=tmp_path)
    assert {file.action for file in report.files} == {"packaged"}
    store = open_store(challenge, tmp_path)
    (background,) = challenge.processes("background")
    n_test = len(store.indices(background))
    assert check_challenge(challenge, tmp_path).n_test == pytest.approx(n_test, abs=300)
    # Ten background events pass at the working point.
    assert challenge.working_point * (n_test + 1) >= 10


def test_tops_have_a_training_part_where_tagging_is_learned() -> None:
    challenge = load_manifest().challenge("jets-toptag-sample")
    stated = {file.process: file.part_events for file in challenge.files}
    for signal in (None, "toptag_top"):
        jets = training_events(challenge, signal=signal)
        assert len(jets) == stated[signal or "toptag_qcd"]["train"]


def test_the_public_set_has_the_layout_of_the_sample() -> None:
    manifest = load_manifest()
    public = manifest.challenge("jets-toptag")
    assert public.layout == manifest.challenge("jets-toptag-sample").layout
    assert {file.process for file in public.files} == {"toptag_qcd", "toptag_top"}
