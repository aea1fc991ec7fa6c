"""Events without their zeros: the same numbers as dense ones, in fewer bytes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from harness.data.split import event_hashes
from harness.submission.events import (
    ENTRY,
    SparseEvents,
    SparseWriter,
    extremes,
    joined,
    open_events,
    open_rows,
    save_events,
    save_parts,
    sparse_of,
    taken,
)

SHAPE = (7, 5, 3)


def make_images(n_events: int = 40, *, share: float = 0.1, shape: tuple[int, ...] = SHAPE):
    """Draw images, `share` of whose values are not zero."""
    generator = np.random.default_rng(n_events)
    filled = generator.random((n_events, *shape)) < share
    return (generator.normal(size=filled.shape) * filled).astype(np.float32) + np.float32(0.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_indexed_like_the_dense_array(share: float) -> None:
    dense = make_images(share=share)
    sparse = sparse_of(dense)
    assert sparse.shape == dense.shape
    assert len(sparse.entries) == np.count_nonzero(dense)
    mask = np.arange(len(dense)) % 3 == 0
    for key in (
        slice(None),
        slice(3, 9),
        slice(9, 3),
        slice(-4, None),
        slice(None, None, 2),
        5,
        -1,
    ):
        assert np.array_equal(sparse[key], dense[key])
    for rows in ([4, 1, 4], np.array([], np.int64), mask):
        assert np.array_equal(sparse[rows], dense[rows])
    assert np.array_equal(np.asarray(sparse), dense)
    with pytest.raises(ValueError, match="nothing to share"):
        np.asarray(sparse, copy=False)


def test_a_part_is_sent_to_another_process_without_the_others(tmp_path: Path) -> None:
    dense = make_images(400)
    save_events(tmp_path / "events.npy", sparse_of(dense))
    mapped = open_events(tmp_path / "events.npy")
    assert isinstance(mapped, SparseEvents)
    sent = pickle.dumps(mapped.part(100, 104))

    assert len(sent) < len(pickle.dumps(mapped)) / 20
    assert np.array_equal(np.asarray(pickle.loads(sent)), dense[100:104])
    assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(mapped))), dense)


def test_parts_are_taken_and_joined_sparse() -> None:
    dense = make_images()
    sparse = sparse_of(dense)
    rows = np.array([5, 2, 30])
    together = joined([sparse.part(3, 9), taken(sparse, rows), sparse.part(0, 0)])
    assert isinstance(together, SparseEvents)
    assert np.array_equal(together[:], np.concatenate([dense[3:9], dense[rows]]))
    assert np.array_equal(joined([dense, dense[:2]]), np.concatenate([dense, dense[:2]]))
    assert extremes(sparse) == extremes(dense) == (dense.min(), dense.max())


def test_a_file_holds_them_whole(tmp_path: Path) -> None:
    dense = make_images()
    path = tmp_path / "events.npy"
    save_events(path, sparse_of(dense))
    found = open_events(path)
    assert isinstance(found, SparseEvents)
    assert np.array_equal(found[:], dense)
    assert np.array_equal(open_rows(path)[2:4], dense[2:4].reshape(2, -1))
    n_bytes = path.stat().st_size
    assert n_bytes == 128 + 8 * (8 + np.count_nonzero(dense) + len(dense) + 1)
    array = np.load(path)
    np.save(path, array[:-1])
    with pytest.raises(ValueError, match="no whole file of sparse events"):
        open_events(path)
    np.save(path, np.zeros(9))
    with pytest.raises(ValueError, match="events are float64"):
        open_events(path)


def test_parts_are_written_as_if_they_were_joined(tmp_path: Path) -> None:
    dense = make_images()
    every_second = np.repeat(dense, 2, axis=0)[::2]
    for whole, parts in (
        (dense, [dense[:5], every_second[5:6], dense[6:6], dense[6:]]),
        (sparse_of(dense), [sparse_of(dense).part(0, 7), sparse_of(dense[7:])]),
    ):
        save_events(tmp_path / "whole.npy", whole)
        save_parts(tmp_path / "parts.npy", parts)
        assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
        assert np.array_equal(open_events(tmp_path / "parts.npy")[:], dense)


def test_each_event_goes_to_its_place(tmp_path: Path) -> None:
    dense = make_images()
    sparse = sparse_of(dense)
    places = np.random.default_rng(1).permutation(len(dense))
    path = tmp_path / "mixed.npy"
    with path.open("wb") as stream:
        writer = SparseWriter(stream, SHAPE)
        writer.scatter(iter([sparse.part(0, 15), sparse.part(15, 40)]), places, sparse.counts)
        assert writer.finish() == np.count_nonzero(dense)
    assert np.array_equal(open_events(path)[places], dense)


@pytest.mark.parametrize("block", [1, 50, 2**18])
@pytest.mark.parametrize("shape", [SHAPE, (3, 3, 1), (2, 4, 1)])
def test_the_hash_is_that_of_the_dense_events(
    shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.data.split._SPARSE_BLOCK", block)
    for share in (0.0, 0.1, 1.0):
        dense = make_images(share=share, shape=shape)
        assert np.array_equal(event_hashes(sparse_of(dense), "key"), event_hashes(dense, "key"))


def test_a_file_of_many_axes_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as stream, pytest.raises(ValueError, match="at most 5"):
        SparseWriter(stream, (1,) * 6)
    assert ENTRY.itemsize == 8
