"""What stands beside the events comes back from the cache, and what is broken is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.challenge import Challenge
from harness.data.beside import decisions
from harness.data.cache import find_cached, process_folder
from harness.data.events import EventStore, open_store
from harness.data.fetch import fetch
from harness.errors import DataError
from tests.beside import ALGORITHMS, CONDITIONS, RUNS, challenge_beside, write_beside

N_BACKGROUND, N_SIGNAL = 900, 120


def bring(challenge: Challenge, folder: Path) -> EventStore:
    root = folder / "cache"
    fetch(challenge, root=root, source_folder=folder, trust_first_use=True)
    return open_store(challenge, root)


def algorithms_of(store: EventStore, process: str) -> tuple[tuple[str, ...], np.ndarray]:
    found = store.algorithms(process)
    assert found is not None
    names, packed = found
    return names, np.stack([decisions(packed, i) for i in range(len(names))], axis=1)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_beside(tmp_path / "background.h5", N_BACKGROUND, seed=1)
    write_beside(tmp_path / "heavy.h5", N_SIGNAL, seed=2, scale=3.0)
    return tmp_path


def test_it_comes_back_event_by_event(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.data.hdf5._BESIDE_EVENTS", 100)
    store = bring(challenge_beside(), files)
    with h5py.File(files / "background.h5") as file:
        for condition in CONDITIONS:
            found = store.condition("background", condition.name)
            assert np.array_equal(found, file[condition.column][()].astype(float))
        expected = file["algorithms"][()].astype(bool)
        assert expected.any(axis=0).all()
    names, found = algorithms_of(store, "background")
    assert names == ALGORITHMS
    assert np.array_equal(found, expected)
    assert np.array_equal(store.menu("background"), expected.any(axis=1))
    assert algorithms_of(store, "heavy")[1].shape == (N_SIGNAL, len(ALGORITHMS))


def test_files_of_one_process_keep_the_algorithms_that_all_have(files: Path) -> None:
    other = ("L1_Other", *reversed(ALGORITHMS[:9]))
    first = write_beside(files / "first.h5", 300, seed=3)
    second = write_beside(files / "second.h5", 200, seed=4, names=other, runs=RUNS[:1])
    store = bring(challenge_beside(pieces=("first.h5", "second.h5")), files)
    names, found = algorithms_of(store, "background")
    assert names == ALGORITHMS[:9]
    assert np.array_equal(found[:300], first[:, :9])
    assert np.array_equal(found[300:], second[:, :0:-1])
    runs = store.condition("background", "run")
    assert set(runs[:300]) == set(RUNS)
    assert set(runs[300:]) == {RUNS[0]}


def test_files_of_one_process_that_share_no_algorithm_are_refused(files: Path) -> None:
    write_beside(files / "other.h5", 50, seed=3, names=("L1_Other",))
    with pytest.raises(DataError, match="share no single algorithm"):
        bring(challenge_beside(pieces=("background.h5", "other.h5")), files)


def test_a_challenge_that_asks_for_more_reads_its_files_again(files: Path) -> None:
    whole = challenge_beside()
    plain = whole.model_copy(update={"conditions": (), "algorithms": None})
    store = bring(plain, files)
    assert store.algorithms("background") is None
    assert find_cached(whole, whole.files[0], files / "cache") == (
        "the cache holds no decisions of single algorithms"
    )
    assert algorithms_of(bring(whole, files), "background")[0] == ALGORITHMS


@pytest.mark.parametrize("name", ["condition-run.npy", "algorithms.npy", "menu.npy"])
def test_a_damaged_array_is_noticed(files: Path, name: str) -> None:
    challenge = challenge_beside()
    bring(challenge, files)
    path = process_folder(challenge, "background", files / "cache") / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"the cache is damaged: .*{name}"):
        open_store(challenge, files / "cache")


def changed(file: h5py.File, name: str, values: object) -> None:
    names = file[name].attrs.get("names")
    del file[name]
    if values is not None:
        file[name] = values
        if names is not None:
            file[name].attrs["names"] = names


BROKEN = {
    "no dataset": ("run", None, "it has no dataset run"),
    "too short": ("run", np.ones(5), r"run has the shape \(5,\)"),
    "texts": ("run", [b"a"] * N_BACKGROUND, "run has the shape .* and the type"),
    "too many values": ("run", np.arange(N_BACKGROUND), "run has more than 100 values"),
    "NaN": ("nPV_True", np.full(N_BACKGROUND, np.nan), "nPV_True is NaN or infinite"),
    "no algorithms": ("algorithms", None, "it has no dataset algorithms"),
    "no column for a name": ("algorithms", np.ones((N_BACKGROUND, 3), "u1"), r"\(900, 3\)"),
    "another number": ("algorithms", np.full((N_BACKGROUND, 11), 2, "u1"), "other numbers than 0"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused_by_name(files: Path, case: str) -> None:
    name, values, told = BROKEN[case]
    with h5py.File(files / "background.h5", "r+") as file:
        changed(file, name, values)
    with pytest.raises(DataError, match=told) as caught:
        bring(challenge_beside(), files)
    assert caught.value.problems[0].where
    assert caught.value.problems[0].expected


@pytest.mark.parametrize(
    "names", [None, ["a"] * 11, ["x" * 121, *"abcdefghij"], [b"\xff", *[b"b"] * 10]]
)
def test_names_of_algorithms_that_are_none_are_refused(files: Path, names: object) -> None:
    with h5py.File(files / "background.h5", "r+") as file:
        attributes = file["algorithms"].attrs
        del attributes["names"]
        if names is not None:
            attributes["names"] = names
    with pytest.raises(DataError, match="names"):
        bring(challenge_beside(), files)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"menu": None}, "algorithms needs menu"),
        ({"conditions": [{"name": "a", "title": "A", "column": "a", "edges": [1]}]}, "one edge"),
        ({"conditions": [{"name": "a", "title": "A", "column": "a"}] * 2}, "named a"),
        ({"conditions": [{"name": "a", "title": "A", "column": "a", "edges": [2, 1]}]}, "rise"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Challenge.model_validate({**challenge_beside().model_dump(mode="json"), **change})
