"""Tables that are arrays: npy, npz and HDF5. Nothing is unpickled."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import events_within
from harness.data.forms import own_dataset, rows_at_a_time
from harness.data.hdf5 import opened
from harness.data.npy import CHUNK_BYTES, map_npy
from harness.data.split import chunks
from harness.data.tables.source import Block, Source, Table, no_column
from harness.errors import DataError, UsageError
from harness.files import check_space, disk_fault
from harness.sandbox.scratch import scratch_folder

_NUMBERS = "fiub"


@contextmanager
def opened_npy(source: Source, class_column: str | None) -> Iterator[Table]:
    """Open a .npy file, mapped; pickled objects are refused.

    Raises
    ------
    DataError
        It is no whole array of numbers.
    """
    yield _of_array(map_npy(source.path), str(source.path), class_column)


@contextmanager
def opened_npz(source: Source, class_column: str | None) -> Iterator[Table]:
    """Open one array of a .npz file; it is unpacked to the temporary folder and mapped.

    Raises
    ------
    DataError
        The archive is damaged, or its array holds no numbers.
    UsageError
        The array that is meant is not named.
    """
    with scratch_folder() as folder:
        try:
            with zipfile.ZipFile(source.path) as archive:
                names = {name.removesuffix(".npy"): name for name in archive.namelist()}
                member = _member(source, [name for name in names if name != class_column])
                if member not in names:
                    raise no_member(source, list(names))
                array = _unpacked(archive, names[member], folder / "events.npy")
                labels = None
                if class_column in names:
                    labels = _unpacked(archive, names[class_column], folder / "classes.npy")
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            what = f"is no whole .npz file: {error}"
            raise DataError(what, where=str(source.path)) from error
        yield _of_array(array, f"{source.path}:{member}", class_column, labels)


def _unpacked(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    check_space(path.parent, archive.getinfo(name).file_size)
    try:
        with archive.open(name) as packed, path.open("wb") as stream:
            shutil.copyfileobj(packed, stream, 1024**2)
    except OSError as error:
        raise disk_fault(path, error) from error
    except Exception as error:
        # zlib, lzma and bz2 have errors of their own.
        what = f"{name} does not unpack: {error}"
        raise DataError(what, where=str(archive.filename)) from error
    return map_npy(path)


@contextmanager
def opened_hdf5(source: Source, class_column: str | None) -> Iterator[Table]:
    """Open one data set of an HDF5 file.

    Raises
    ------
    DataError
        The file is damaged, or its data set holds no numbers.
    UsageError
        The data set that is meant is not named.
    """
    import h5py

    with opened(source.path) as file:
        names: list[str] = []
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        member = _member(source, [name for name in names if name != class_column])
        array = own_dataset(file, member)
        if array is None:
            raise no_member(source, names)
        labels = own_dataset(file, class_column) if class_column in names else None
        read = labels.asstr() if labels is not None and labels.dtype.kind in "OS" else labels
        yield _of_array(array, f"{source.path}:{member}", class_column, read)


def _member(source: Source, names: list[str]) -> str:
    if source.member is not None:
        return source.member
    if len(names) != 1:
        raise no_member(source, names)
    return names[0]


def no_member(source: Source, names: list[str]) -> UsageError:
    """Say which arrays a file holds, where none of them was named."""
    held = ", ".join(sorted(names)[:20]) or "nothing"
    named = f"there is no {source.member} in it" if source.member else "which of its arrays?"
    example = names[0] if names else "events"
    return UsageError(
        f"{named}; it holds {held}",
        where=str(source.path),
        fix=f"name one after a colon: {source.path}:{example}",
    )


def _of_array(array: Any, where: str, class_column: str | None, labels: Any = None) -> Table:  # noqa: ANN401 - an array of numpy or h5py
    """Make a table of an array that is read slice by slice."""
    fields = array.dtype.names
    n_dims = len(array.shape)
    if n_dims not in {2, 3} and not (fields and n_dims == 1):
        shape = tuple(array.shape)
        expected = "(events, columns) or (events, objects, features)"
        raise DataError(f"it has the shape {shape}", where=where, expected=expected)
    if not len(array):
        raise DataError("it holds no events", where=where, expected="one event at least")
    if labels is not None and tuple(labels.shape) != (len(array),):
        what = f"{class_column} has the shape {tuple(labels.shape)}"
        raise DataError(what, where=where, expected=f"one class for each of {len(array):,} events")
    label = None
    if class_column is not None and labels is None:
        label = _label_of(where, array, class_column)
    columns = None if fields is None else tuple(name for name in fields if name != label)
    for name, kind in _kinds(array, columns):
        if kind not in _NUMBERS:
            what = f"{name} holds {array.dtype if fields is None else array.dtype[name]}"
            raise DataError(what, where=where, expected="numbers", fix="leave it out of the file")
    shape = (len(columns),) if columns is not None else tuple(array.shape[1:])
    if isinstance(label, int):
        shape = (shape[0] - 1,)
    blocks = _blocks(array, columns, label, labels)
    return Table(where=where, columns=columns, shape=shape, blocks=blocks)


def _kinds(array: Any, columns: tuple[str, ...] | None) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Give the kind of numbers of each column, or of all of them together."""
    if columns is None:
        yield "the array", array.dtype.kind
    for name in columns or ():
        field = array.dtype[name]
        yield name, "V" if field.shape else field.kind


