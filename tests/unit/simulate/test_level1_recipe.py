"""The recipe of `cmsl1t-sample` gives the slice that is committed, and the file is what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.challenge import PARTS
from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.data.manifest import load_manifest
from harness.data.training import training_events
from harness.scoring.readiness import check_challenge
from harness.simulate.level1.crossings import LIBRARY_EVENTS, Collider, open_library
from harness.simulate.level1.datasets import BY_NAME
from harness.simulate.level1.events import BATCH, make_events
from harness.simulate.level1.plan import draw_parts
from tools import cmsl1t_sample as recipe

# Other processors round sines and logarithms otherwise in the last place: a code may be one off.
LEAST_EQUAL = 0.99


def test_the_slice_is_the_committed_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pythia8mc")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
    committed = json.loads(recipe.SLICE.read_text(encoding="utf-8"))
    made = recipe.make_slice()
    assert made.keys() == committed.keys()
    for name, collections in committed.items():
        pairs = [(np.ravel(made[name][one]), np.ravel(codes)) for one, codes in collections.items()]
        found, expected = (np.concatenate(side) for side in zip(*pairs, strict=True))
        assert (found == expected).mean() >= LEAST_EQUAL, name
        assert np.abs(found - expected).max() <= 1, name


@pytest.mark.slow
def test_the_committed_sample_holds_what_the_recipe_makes() -> None:
    """The first crossings of a run, with the full library of soft events."""
    pytest.importorskip("pythia8mc")
    run = "ZB_run396102"
    challenge = load_manifest().challenge("cmsl1t-sample")
    store = open_store(challenge)
    plan = recipe.plan()
    chunk = next(one for one in plan.chunks() if one.data_set == run)
    seed, rng = plan.seeds(chunk)
    section, mean = plan.conditions(chunk, rng)
    collider = Collider(None, open_library(LIBRARY_EVENTS), seed)
    made = make_events(BY_NAME[run], collider, section[:BATCH], mean[:BATCH], rng)
    labels = draw_parts(plan, BY_NAME[run])[:BATCH]
    rows = np.flatnonzero(labels == PARTS.index("test"))
    at = store.indices(run.lower(), "test")[: len(rows)]
    jets = store.events(run.lower())[at][:, challenge.layout.slots["jet"], 0]
    expected = made.collections["jets"]["jetIEt"][rows]
    assert (jets == expected).mean() >= LEAST_EQUAL


def test_the_sample_is_labelled_and_small_and_every_part_is_there() -> None:
    challenge = load_manifest().challenge("cmsl1t-sample")
    assert challenge.synthetic
    assert "synthetic" in challenge.title
    assert recipe.OUT.stat().st_size <= recipe.MAX_BYTES
    store = open_store(challenge)
    for file in challenge.files:
        counts = {part: len(store.indices(file.process, part)) for part in file.part_events}
        assert counts == dict(file.part_events)
    n_test = sum(len(store.indices(name)) for name in challenge.processes("background"))
    # FPR 1e-3 ranks, 1 kHz is measured and low statistics.
    fprs = challenge.false_positive_rates
    assert challenge.working_point * (n_test + 1) >= 10
    assert 1 <= fprs[0] * (n_test + 1) < 10


def test_fetch_takes_it_from_the_package_and_source_names_the_simulated_twin(
    tmp_path: Path,
) -> None:
    challenge = load_manifest().challenge("cmsl1t-sample")
    report = fetch(challenge, root=tmp_path)
    assert {file.action for file in report.files} == {"packaged"}
    assert report.download_bytes == 0
    parts = {file.process: file.part_events for file in challenge.files}
    runs = challenge.processes("background")
    data = training_events(challenge, root=tmp_path)
    assert len(data) == sum(parts[run]["train"] for run in runs)
    (twin,) = challenge.processes("variation")
    simulated = training_events(challenge, root=tmp_path, source="simulation")
    assert len(simulated) == parts[twin]["validation"]


def test_the_check_of_the_rules_counts_its_test_events() -> None:
    challenge = load_manifest().challenge("cmsl1t-sample")
    n_test = sum(
        file.part_events["test"] or 0 for file in challenge.files if file.role == "background"
    )
    assert check_challenge(challenge).n_test == n_test


def test_the_layout_is_that_of_the_release() -> None:
    manifest = load_manifest()
    assert manifest.challenge("cmsl1t-sample").layout == manifest.challenge("cmsl1t").layout


def test_pile_up_raises_the_sums_and_the_runs_differ() -> None:
    challenge = load_manifest().challenge("cmsl1t-sample")
    store = open_store(challenge)
    slot = challenge.layout.slots["et"].start
    energies, pile_up = [], []
    for name in challenge.processes("background"):
        energies.append(np.asarray(store.events(name))[:, slot, 0])
        pile_up.append(np.asarray(store.condition(name, "npv")))
    assert np.corrcoef(np.concatenate(energies), np.concatenate(pile_up))[0, 1] > 0.1
    assert energies[0].mean() > energies[1].mean()
