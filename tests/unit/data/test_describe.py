"""Descriptions: numbers are those of the events, hidden signals stay hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.card.summary import DataSummary
from harness.data.describe import describe, summarise_pt, write_plots
from harness.data.inventory import take_inventory
from harness.data.manifest import Manifest
from harness.data.observables import Chunk, count_in_bins, distributions, observables_of
from harness.files import write_json
from tests.events import LAYOUT, make_events
from tests.unit.data.conftest import Toy


def observable(name: str):
    return next(found for found in observables_of(LAYOUT) if found.name == name)


class TestObservables:
    def test_their_names_follow_from_the_layout(self) -> None:
        assert [found.name for found in observables_of(LAYOUT)] == [
            "met", "electron_pt", "n_electron", "muon_pt", "n_muon", "jet_pt", "n_jet", "ht",
            "sum_pt", "n_objects",
        ]  # fmt: skip

    def test_hand_worked_event(self) -> None:
        event = np.zeros((1, 19, 3), np.float32)
        event[0, [0, 1, 2, 9], 0] = [30.0, 25.0, 5.0, 250.0]
        values = {found.name: found.compute(event)[0] for found in observables_of(LAYOUT)}
        assert np.isnan(values.pop("muon_pt"))
        assert values == {
            "met": 30.0, "electron_pt": 25.0, "n_electron": 2.0, "n_muon": 0.0, "jet_pt": 250.0,
            "n_jet": 1.0, "ht": 250.0, "sum_pt": 310.0, "n_objects": 3.0,
        }  # fmt: skip

    def test_values_beyond_are_counted_in_the_outer_bins_and_absent_ones_nowhere(self) -> None:
        edges = observable("jet_pt").edges
        events = np.zeros((5, 19, 3), np.float32)
        events[:, 9, 0] = [0.0, 3.9, 4.0, edges[1] + 0.01, 9999.0]
        counts = count_in_bins(observable("jet_pt"), Chunk(LAYOUT, events))
        assert (counts[0], counts[1], counts[-1], counts.sum()) == (2, 1, 1, 4)

    def test_bins_reach_far_into_the_tail_that_a_trigger_accepts(self) -> None:
        for name in ("met", "jet_pt", "ht", "sum_pt"):
            edges = np.asarray(observable(name).edges)
            assert edges[0] <= 10.0
            assert edges[-1] >= 4000.0
            assert np.diff(np.log(edges)) == pytest.approx(
                np.log(edges[-1] / edges[0]) / 45, rel=0.1
            )

    def test_multiplicities_have_a_bin_for_each_number(self) -> None:
        events = make_events(1000)
        counts = count_in_bins(observable("n_electron"), Chunk(LAYOUT, events))
        expected = np.bincount((events[:, 1:5, 0] > 0).sum(axis=1), minlength=5)
        assert np.array_equal(counts, expected)

    def test_chunks_add_up(self) -> None:
        events = make_events(500)
        whole = distributions(LAYOUT, {"b": [events]})
        pieces = distributions(LAYOUT, {"b": [events[:123], events[123:]]})
        assert whole == pieces
        assert all(sum(found.counts["b"]) <= 500 for found in whole)


class TestDescribe:
    def test_counts_and_occupancies_are_those_of_the_events(self, toy: Toy) -> None:
        summary = describe(toy.store()).summary
        background, signal = summary.processes
        assert (background.n_events, signal.n_events) == (2000, 300)
        filled = (toy.events["background"][..., 0] > 0).mean(axis=0)
        assert background.occupancy["met"] == (1.0,)
        assert background.occupancy["jet"] == pytest.approx(tuple(filled[9:]), abs=1e-12)

    def test_hidden_signals_are_nowhere(self, toy: Toy) -> None:
        description = describe(toy.store())
        assert "secret" not in description.summary.model_dump_json()
        assert "secret" not in description.leading_pt

    def test_pt_summaries_are_those_of_present_objects(self, toy: Toy) -> None:
        leading = toy.events["a"][:, 1:5, 0].max(axis=1)
        present = leading[leading > 0].astype(np.float64)
        found = describe(toy.store()).leading_pt["a"]["electron"]
        assert found is not None
        assert found.n_present == len(present)
        assert found.mean_gev == pytest.approx(present.mean())
        assert found.sd_gev == pytest.approx(present.std())
        assert found.quantiles_gev[0.5] == pytest.approx(np.median(present))

    def test_without_any_there_is_no_summary(self) -> None:
        assert summarise_pt(np.zeros(5, np.float32)) is None

    def test_background_examples_are_training_events(self, toy: Toy) -> None:
        store = toy.store()
        test = {round(float(pt), 3) for pt in store.select("background", "test")[:][:, 0, 0]}
        shown = [e for e in describe(store).summary.examples if e.process == "background"]
        assert len(shown) == 3
        for example in shown:
            assert example.objects[0].kind == "met"
            assert round(example.objects[0].pt, 3) not in test

    def test_the_summary_is_written_whole_and_read_back(self, toy: Toy, tmp_path: Path) -> None:
        summary = describe(toy.store()).summary
        path = tmp_path / "results" / "toy" / "summary.json"
        write_json(path, summary)
        assert DataSummary.model_validate_json(path.read_bytes()) == summary
        assert [found.name for found in path.parent.iterdir()] == ["summary.json"]

    def test_a_picture_is_drawn_of_each_distribution(self, toy: Toy, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        summary = describe(toy.store()).summary
        some = summary.model_copy(update={"distributions": summary.distributions[:2]})
        paths = write_plots(some, tmp_path / "plots")
        assert [path.name for path in paths] == ["met.png", "electron_pt.png"]
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)

    def test_numbers_of_objects_have_whole_ticks_and_no_line_meets_the_legend(
        self, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        figures = pytest.importorskip("matplotlib.figure")
        drawn = []

        class Kept(figures.Figure):
            def __init__(self, **options: object) -> None:
                super().__init__(**options)
                drawn.append(self)

        monkeypatch.setattr("harness.data.describe.matplotlib_figure", lambda: Kept)
        summary = describe(toy.store()).summary
        numbers = tuple(one for one in summary.distributions if not one.unit)
        write_plots(summary.model_copy(update={"distributions": numbers}), tmp_path)

        assert len(drawn) == len(numbers) > 1
        for figure in drawn:
            (axes,), (legend,) = figure.axes, figure.legends
            assert all(tick == round(tick) for tick in axes.get_xticks())
            assert not legend.get_window_extent().overlaps(axes.get_window_extent())


class TestInventory:
    def test_it_tells_what_is_here_and_what_is_not(self, toy: Toy) -> None:
        manifest = Manifest(schema=1, challenges=(toy.challenge,))
        (status,) = take_inventory(manifest, toy.root)
        assert status.is_ready
        assert [file.state for file in status.files] == [
            "cached", "cached", "cached", "not in the cache",
        ]  # fmt: skip
        assert status.files[0].n_bytes == sum(
            path.stat().st_size for path in status.files[0].folder.glob("*.npy")
        )

    def test_an_empty_cache_is_ready_for_nothing(self, toy: Toy, tmp_path: Path) -> None:
        manifest = Manifest(schema=1, challenges=(toy.challenge,))
        (status,) = take_inventory(manifest, tmp_path)
        assert not status.is_ready
        assert not any(file.is_here for file in status.files)
