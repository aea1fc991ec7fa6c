"""The files of the stand-in hold what was simulated, in each layout, and say what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from harness.challenge import PARTS
from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.data.formats import compare_files
from harness.data.level1.columns import COLLECTIONS, MENU
from harness.data.manifest import load_manifest
from harness.errors import UsageError
from harness.simulate.level1 import parts as parts_of_run
from harness.simulate.level1.calorimeter import MAX_SUM
from harness.simulate.level1.datasets import BY_NAME
from harness.simulate.level1.events import Level1Events
from harness.simulate.level1.manifest import NAME, make_level1_manifest, manifest_text
from harness.simulate.level1.menu import names_of
from harness.simulate.level1.objects import Objects
from harness.simulate.level1.plan import Level1Chunk, Level1Plan, draw_parts, make_level1_plan
from harness.simulate.level1.release import LAYOUTS, Layout, write_release
from tests.level1 import shipped

RUN, SIGNAL = "ZB_run396102", "WtoTauto3Mu"
CHOSEN = (RUN, "SingleNeutrino_E-10-gun", SIGNAL)
# Event of the run whose sum of ET has all bits set.
SATURATED = 5


def drawn(plan: Level1Plan, chunk: Level1Chunk) -> Level1Events:
    """Draw codes for a chunk; calorimeter objects come by falling ET."""
    _, rng = plan.seeds(chunk)
    n_events, data_set = chunk.n_events, BY_NAME[chunk.data_set]
    layout = {group.name: group for group in shipped().layout.objects}
    collections = {}
    for one in COLLECTIONS:
        capacity = layout[one.kind].n_slots
        counts = rng.integers(0, capacity + 1, n_events) if capacity > 1 else np.ones(n_events, int)
        is_filled = np.arange(capacity) < counts[:, None]
        columns = {}
        for branch in (*one.branches.values(), *one.others):
            codes = rng.integers(1, 140, (n_events, capacity))
            if branch == one.branches["pt"] and one.kind != "muon":
                codes = -np.sort(-codes, axis=1)
            columns[branch] = np.where(is_filled, codes, 0).astype(np.int32)
        collections[one.name] = Objects(counts=counts, columns=columns)
    if chunk.data_set == RUN:
        collections["ET"]["Et"][SATURATED] = MAX_SUM
    section, mean = plan.conditions(chunk, rng)
    names = names_of(is_recorded=data_set.is_recorded)
    return Level1Events(
        collections=collections,
        seeds={name: rng.random(n_events) < 0.1 for name in names},
        pile_up=mean,
        section=section,
    )


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Level1Plan:
    plan = make_level1_plan(120, seed=4, only=CHOSEN)
    made = {chunk.file_name: drawn(plan, chunk) for chunk in plan.chunks()}
    monkeypatch.setattr(
        "harness.simulate.level1.release.read_chunk", lambda _, chunk: made[chunk.file_name]
    )
    return plan


def written(plan: Level1Plan, folder: Path, layout: Layout) -> Path:
    folder.mkdir()
    write_release(plan, folder, folder, layout)
    (folder / "manifest.yaml").write_text(manifest_text(plan, folder), encoding="utf-8")
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_read_is_what_was_simulated(
    plan: Level1Plan, tmp_path: Path, layout: Layout
) -> None:
    folder = written(plan, tmp_path / "made", layout)
    challenge = load_manifest(folder / "manifest.yaml").challenge(NAME)
    fetch(challenge, root=tmp_path / "cache", source_folder=folder)
    store = open_store(challenge, tmp_path / "cache")

    (chunk,) = (one for one in plan.chunks() if one.data_set == RUN)
    made = drawn(plan, chunk)
    labels = draw_parts(plan, BY_NAME[RUN])
    is_kept = np.arange(chunk.n_events) != SATURATED
    for part in PARTS:
        rows = np.flatnonzero((labels == PARTS.index(part)) & is_kept)
        found = store.events(RUN.lower())[store.indices(RUN.lower(), part)]
        assert len(found) == len(rows)
        slots = challenge.layout.slots
        assert np.array_equal(found[:, slots["jet"], 0], made.collections["jets"]["jetIEt"][rows])
        assert np.array_equal(found[:, slots["tau"], 2], made.collections["taus"]["tauIPhi"][rows])
        assert np.array_equal(found[:, slots["met"], 2], made.collections["MET"]["phi"][rows])
        # Muons are sorted on reading.
        muons = -np.sort(-made.collections["muons"]["muonIEt"][rows], axis=1)
        assert np.array_equal(found[:, slots["muon"], 0], muons)
        at = store.indices(RUN.lower(), part)
        menu = np.logical_or.reduce(list(made.seeds.values()))[rows]
        assert np.array_equal(store.menu(RUN.lower())[at], menu)
        assert np.array_equal(store.condition(RUN.lower(), "npv")[at], made.pile_up[rows])
        assert set(store.condition(RUN.lower(), "run")[at]) == {396102}


def test_both_layouts_give_the_same_bytes(plan: Level1Plan, tmp_path: Path) -> None:
    found = []
    for layout in LAYOUTS:
        folder = written(plan, tmp_path / layout, layout)
        challenge = load_manifest(folder / "manifest.yaml").challenge(NAME)
        fetch(challenge, root=tmp_path / f"{layout}-cache", source_folder=folder)
        place = tmp_path / f"{layout}-cache" / NAME
        found.append({path.name: path.read_bytes() for path in place.rglob("*.npy")})
    assert found[0].keys() == found[1].keys()
    assert found[0] == found[1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_says_that_it_is_synthetic(
    plan: Level1Plan, tmp_path: Path, layout: Layout
) -> None:
    folder = written(plan, tmp_path / "made", layout)
    files = list(folder.rglob("*.parquet"))
    assert files
    assert all(parquet.read_schema(path).metadata[b"synthetic"] == b"true" for path in files)
    assert "not CMS data" in (folder / "README.md").read_text(encoding="utf-8")
    (challenge,) = make_level1_manifest(plan).challenges
    assert challenge.synthetic
    assert "synthetic" in challenge.title


def test_a_saturated_event_is_marked_and_takes_no_place_in_the_order(
    plan: Level1Plan, tmp_path: Path
) -> None:
    folder = written(plan, tmp_path / "made", "hub")
    tables = [parquet.read_table(path) for path in (folder / "data" / RUN).glob("*.parquet")]
    orders = [table["order"].to_numpy() for table in tables]
    assert sum((order == -1).sum() for order in orders) == 1
    for order in orders:
        assert order[order >= 0].tolist() == list(range((order >= 0).sum()))
    marked = next(table for table in tables if (table["order"].to_numpy() == -1).any())
    row = int(np.argmax(marked["order"].to_numpy() == -1))
    assert marked["ET_Et"][row].as_py() == [MAX_SUM]


def test_the_menu_is_the_or_of_its_algorithms(plan: Level1Plan, tmp_path: Path) -> None:
    folder = written(plan, tmp_path / "made", "hub")
    for path in (folder / "data" / SIGNAL / "seeds").glob("*.parquet"):
        table = parquet.read_table(path)
        names = names_of(is_recorded=False)
        together = np.logical_or.reduce([table[name].to_numpy() for name in names])
        assert np.array_equal(table[MENU].to_numpy(), together)


class TestPlan:
    def test_pile_up_falls_in_a_run_and_differs_between_runs(self) -> None:
        plan = make_level1_plan(4000, seed=4)
        means = {}
        for run in (RUN, "ZB_run398183"):
            chunks = [chunk for chunk in plan.chunks() if chunk.data_set == run]
            values = [plan.conditions(chunk, plan.seeds(chunk)[1])[1] for chunk in chunks]
            means[run] = np.concatenate(values)
            assert (np.diff(means[run]) <= 0).all()
            assert means[run][0] > means[run][-1]
        assert abs(means[RUN].mean() - means["ZB_run398183"].mean()) > 3

    def test_every_event_has_one_part(self) -> None:
        plan = make_level1_plan(1000, seed=4)
        for name, data_set in BY_NAME.items():
            labels = draw_parts(plan, data_set)
            assert len(labels) == plan.n_events[name]
            for part, share in data_set.shares.items():
                count = np.count_nonzero(labels == PARTS.index(part))
                assert count == pytest.approx(share * len(labels), abs=1)

    def test_another_seed_is_another_plan(self) -> None:
        assert make_level1_plan(10, seed=1).digest != make_level1_plan(10, seed=2).digest

    @pytest.mark.parametrize(
        ("n_events", "only", "what"),
        [(0, (), "number of events is 0"), (9, ("ZB_run1",), "no data set ZB_run1")],
    )
    def test_a_plan_that_cannot_be_made_is_refused(
        self, n_events: int, only: tuple[str, ...], what: str
    ) -> None:
        with pytest.raises(UsageError, match=what):
            make_level1_plan(n_events, seed=1, only=only)

    def test_data_sets_without_a_signal_make_no_challenge(self) -> None:
        with pytest.raises(UsageError, match="a signal"):
            make_level1_manifest(make_level1_plan(9, seed=1, only=(RUN,)))


def test_a_chunk_is_read_as_it_was_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = make_level1_plan(12, seed=4, only=(RUN,))
    (chunk,) = plan.chunks()
    made = drawn(plan, chunk)
    monkeypatch.setattr(parts_of_run, "_library", lambda _: None)
    monkeypatch.setattr(parts_of_run, "make_events", lambda *_: made)
    assert not parts_of_run.is_there(tmp_path, chunk)
    parts_of_run.make_chunk(plan, chunk, tmp_path)
    assert parts_of_run.is_there(tmp_path, chunk)
    found = parts_of_run.read_chunk(tmp_path, chunk)
    assert np.array_equal(found.pile_up, made.pile_up)
    assert found.seeds.keys() == made.seeds.keys()
    for name, objects in made.collections.items():
        assert np.array_equal(found.collections[name].counts, objects.counts)
        for branch, codes in objects.columns.items():
            assert np.array_equal(found.collections[name][branch], codes)
    (tmp_path / chunk.file_name).write_bytes(b"PK")
    assert not parts_of_run.is_there(tmp_path, chunk)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_as_the_release_is_described(plan: Level1Plan, tmp_path: Path, layout: Layout):
    folder = written(plan, tmp_path / layout, layout)
    found = compare_files(load_manifest(folder / "manifest.yaml").challenge(NAME), folder)
    assert found.layout == layout
    # The codes that are drawn here go beyond the eight bits of an eta.
    assert [one for one in found.differences if "IEta" not in one.where] == []
