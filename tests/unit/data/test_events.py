"""The event store: parts, selections, and the promise that training sees no test event."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harness.data
from harness.challenge import PARTS
from harness.data import open_store, training_events, validation_events
from harness.data.cache import find_cached, process_folder
from harness.data.sample import write_sample
from harness.data.sample_coding import dequantise, quantise
from harness.data.split import event_hashes
from harness.errors import DataError, UsageError
from tests.events import LAYOUT, make_challenge, make_events, toy_file
from tests.unit.data.conftest import Toy


class TestStore:
    def test_it_knows_what_is_here_in_the_order_of_the_manifest(self, toy: Toy) -> None:
        store = toy.store()
        assert store.processes == ("background", "a", "secret")
        assert [store.n_events(process) for process in store.processes] == [2000, 300, 150]
        assert store.checksum("a").startswith("sha256:")

    def test_events_and_hashes_are_whole(self, toy: Toy) -> None:
        store = toy.store()
        assert np.array_equal(store.events("a"), toy.events["a"])
        assert np.array_equal(store.hashes("a"), event_hashes(toy.events["a"], "toy-1"))

    def test_the_parts_of_background_are_disjoint_and_cover_it(self, toy: Toy) -> None:
        parts = [toy.store().indices("background", part) for part in PARTS]
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(2000))
        assert all((np.diff(part) > 0).all() for part in parts)

    def test_signals_have_a_test_part_only(self, toy: Toy) -> None:
        assert np.array_equal(toy.store().indices("a", "test"), np.arange(300))
        for part in ("train", "validation"):
            with pytest.raises(UsageError, match=f"only background has a {part} part"):
                toy.store().indices("a", part)

    def test_an_unknown_process_is_a_usage_error(self, toy: Toy) -> None:
        with pytest.raises(UsageError, match="no events of 'blackbox' are here"):
            toy.store().events("blackbox")

    def test_missing_files_are_all_named_but_the_black_box(self, tmp_path: Path, toy: Toy) -> None:
        with pytest.raises(DataError) as caught:
            open_store(toy.challenge, tmp_path)
        told = str(caught.value)
        assert [name in told for name in ("background_for_training.h5", "a.h5", "h.h5")] == [
            True
        ] * 3
        assert "bb.h5" not in told
        assert "harness fetch toy" in told


class TestSelection:
    def test_it_acts_as_the_array_that_it_stands_for(self, toy: Toy) -> None:
        store = toy.store()
        selection = store.select("background", "train")
        expected = toy.events["background"][store.indices("background", "train")]
        assert selection.shape == expected.shape
        assert (len(selection), selection.ndim) == (len(expected), 3)
        assert selection.dtype == np.float32
        assert np.array_equal(np.asarray(selection), expected)
        for key in (0, -1, slice(3, 50, 7), slice(None, None, -1), [5, 2, 5], np.array([1, 9])):
            assert np.array_equal(selection[key], expected[key])
        mask = np.arange(len(expected)) % 3 == 0
        assert np.array_equal(selection[mask], expected[mask])
        assert np.array_equal(np.concatenate(list(selection.chunks(64))), expected)
        assert np.array_equal(np.stack(list(selection)[:5]), expected[:5])
        assert np.asarray(selection, dtype=np.float64).dtype == np.float64

    def test_what_it_gives_is_a_copy(self, toy: Toy) -> None:
        selection = toy.store().select("background", "train")
        selection[:10][...] = 0.0
        assert selection[:10].any()

    def test_positions_outside_are_refused(self, toy: Toy) -> None:
        selection = toy.store().select("background", "train")
        with pytest.raises(IndexError):
            selection[len(selection)]

    def test_it_cannot_be_had_without_a_copy(self, toy: Toy) -> None:
        with pytest.raises(ValueError, match="without a copy"):
            np.asarray(toy.store().select("background", "train"), copy=False)


class TestTraining:
    def test_neither_training_nor_validation_ever_reads_a_test_event(self, toy: Toy) -> None:
        read: list[tuple[str, np.ndarray]] = []

        def note(process: str, positions: np.ndarray) -> None:
            read.append((process, positions))

        for give in (training_events, validation_events):
            selection = give(toy.challenge, root=toy.root, on_access=note)
            np.asarray(selection)
            list(selection.chunks(100))
            selection[-1], selection[::5]
        assert {process for process, _ in read} == {"background"}
        touched = np.unique(np.concatenate([positions for _, positions in read]))
        store = toy.store()
        assert not np.intersect1d(touched, store.indices("background", "test")).size
        allowed = [store.indices("background", part) for part in ("train", "validation")]
        assert np.array_equal(touched, np.sort(np.concatenate(allowed)))

    def test_no_event_given_has_the_content_of_a_test_event(self, toy: Toy) -> None:
        store = toy.store()
        test = store.hashes("background")[store.indices("background", "test")]
        for give in (training_events, validation_events):
            given = event_hashes(np.asarray(give(toy.challenge, root=toy.root)), "toy-1")
            assert not np.intersect1d(given, test).size

    def test_copies_of_an_event_stay_on_one_side(self, tmp_path: Path) -> None:
        from tests.unit.data.conftest import put_in_cache

        once = make_events(500)
        challenge = make_challenge([toy_file()])
        put_in_cache(challenge, challenge.files[0], tmp_path, np.concatenate([once, once[::-1]]))
        store = open_store(challenge, tmp_path)
        for part in PARTS:
            chosen = store.indices("background", part)
            assert np.array_equal(np.sort(999 - chosen), chosen)

    def test_a_challenge_may_be_named_and_stand_in_a_manifest_of_ones_own(
        self, toy: Toy, tmp_path: Path
    ) -> None:
        path = tmp_path / "own.yaml"
        document = {"schema": 1, "challenges": [toy.challenge.model_dump(mode="json")]}
        import yaml

        path.write_text(yaml.safe_dump(document), "utf-8")
        events = training_events("toy", root=toy.root, manifest=path)
        assert len(events) == len(toy.store().indices("background", "train"))

    def test_without_a_background_of_its_own_there_is_nothing_to_train_on(self, toy: Toy) -> None:
        files = [toy_file(), toy_file("c.h5", process="other")]
        with pytest.raises((UsageError, DataError)):
            training_events(make_challenge(files), root=toy.root)


class TestPackaged:
    """Events that come with the harness, here in a small file of the sample's form."""

    @pytest.fixture
    def packaged(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, Path]:
        monkeypatch.setattr("harness.data.events.PACKAGE_FOLDER", tmp_path)
        steps = quantise(make_events(400))
        path = tmp_path / "mini.events"
        members = write_sample(path, LAYOUT, [("background", iter([steps[:150], steps[150:]]))])
        file = toy_file(
            "background.events",
            url="package:mini.events",
            checksum=members[0].checksum,
            n_events=400,
        )
        return make_challenge([file]), tmp_path / "cache"

    def test_they_are_decoded_on_first_use(self, packaged: tuple[object, Path]) -> None:
        challenge, root = packaged
        store = open_store(challenge, root)
        expected = dequantise(quantise(make_events(400)))
        assert np.array_equal(store.events("background"), expected)

    def test_a_truncated_cache_is_made_anew(self, packaged: tuple[object, Path]) -> None:
        challenge, root = packaged
        open_store(challenge, root)
        path = process_folder(challenge, "background", root) / "events.npy"
        path.write_bytes(path.read_bytes()[:1000])
        assert isinstance(find_cached(challenge, challenge.files[0], root), str)
        assert open_store(challenge, root).events("background").shape == (400, 19, 3)

    def test_a_file_that_is_not_the_manifests_is_refused(
        self, packaged: tuple[object, Path]
    ) -> None:
        challenge, root = packaged
        other = challenge.files[0].model_copy(update={"checksum": "sha256:" + "0" * 64})
        with pytest.raises(DataError, match="with the manifest's checksum"):
            open_store(challenge.model_copy(update={"files": (other,)}), root)

    def test_two_processes_at_once_both_get_whole_events(
        self, packaged: tuple[object, Path], tmp_path: Path
    ) -> None:
        challenge, root = packaged
        script = (
            "import sys; from pathlib import Path; import harness.data.events as events\n"
            "from harness.challenge import Challenge\n"
            "events.PACKAGE_FOLDER = Path(sys.argv[1])\n"
            "challenge = Challenge.model_validate_json(sys.argv[3])\n"
            "store = events.open_store(challenge, Path(sys.argv[2]))\n"
            "print(int(store.hashes('background').sum()))"
        )
        arguments = [str(tmp_path), str(root), challenge.model_dump_json()]
        running = [
            subprocess.Popen(
                [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
        printed = {process.communicate(timeout=60)[0] for process in running}
        assert [process.returncode for process in running] == [0, 0, 0]
        expected = event_hashes(dequantise(quantise(make_events(400))), "toy-1").sum()
        assert printed == {f"{int(expected)}\n"}


class TestPackage:
    def test_importing_it_loads_nothing_heavy(self) -> None:
        script = (
            "import sys; import harness.data\n"
            "heavy = {'numpy', 'h5py', 'requests', 'pooch', 'yaml'} & set(sys.modules)\n"
            "sys.exit(f'loaded: {heavy}' if heavy else 0)"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
        assert done.returncode == 0, done.stderr

    def test_every_public_name_is_there(self) -> None:
        for name in harness.data.__all__:
            assert getattr(harness.data, name).__name__ == name

    def test_other_names_are_not(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            harness.data.nothing  # noqa: B018
