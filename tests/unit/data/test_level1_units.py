"""No page and no check takes the integers of the trigger for GeV and radians."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.data import mix
from harness.data.describe import describe
from harness.data.events import open_store, physical_units
from harness.data.fetch import fetch
from harness.data.manifest import load_manifest
from harness.data.mix import flip_eta, move_pt, rotate_phi
from harness.data.observables import distributions, observables_of
from harness.data.variations import event_variations, vary_events, why_not
from harness.metrics.accepted import cut_values
from tests.level1 import draw, small_challenge, small_rows, write_hub

N_EVENTS = 200
CHALLENGE = load_manifest().challenge("cmsl1t")
LAYOUT = CHALLENGE.layout
TURNS = {"muon": 576, "jet": 144, "egamma": 144, "tau": 144, "met": 144, "mht": 144, "fet": 144,
         "fht": 144}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cache")
    for rows in small_rows(N_EVENTS):
        write_hub(root / "hub", rows)
    fetch(small_challenge(N_EVENTS), root=root, source_folder=root / "hub", trust_first_use=True)
    return root


@pytest.fixture(scope="module")
def events(cache: Path) -> np.ndarray:
    return np.array(open_store(small_challenge(N_EVENTS), cache).events("zb_run396102"))


def test_the_units_of_every_kind_by_hand(events: np.ndarray):
    found = physical_units(events, CHALLENGE)
    is_filled = events[..., 0] > 0
    offset = np.where(np.arange(50) < 8, 1.0, 0.0)
    np.testing.assert_allclose(found[..., 0], (events[..., 0] - offset) * 0.5 * is_filled)
    eta_step = np.where(np.arange(50) < 8, 0.087 / 8, 0.087 / 2)
    np.testing.assert_allclose(found[..., 1], events[..., 1] * eta_step * is_filled, rtol=1e-5)
    for kind, turn in TURNS.items():
        rows = LAYOUT.slots[kind]
        angle = 2 * np.pi * events[:, rows, 2] / turn
        np.testing.assert_allclose(np.cos(found[:, rows, 2]), np.cos(angle), atol=1e-5)
        np.testing.assert_allclose(np.sin(found[:, rows, 2]), np.sin(angle), atol=1e-5)
    assert (np.abs(found[..., 2]) <= np.pi + 1e-6).all()


def test_a_fetch_has_no_remark_on_angles(cache: Path):
    store = open_store(small_challenge(N_EVENTS), cache)
    for process in store.processes:
        structure = store.record(process).structure
        assert structure.n_phi_out_of_range == 0
        assert structure.max_abs_phi <= np.pi + 1e-6
        # 4,094 codes of half a GeV.
        assert 1000 < structure.max_pt <= 2047
        assert structure.max_abs_eta <= 5.01


def test_observables_are_in_gev_and_sums_are_counted_once(events: np.ndarray):
    observables = {one.name: one for one in observables_of(LAYOUT)}
    assert len(observables) == len(observables_of(LAYOUT))
    physical = physical_units(events, CHALLENGE)
    assert observables["muon_pt"].unit == "GeV"
    leading = observables["muon_pt"].compute(events)
    np.testing.assert_allclose(np.nan_to_num(leading), physical[:, :8, 0].max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(observables["ht"].compute(events), physical[:, 45, 0], rtol=1e-6)
    # MET, ET and their like are sums of what the objects are: they are no further ones.
    total = np.nan_to_num(observables["sum_pt"].compute(events))
    np.testing.assert_allclose(total, physical[:, :44, 0].sum(axis=1), rtol=1e-5)


def test_cuts_are_in_gev(events: np.ndarray):
    found = cut_values(events, LAYOUT)
    np.testing.assert_allclose(found["met"], events[:, 46, 0] * 0.5)
    np.testing.assert_allclose(found["ht"], events[:, 45, 0] * 0.5)
    muons = events[:, :8, 0].max(axis=1)
    np.testing.assert_allclose(found["lepton_pt"], np.maximum(muons - 1, 0) * 0.5)


def test_a_rotation_turns_all_objects_by_one_angle_and_stays_in_the_codes(events: np.ndarray):
    turned = rotate_phi(events, np.random.default_rng(1), layout=LAYOUT)
    assert (turned[..., :2] == events[..., :2]).all()
    is_filled = events[..., 0] > 0
    angles = []
    for kind, turn in TURNS.items():
        rows = LAYOUT.slots[kind]
        codes = turned[:, rows, 2]
        assert (codes == np.rint(codes)).all()
        assert ((codes >= 0) & (codes < turn)).all()
        steps = (codes - events[:, rows, 2]) % turn
        first = np.where(is_filled[:, rows], steps * 2 * np.pi / turn, np.nan)
        angles.append(first)
    angle = np.concatenate(angles, axis=1)
    reference = angle[:, -1:]
    away = np.abs((angle - reference + np.pi) % (2 * np.pi) - np.pi)
    # Each kind turns by whole steps of its own: at most half a step of each from the angle.
    assert np.nanmax(away) <= 2 * np.pi / 144 + 1e-6
    assert np.nanmax(np.abs(reference)) > 1


@pytest.mark.parametrize("kind", ["et", "ht"])
def test_a_rotation_leaves_scalar_sums_which_have_no_phi(events: np.ndarray, kind: str):
    turned = rotate_phi(events, np.random.default_rng(1), layout=LAYOUT)
    rows = LAYOUT.slots[kind]

    assert (events[:, rows, 0] > 0).any()
    assert (turned[:, rows] == events[:, rows]).all()


@pytest.mark.parametrize(
    "change", [flip_eta, partial(move_pt, generator=np.random.default_rng(2))], ids=["eta", "pt"]
)
def test_other_checks_stay_in_the_codes(events: np.ndarray, change):
    changed = change(events, layout=LAYOUT)
    assert (changed == np.rint(changed)).all()
    assert ((changed[..., 0] > 0) == (events[..., 0] > 0)).mean() > 0.999
    assert (changed != events).any()


@pytest.mark.parametrize("change", [rotate_phi, move_pt, flip_eta])
def test_checks_change_events_in_blocks_as_all_at_once(
    events: np.ndarray, monkeypatch: pytest.MonkeyPatch, change
):
    some = events.copy()
    # Of all events one alone counts phi around 0, as those of some files do.
    some[7, :8, 2] -= 288
    made = []
    for size in (10**6, 9):
        monkeypatch.setattr(mix, "_BLOCK_EVENTS", size)
        given = {} if change is flip_eta else {"generator": np.random.default_rng(2)}
        made.append(change(some, layout=LAYOUT, **given))
    assert made[0].tobytes() == made[1].tobytes()


def test_counts_are_those_of_each_event_by_itself(events: np.ndarray):
    found = {one.name: one.counts["all"] for one in distributions(LAYOUT, {"all": [events]})}
    for one in observables_of(LAYOUT):
        values = [one.compute(event[np.newaxis])[0] for event in events]
        known = np.clip([v for v in values if not np.isnan(v)], one.edges[0], one.edges[-1])
        expected, _ = np.histogram(known, one.edges)
        assert found[one.name] == tuple(expected.tolist()), one.name


def test_variations_move_gev_by_whole_steps(events: np.ndarray):
    hashes = np.arange(len(events), dtype=np.uint64)
    possible = [one for one in event_variations() if why_not(one, CHALLENGE) is None]
    assert possible
    for variation in possible:
        varied = vary_events(variation, events, hashes, CHALLENGE).events
        assert (varied == np.rint(varied)).all(), variation.name
        for kind, turn in TURNS.items():
            assert (varied[:, LAYOUT.slots[kind], 2] < turn).all(), variation.name


def test_pages_describe_gev_and_radians(cache: Path):
    rules = small_challenge(N_EVENTS)
    files = tuple(file for file in rules.files if file.process == "zb_run396102")
    rules = rules.model_copy(update={"files": files})
    summary = describe(open_store(rules, cache)).summary
    rows = draw("ZB_run396102", "train", N_EVENTS)
    assert rows.n_events == N_EVENTS
    objects = [one for example in summary.examples for one in example.objects]
    assert objects
    assert max(abs(one.phi) for one in objects) <= np.pi + 1e-6
    assert max(abs(one.eta) for one in objects) <= 5.01
    jets = [one.pt for one in objects if one.kind == "jet"]
    assert max(jets) <= 1023


def test_one_kind_of_object_has_the_values_of_all_of_them() -> None:
    layout = load_manifest().challenge("cmsl1t").layout
    codes = np.random.default_rng(1).integers(0, 144, (50, *layout.shape))
    events = (codes * (codes > 70)).astype(np.float32)
    for kind, slots in layout.slots.items():
        for feature in layout.features:
            np.testing.assert_array_equal(
                layout.values_of(events, kind, feature), layout.values(events, feature)[:, slots]
            )