def _label_of(where: str, array: Any, class_column: str) -> str | int:  # noqa: ANN401
    """Return the field, or the number, of the column that holds the class."""
    fields: tuple[str, ...] | None = array.dtype.names
    if fields is not None:
        if class_column in fields:
            return class_column
        raise no_column(where, class_column, ", ".join(fields))
    n_columns = int(array.shape[1])
    is_number = class_column.lstrip("-").isdecimal()
    if len(array.shape) == 2 and is_number and -n_columns <= int(class_column) < n_columns:
        return int(class_column) % n_columns
    held = f"the columns 0 to {n_columns - 1}, or -1 for the last"
    raise no_column(where, class_column, "another array of the file" if array.ndim == 3 else held)


def _blocks(
    array: Any,  # noqa: ANN401
    columns: tuple[str, ...] | None,
    label: str | int | None,
    labels: Any,  # noqa: ANN401
) -> Iterator[Block]:
    shape = (len(array.dtype.names),) if array.dtype.names else array.shape[1:]
    # An item of float64 takes twice what is counted by; HDF5 reads whole rows of its chunks.
    least = events_within(CHUNK_BYTES, shape)
    step = rows_at_a_time(getattr(array, "chunks", None), least, 4 * least)
    for rows in chunks(len(array), step):
        read = array[rows]
        classes = None if labels is None else class_texts(np.asarray(labels[rows]))
        if columns is not None:
            if label is not None:
                classes = class_texts(read[label])
            values = np.column_stack([read[name].astype(np.float64) for name in columns])
        elif isinstance(label, int):
            classes = class_texts(read[:, label])
            values = np.delete(read, label, axis=1)
        else:
            values = read
        yield Block(values=values, classes=classes)


def class_texts(values: NDArray[Any]) -> NDArray[np.str_]:
    """Return classes as text: 1, 1.0 and True are ``1``; no class at all is an empty text.

    Examples
    --------
    >>> class_texts(np.array([0.0, 1.0])).tolist(), class_texts(np.array(["qcd"])).tolist()
    (['0', '1'], ['qcd'])
    """
    kinds, places = _distinct(values)
    return np.array([_class_text(kind) for kind in kinds], dtype=np.str_)[places]


def _distinct(values: NDArray[Any]) -> tuple[list[object], NDArray[np.intp]]:
    if values.dtype.kind != "O":
        found, places = np.unique(values, return_inverse=True)
        return found.tolist(), places
    index: dict[object, int] = {}
    places = np.array([index.setdefault(value, len(index)) for value in values.tolist()], np.intp)
    return list(index), places


def _class_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float() if value.is_integer():
            return str(int(value))
        case float() if value != value:  # noqa: PLR0124 - NaN: no class
            return ""
        case bytes():
            return value.decode("utf-8", errors="replace").strip()
        case _:
            return str(value).strip()
