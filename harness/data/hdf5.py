"""HDF5 files of events, read in bounded memory; their forms: `harness.data.forms`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.challenge import PARTS, EventLayout
from harness.data.beside import Algorithms, check_names
from harness.data.forms import EventChunk, find_form, own_dataset, wrong
from harness.data.locks import disk_failed, sharing
from harness.data.split import chunks
from harness.errors import DataError

if TYPE_CHECKING:
    import h5py

# Of black boxes only: a number for each event, by which a result names it.
IDS = "EvtId"
# Weights of events, such as those of a spectrum that was generated flatter than it is.
WEIGHTS = ("weights", "weight")
# HDF5's own cache of decompressed chunks; one row of chunks must fit.
_CHUNK_CACHE_BYTES = 256 * 1024**2
# What stands beside the events is read so many at a time.
_BESIDE_EVENTS = 65_536
_TRUNCATED = re.compile(r"truncated file: eof = (\d+), .*stored_eof = (\d+)")
# The file may be the only copy: no message says to delete it.
_GET_ANOTHER = "get a whole copy from where it came from, and keep this one until you have it"


def slot_classes(layout: EventLayout) -> NDArray[np.int64]:
    """Return the class of each slot when it is filled: the number of its kind of object, from 1."""
    sizes = [group.n_slots for group in layout.objects]
    return np.repeat(np.arange(1, len(sizes) + 1), sizes)


def count_events(path: Path, layout: EventLayout) -> int:
    """Check that `path` is laid out as `layout` says, and count its events.

    Parameters
    ----------
    path : Path
        Holds events in one of the forms of `harness.data.forms`.
    layout : EventLayout
        What the events should look like.

    Raises
    ------
    DataError
        The file cannot be read, or is laid out otherwise, or holds no events.
    """
    with opened(path) as file:
        return find_form(file, path, layout).n_events


def read_chunks(
    path: Path, layout: EventLayout, *, chunk_events: int | None = None
) -> Iterator[EventChunk]:
    """Read events and classes chunk by chunk.

    Parameters
    ----------
    path, layout
        As for `count_events`.
    chunk_events : int, optional
        Least number of events to read at a time; as many as fit into `npy.CHUNK_BYTES`.

    Yields
    ------
    events : float32 array, shape (m, *layout.shape), or SparseEvents
    classes : float64 array, shape (m, n_objects), or None
        The second where the form has no class.

    Raises
    ------
    DataError
        The file is truncated or broken.
    """
    with opened(path) as file:
        form = find_form(file, path, layout)
        for piece in form.steps(chunk_events):
            yield form.read(piece)


def has_dataset(path: Path, name: str) -> bool:
    """Tell whether a file holds a dataset of this name beside its events.

    Raises
    ------
    DataError
        The file cannot be read, or the dataset lies in another file.
    """
    with opened(path) as file:
        return own_dataset(file, name) is not None


def read_ids(path: Path, n_events: int) -> NDArray[np.int64] | None:
    """Read the number of each event, shape (n_events,); None if the file holds none.

    Raises
    ------
    DataError
        They are not one integer for each event, or one is there twice.
    """
    with opened(path) as file:
        ids = own_dataset(file, IDS)
        if ids is None:
            return None
        if ids.shape != (n_events,) or ids.dtype.kind not in "iu":
            what = f"{IDS} has the shape {ids.shape}"
            raise wrong(path, what, f"one integer for each of {n_events:,} events")
        found: NDArray[np.int64] = ids[()].astype(np.int64)
    # Sorted, not np.unique: its table of millions of numbers takes seconds.
    if (np.diff(np.sort(found)) == 0).any():
        raise wrong(path, f"a number in {IDS} is there twice", "another number for each event")
    return found


def check_weights(path: Path, n_events: int) -> None:
    """Refuse a file whose events do not all count the same: every rate here is a count of events.

    Raises
    ------
    DataError
        Weights are missing, negative, not finite, or not all the same.
    """
    with opened(path) as file:
        for name in WEIGHTS:
            weights = own_dataset(file, name)
            if weights is None:
                continue
            expected = f"no weights, or one and the same above 0 for each of {n_events:,} events"
            if weights.shape != (n_events,) or weights.dtype.kind not in "fiu":
                raise wrong(path, f"{name} has the shape {weights.shape}", expected)
            values = weights[()].astype(np.float64)
            is_bad = ~(np.isfinite(values) & (values > 0))
            if is_bad.any():
                event = int(np.argmax(is_bad))
                raise wrong(path, f"the weight of event {event} is {values[event]:g}", expected)
            if values.min() != values.max():
                raise DataError(
                    f"the events have weights from {values.min():.3g} to {values.max():.3g}",
                    where=f"{path}, {name}",
                    expected=expected,
                    fix="draw events in proportion to their weights, or generate them without",
                )


def read_parts(
    path: Path, name: str, n_events: int, *, is_one_of_several: bool = False
) -> NDArray[np.int8]:
    """Read the part of each event, its index in `PARTS`, from the dataset `name`.

    Raises
    ------
    DataError
        There is no such dataset, or it is not one part for each event, or no event is for testing
        although the file is the only one of its process.
    """
    expected = f"0 (training), 1 (validation) or 2 (test) for each of {n_events:,} events"
    with opened(path) as file:
        values = _beside(file, path, name, (n_events,), "iu", expected)[()]
    if not np.isin(values, range(len(PARTS))).all():
        raise wrong(path, f"{name} holds other numbers than 0, 1 and 2", expected)
    if not is_one_of_several and not (values == PARTS.index("test")).any():
        raise wrong(path, f"by {name} no event is in the test part", expected)
    return np.asarray(values, dtype=np.int8)


def read_menu(path: Path, name: str, n_events: int) -> NDArray[np.bool_]:
    """Read which events the menu of the trigger accepts, from the dataset `name`.

    Raises
    ------
    DataError
        There is no such dataset, or it is not one yes or no for each event.
    """
    expected = f"the decisions of the menu: 0 or 1 for each of {n_events:,} events"
    with opened(path) as file:
        values = _beside(file, path, name, (n_events,), "iub", expected)[()]
    return _yes_or_no(path, name, values, expected)


def read_condition(path: Path, name: str, n_events: int) -> Iterator[NDArray[np.float64]]:
    """Read the number that the dataset `name` holds for each event, chunk by chunk.

    The dataset is looked for at once, its numbers are read when they are asked for.

    Raises
    ------
    DataError
        There is no such dataset, or it is not one number for each event.
    """
    expected = f"a number for each of {n_events:,} events"
    with opened(path) as file:
        _beside(file, path, name, (n_events,), "iuf", expected)
    return (values.astype(np.float64) for values in _rows(path, name, n_events))


def read_algorithms(path: Path, name: str, n_events: int) -> Algorithms:
    """Read the decisions of the single algorithms of the menu, from the dataset `name`.

    Its shape is (n_events, n_algorithms), and its attribute ``names`` holds their names. The
    decisions are read when they are asked for.

    Raises
    ------
    DataError
        There is no such dataset, or it is not one yes or no of each algorithm for each event.
    """
    expected = f"0 or 1 for each of {n_events:,} events and each algorithm that `names` names"
    with opened(path) as file:
        found = own_dataset(file, name)
        names = () if found is None else _names(path, found)
        _beside(file, path, name, (n_events, len(names)), "iub", expected)
    check_names(names, where=str(path))
    rows = _rows(path, name, n_events)
    return Algorithms(
        names=names, chunks=(_yes_or_no(path, name, values, expected) for values in rows)
    )


def _names(path: Path, found: h5py.Dataset) -> tuple[str, ...]:
    """Return the names in the attribute ``names`` of a dataset."""
    given = np.atleast_1d(found.attrs.get("names", np.zeros(0, "S1")))
    try:
        if given.ndim == 1 and given.dtype.kind in "SOU":
            return tuple(
                one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in given
            )
    except UnicodeDecodeError:
        pass
    what = f"the attribute names of {found.name} holds {given.dtype} of shape {given.shape}"
    raise wrong(path, what, "a list of names in UTF-8")


def _beside(
    file: h5py.File, path: Path, name: str, shape: tuple[int, ...], kinds: str, expected: str
) -> h5py.Dataset:
    """Return a dataset beside the events, of a shape and of numbers of some kinds."""
    found = own_dataset(file, name)
    if found is None:
        raise wrong(path, f"it has no dataset {name}", expected)
    if found.shape != shape or found.dtype.kind not in kinds:
        what = f"{name} has the shape {found.shape} and the type {found.dtype}"
        raise wrong(path, what, expected)
    return found


def _rows(path: Path, name: str, n_events: int) -> Iterator[NDArray[np.generic]]:
    """Read a dataset beside the events in bounded memory."""
    with opened(path) as file:
        for piece in chunks(n_events, _BESIDE_EVENTS):
            yield file[name][piece]


def _yes_or_no(
    path: Path, name: str, values: NDArray[np.generic], expected: str
) -> NDArray[np.bool_]:
    if not np.isin(values, (0, 1)).all():
        raise wrong(path, f"{name} holds other numbers than 0 and 1", expected)
    return np.asarray(values, dtype=np.bool_)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; nothing is read while another program writes it.

    Raises
    ------
    DataError
        See `harness.data.locks.sharing`; or HDF5 cannot read it, now or in the midst of it.
    """
    import h5py

    with sharing(path):
        try:
            # `sharing` holds the lock: HDF5's own would fail on a disk without locks.
            with h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES, locking=False) as file:
                yield file
        except (OSError, RuntimeError, KeyError) as error:
            # h5py raises OSError for a truncated file and for a chunk that does not decompress.
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    """Tell a disk that fails from a file that is truncated, damaged or something else."""
    if isinstance(error, OSError) and error.errno is not None:
        return disk_failed(path, error)
    text = str(error).partition("\n")[0] or type(error).__name__
    reason, expected, fix = f"it is damaged: {text}", "a whole HDF5 file", _GET_ANOTHER
    if sizes := _TRUNCATED.search(text):
        there, whole = (int(size) for size in sizes.groups())
        reason = f"it is truncated: {there:,} of {whole:,} bytes are there"
    elif "signature not found" in text:
        reason = _no_hdf5(path)
    elif "already open for write" in text:
        reason = "its writer has not closed it, or was killed"
        expected = "a file that was closed"
        fix = "close it there; if its writer was killed, copy the file and run `h5clear -s` on it"
    what = f"HDF5 cannot read it: {reason}"
    return DataError(what, where=str(path), expected=expected, fix=fix)


def _no_hdf5(path: Path) -> str:
    with path.open("rb") as stream:
        begin = stream.read(12)
    return f"it is no HDF5 file: it begins with {begin!r}" if begin else "it is empty"
