"""The mixture: every test event once, in a secret order, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from harness.challenge import ADC2021_BYTES
from harness.data import mix
from harness.data.mix import Mixture, flip_eta, rotate_phi, write_mixture
from harness.data.split import event_hashes
from harness.errors import EnvironmentFaultError
from tests.events import LAYOUT, make_events
from tests.unit.data.conftest import Toy


def mixed(toy: Toy, path: Path, *, seed: int = 1, limit: int | None = None) -> Mixture:
    generator = np.random.default_rng(seed)
    return write_mixture(toy.store(), toy.challenge, path, generator=generator, limit=limit)


class TestMixture:
    @pytest.mark.parametrize("stretch_events", [10**6, 100, 7])
    def test_every_test_event_is_there_once_and_found_again(
        self, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_events: int
    ) -> None:
        monkeypatch.setattr(mix, "STRETCH_BYTES", stretch_events * ADC2021_BYTES)
        mixture = mixed(toy, tmp_path / "mix.npy")
        events = np.load(mixture.path, mmap_mode="r")
        store = toy.store()
        assert mixture.processes == ("background", "a", "secret")
        assert events.dtype == np.float32
        assert events.shape == (mixture.n_events, 19, 3)
        rows = np.concatenate(list(mixture.rows.values()))
        assert np.array_equal(np.sort(rows), np.arange(mixture.n_events))
        for process in mixture.processes:
            chosen = store.indices(process, "test")
            assert np.array_equal(mixture.indices[process], chosen)
            assert np.array_equal(events[mixture.rows[process]], toy.events[process][chosen])
            assert np.array_equal(mixture.hashes[process], store.hashes(process)[chosen])

    def test_scores_come_back_in_the_order_of_the_files(self, toy: Toy, tmp_path: Path) -> None:
        separated = []
        for seed in (1, 2):
            mixture = mixed(toy, tmp_path / f"{seed}.npy", seed=seed)
            scores = np.load(mixture.path)[..., 0].sum(axis=1, dtype=np.float64)
            separated.append(mixture.separate(scores))
        for process in ("background", "a", "secret"):
            chosen = toy.store().indices(process, "test")
            expected = toy.events[process][chosen][..., 0].sum(axis=1, dtype=np.float64)
            assert np.array_equal(separated[0][process], expected)
            assert np.array_equal(separated[1][process], expected)

    def test_no_training_event_is_in_it(self, toy: Toy, tmp_path: Path) -> None:
        store = toy.store()
        hashes = event_hashes(np.load(mixed(toy, tmp_path / "mix.npy").path), "toy-1")
        for part in ("train", "validation"):
            kept = store.hashes("background")[store.indices("background", part)]
            assert not np.intersect1d(hashes, kept).size

    def test_the_order_tells_nothing(self, toy: Toy, tmp_path: Path) -> None:
        mixture = mixed(toy, tmp_path / "mix.npy")
        for rows in mixture.rows.values():
            assert kstest(rows / mixture.n_events, "uniform").pvalue > 1e-4
            # Nor does the order within a process survive.
            assert abs(np.corrcoef(np.arange(len(rows)), rows)[0, 1]) < 5 / np.sqrt(len(rows))

    @pytest.mark.parametrize("gathered_events", [1_000, 7])
    def test_events_are_gathered_in_the_order_that_is_asked_for(
        self, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gathered_events: int
    ) -> None:
        monkeypatch.setattr(mix, "_GATHERED_EVENTS", gathered_events)
        mixture = mixed(toy, tmp_path / "mix.npy")
        rows = np.random.default_rng(1).integers(0, mixture.n_events, 50)
        assert np.array_equal(mixture.gather(rows), np.load(mixture.path)[rows])
        assert mixture.gather(rows[:0]).shape == (0, 19, 3)

    @pytest.mark.parametrize("process", ["background", "a"])
    def test_chosen_events_of_a_process_are_read_in_order(self, toy: Toy, process: str) -> None:
        rows = np.arange(1, len(toy.events[process]), 3)
        read = np.concatenate(list(mix.read_rows(toy.store(), process, rows)))
        assert np.array_equal(read, toy.events[process][rows])

    def test_labels_are_those_of_the_rows(self, toy: Toy, tmp_path: Path) -> None:
        mixture = mixed(toy, tmp_path / "mix.npy")
        labels = mixture.labels()
        for code, process in enumerate(mixture.processes):
            assert np.array_equal(np.flatnonzero(labels == code), np.sort(mixture.rows[process]))

    def test_scores_of_another_length_are_refused(self, toy: Toy, tmp_path: Path) -> None:
        mixture = mixed(toy, tmp_path / "mix.npy")
        with pytest.raises(ValueError, match="expected"):
            mixture.separate(np.zeros(mixture.n_events - 1))

    def test_a_folder_that_is_not_there_is_told_as_such(self, toy: Toy, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFaultError, match="cannot be written"):
            mixed(toy, tmp_path / "none" / "mix.npy")


class TestLimit:
    def test_it_caps_every_process(self, toy: Toy, tmp_path: Path) -> None:
        mixture = mixed(toy, tmp_path / "mix.npy", limit=200)
        assert [len(rows) for rows in mixture.rows.values()] == [200, 200, 150]
        assert all((np.diff(chosen) > 0).all() for chosen in mixture.indices.values())

    def test_the_events_with_the_lowest_hashes_are_taken(self, toy: Toy, tmp_path: Path) -> None:
        store = toy.store()
        mixture = mixed(toy, tmp_path / "mix.npy", limit=50)
        for process in ("background", "a"):
            hashes = store.hashes(process)[store.indices(process, "test")]
            assert np.array_equal(np.sort(mixture.hashes[process]), np.sort(hashes)[:50])


class TestSymmetries:
    def test_rotation_turns_all_objects_of_an_event_alike(self) -> None:
        events = make_events(300)
        rotated = rotate_phi(events, np.random.default_rng(1), layout=LAYOUT)
        is_filled = events[..., 0] > 0
        turned = (rotated[..., 2] - events[..., 2]).astype(np.float64) % (2 * np.pi)
        angle = turned[:, :1]
        off = np.abs((turned - angle + np.pi) % (2 * np.pi) - np.pi)
        assert off[is_filled].max() < 1e-5
        assert np.array_equal(rotated[..., :2], events[..., :2])
        assert not rotated[~is_filled].any()
        assert np.abs(rotated[..., 2]).max() <= np.pi
        assert kstest(angle.ravel() / (2 * np.pi), "uniform").pvalue > 1e-4

    def test_flip_mirrors_eta_and_nothing_else(self) -> None:
        events = make_events(100)
        flipped = flip_eta(events, layout=LAYOUT)
        assert np.array_equal(flipped[..., 1], -events[..., 1])
        assert np.array_equal(flipped[..., ::2], events[..., ::2])
        assert not np.signbit(flipped[events == 0]).any()
        assert np.array_equal(flip_eta(flipped, layout=LAYOUT), events)

    def test_the_input_is_not_modified(self) -> None:
        events = make_events(20)
        rotate_phi(events, np.random.default_rng(1), layout=LAYOUT)
        flip_eta(events, layout=LAYOUT)
        assert np.array_equal(events, make_events(20))

    def test_features_may_stand_in_another_order(self) -> None:
        events = make_events(20)[..., ::-1].copy()
        layout = LAYOUT.model_copy(update={"features": LAYOUT.features[::-1]})
        assert np.array_equal(flip_eta(events, layout=layout)[..., 1], -events[..., 1])
        rotated = rotate_phi(events, np.random.default_rng(1), layout=layout)
        assert np.array_equal(rotated[..., 1:], events[..., 1:])
