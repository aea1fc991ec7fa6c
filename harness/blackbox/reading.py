"""The step that opens a result file: it comes from anyone, so it is parsed in a sandbox.

A result holds the dataset ``Result`` (the ``EvtId`` of the chosen events) and attributes that its
author declares. Links out of the file, virtual and external data, and sizes beyond any honest
result are refused before a byte of data is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, NonNegativeInt

from harness.challenge import Value
from harness.errors import InvalidSubmissionError

if TYPE_CHECKING:
    import h5py

RESULT = "Result"
# In the order of the challenge's own example.
ATTRIBUTES = ("FLOPs", "Device", "Latency", "DSP", "LUT", "FF", "BRAM")
MAX_IDS = 1_000_000
MAX_CHUNK_BYTES = 64 * 1024**2
MAX_TEXT = 200
_NAMED = 5
_GZIP, _SHUFFLE, _FLETCHER = 1, 2, 3
# What h5py raises on a file that is damaged or hostile.
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError)


class ResultReport(Value):
    """What `read_result` reports."""

    n_ids: NonNegativeInt
    declared: dict[str, int | float | str]
    remarks: tuple[str, ...]


def read_result(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Read a result file (entry of a step).

    Inputs: ``result``, the file. Outputs: ``ids``, little-endian int64.

    Returns
    -------
    dict
        The fields of `ResultReport`: ``n_ids``, ``declared`` (attribute to number or text),
        ``remarks`` (what else is in the file, or not as it should be).

    Raises
    ------
    InvalidSubmissionError
        There is no list of ids that could be read.
    """
    import h5py
    import numpy as np

    del request
    remarks: list[JsonValue] = []
    try:
        # Whoever runs this step holds the lock, see `harness.data.locks`.
        with h5py.File(inputs["result"], "r", locking=False) as file:
            dataset = _dataset(file)
            _check_form(dataset)
            ids = np.asarray(dataset[()])
            declared = _declared(file, dataset, remarks)
            _note_others(file, remarks)
    except _HDF5_ERRORS as error:
        raise _wrong(f"HDF5 cannot read it: {_reason(error)}", "a whole HDF5 file") from error
    if ids.dtype.kind == "u" and ids.size and int(ids.max()) >= 2**63:
        raise _wrong(f"an id of {int(ids.max())}", "ids that fit into int64")
    outputs["ids"].write_bytes(ids.astype("<i8").tobytes())
    if ids.dtype != np.dtype("int64"):
        remarks.append(f"{RESULT} holds {ids.dtype}; the challenge asks for int64")
    return {"n_ids": len(ids), "declared": declared, "remarks": remarks}


def _dataset(file: h5py.File) -> h5py.Dataset:
    import h5py

    if RESULT not in file:
        held = ", ".join(_names(file)) or "nothing"
        raise _wrong(f"it has no dataset {RESULT}; it holds {held}", f"a dataset {RESULT}")
    link = file.get(RESULT, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _wrong(f"{RESULT} is a {type(link).__name__}", "the ids themselves, not a link")
    found = file[RESULT]
    if not isinstance(found, h5py.Dataset):
        raise _wrong(f"{RESULT} is a {type(found).__name__.lower()}", "a dataset")
    return found


def _check_form(dataset: h5py.Dataset) -> None:
    """Look at all that the header says before any data are read."""
    if dataset.is_virtual:
        raise _wrong(f"{RESULT} is a virtual dataset", "the ids themselves")
    if dataset.external:
        raise _wrong(f"{RESULT} keeps its data in another file", "the ids themselves")
    shape = dataset.shape
    if shape is None or len(shape) != 1:
        raise _wrong(f"{RESULT} has the shape {shape}", "a list of ids: (n,)")
    if dataset.dtype.kind not in "iu":
        raise _wrong(f"{RESULT} holds {dataset.dtype}", "int64")
    if shape[0] > MAX_IDS:
        raise _wrong(f"{RESULT} lists {shape[0]:,} ids", f"at most {MAX_IDS:,} can be read")
    chunk_bytes = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise _wrong(
            f"a chunk of {RESULT} is {chunk_bytes:,} bytes", f"at most {MAX_CHUNK_BYTES:,}"
        )
    properties = dataset.id.get_create_plist()
    codes = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    unknown = [code for code in codes if code not in {_GZIP, _SHUFFLE, _FLETCHER}]
    if unknown:
        raise _wrong(f"{RESULT} is packed by the filter {unknown[0]}", "gzip, or not packed")


def _declared(
    file: h5py.File, dataset: h5py.Dataset, remarks: list[JsonValue]
) -> dict[str, JsonValue]:
    """Read the known attributes, of the file or else of the dataset."""
    declared: dict[str, JsonValue] = {}
    for name in ATTRIBUTES:
        holder = next((each for each in (file, dataset) if name in each.attrs), None)
        if holder is None:
            continue
        try:
            declared[name] = _plain(holder.attrs[name])
        except _HDF5_ERRORS as error:
            remarks.append(f"the attribute {name} cannot be read: {_reason(error)}")
    others = [str(name)[:MAX_TEXT] for name in file.attrs if name not in ATTRIBUTES]
    if others:
        remarks.append(f"other attributes are ignored: {', '.join(others[:_NAMED])}")
    return declared


def _reason(error: Exception) -> str:
    """Return the first line of a message, or the kind of an error without one."""
    return (str(error).partition("\n")[0] or type(error).__name__)[:MAX_TEXT]


def _plain(value: Any) -> JsonValue:  # noqa: ANN401 - whatever HDF5 holds
    """Turn an attribute into a number or a text.

    Raises
    ------
    ValueError
        It is neither.
    """
    import numpy as np

    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes | np.bytes_):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        return str(value)[:MAX_TEXT]
    if isinstance(value, int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating):
        # JSON has no such number; its name is as good.
        return float(value) if math.isfinite(value) else str(value)
    raise ValueError(f"it is neither a number nor a text but {type(value).__name__}")


def _note_others(file: h5py.File, remarks: list[JsonValue]) -> None:
    others = [name for name in _names(file) if name != RESULT]
    if others:
        remarks.append(f"other contents are ignored: {', '.join(others)}")


def _names(file: h5py.File) -> list[str]:
    """Name the first few members; their number is anyone's to choose."""
    found = []
    for name in file:
        found.append(str(name)[:MAX_TEXT])
        if len(found) > _NAMED:
            break
    return found


def _wrong(what: str, expected: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        what,
        expected=expected,
        fix=f"write the file as the challenge's example: h5py, dataset {RESULT}, int64 ids",
    )
