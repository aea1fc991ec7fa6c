"""Tables that pandas wrote to HDF5, read by h5py alone, in bounded memory.

pandas writes a table in one of two formats, both through PyTables:

- fixed: a group with the attribute ``pandas_type`` = ``frame``. ``axis0`` holds the names of all
  columns in their order; of each type of number there is a pair ``block<i>_items``, names, and
  ``block<i>_values``, shape (n, width).
- table: a group with ``pandas_type`` = ``frame_table``, and in it the dataset ``table`` of a
  compound type: ``index``; ``values_block_<i>``, one for each type of number, of shape (width,);
  and one field for each data column. The names of the columns of a block are a pickled list of
  strings in the attribute ``values_block_<i>_kind``. It is never unpickled: its opcodes are looked
  at, and where there is anything but strings in one list the columns have no names, only places.

References
----------
pandas 3.1, `pandas.io.pytables` (also of 0.15, which wrote the files of the LHC Olympics);
opcodes: `pickletools` of Python.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.data.forms import own_dataset, own_group, wrong
from harness.data.hdf5 import opened
from harness.errors import EnvironmentFaultError, install_extra

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

Rows: TypeAlias = "NDArray[Any]"

FORMATS = {"frame": "fixed", "frame_table": "table"}
# What a pickled list of strings is made of.
_STRING_OPCODES = frozenset({"UNICODE", "BINUNICODE", "SHORT_BINUNICODE"})
_LIST_OPCODES = frozenset(
    {
        "PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "STOP",
        "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE",
    }
)  # fmt: skip
_BLOCK = re.compile(r"values_block_\d{1,4}")
_MAX_BLOCKS = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Columns of one type of number.

    Attributes
    ----------
    names : tuple of str, or None
        Of its columns; None where they cannot be read without unpickling.
    places : tuple of int
        Of its columns among all columns of the table.
    """

    names: tuple[str, ...] | None
    places: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a column is: the number of its block, and its number in that block."""

    block: int
    column: int


class PandasTable:
    """A table in an open file.

    Attributes
    ----------
    format : str
        ``fixed`` or ``table``.
    blocks : tuple of Block
    n_rows : int
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        blocks: tuple[Block, ...],
        values: tuple[tuple[h5py.Dataset, str | None], ...],
    ) -> None:
        self.path, self.format, self.blocks = path, kind, blocks
        self._values = values
        self.n_rows = int(values[0][0].shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(len(block.places) for block in self.blocks)

    @property
    def hdf5_chunks(self) -> tuple[int, ...] | None:
        """Chunks of the widest block."""
        widest = max(range(len(self.blocks)), key=lambda one: len(self.blocks[one].places))
        chunks: tuple[int, ...] | None = self._values[widest][0].chunks
        return chunks

    def find(self, column: int | str) -> Place | None:
        """Find a column by its place among all columns, or by its name."""
        for number, block in enumerate(self.blocks):
            keys = block.places if isinstance(column, int) else block.names or ()
            if column in keys:
                return Place(block=number, column=list(keys).index(column))
        return None

    def read(self, piece: slice) -> tuple[Rows, ...]:
        """Read rows of all blocks; of each block an array of shape (m, width)."""
        if self.format == "table":
            rows = self._values[0][0][piece]
            return tuple(rows[field].reshape(len(rows), -1) for _, field in self._values)
        return tuple(dataset[piece] for dataset, _ in self._values)

    def read_column(self, place: Place, piece: slice) -> Rows:
        """Read rows of one column; shape (m,)."""
        dataset, field = self._values[place.block]
        if field is None:
            column: Rows = dataset[piece, place.column]
            return column
        rows = dataset.fields(field)[piece]
        found: Rows = rows.reshape(len(rows), -1)[:, place.column]
        return found


@contextmanager
def opened_table(path: Path) -> Iterator[PandasTable]:
    """Open the one table of a file.

    Raises
    ------
    DataError
        The file cannot be read, or holds no table of pandas, or several, or one without numbers.
    EnvironmentFaultError
        Its filter is not installed.
    """
    with opened(path) as file:
        yield _find_table(file, path)


def _find_table(file: h5py.File, path: Path) -> PandasTable:
    expected = "one table that pandas wrote by `to_hdf`"
    kinds: dict[str, str] = {}
    for key in list(file)[:_MAX_BLOCKS]:
        group = own_group(file, key)
        kind = None if group is None else _text(group.attrs.get("pandas_type"))
        if kind is not None and kind in FORMATS:
            kinds[key] = FORMATS[kind]
    if len(kinds) != 1:
        held = ", ".join(kinds or sorted(map(str, file))[:10]) or "nothing"
        what = "several tables of pandas" if kinds else "no table of pandas"
        raise wrong(path, f"it holds {what}: {held}", expected)
    key, kind = next(iter(kinds.items()))
    table = _fixed(file, path, key) if kind == "fixed" else _appendable(file, path, key)
    if not table.width or not table.n_rows:
        raise wrong(path, f"the table {key} is empty", "one event at least")
    return table


def _fixed(file: h5py.File, path: Path, key: str) -> PandasTable:
    """Open a table of the fixed format."""
    axis = _names_of_axis(file, f"{key}/axis0")
    blocks: list[Block] = []
    values: list[tuple[h5py.Dataset, str | None]] = []
    before = 0
    for number in range(_MAX_BLOCKS):
        dataset = own_dataset(file, f"{key}/block{number}_values")
        if dataset is None:
            break
        if dataset.ndim != 2 or dataset.dtype.kind not in "fiub":
            what = f"{dataset.name} has the shape {dataset.shape} and the type {dataset.dtype}"
            raise wrong(path, what, "numbers, one event a row")
        if values and dataset.shape[0] != values[0][0].shape[0]:
            raise wrong(path, f"{dataset.name} has other rows than block0_values", "as many rows")
        names = _names_of_axis(file, f"{key}/block{number}_items")
        names = names if names is not None and len(names) == dataset.shape[1] else None
        places = _places(names, axis) or tuple(range(before, before + dataset.shape[1]))
        before += dataset.shape[1]
        _check_filters(dataset, path)
        blocks.append(Block(names=names, places=places))
        values.append((dataset, None))
    if not blocks:
        raise wrong(path, f"the table {key} has no block0_values", "a table of numbers")
    return PandasTable(path, "fixed", tuple(blocks), tuple(values))


def _appendable(file: h5py.File, path: Path, key: str) -> PandasTable:
    """Open a table of the format ``table``."""
    dataset = own_dataset(file, f"{key}/table")
    if dataset is None or dataset.ndim != 1 or dataset.dtype.fields is None:
        raise wrong(path, f"the table {key} has no rows", f"a compound dataset {key}/table")
    _check_filters(dataset, path)
    group = own_group(file, key)
    axis = None if group is None else _names_in_axes(group.attrs.get("non_index_axes"))
    blocks: list[Block] = []
    values: list[tuple[h5py.Dataset, str | None]] = []
    before = 0
    for field in dataset.dtype.names or ():
        base, shape = dataset.dtype[field].base, dataset.dtype[field].shape
        if field == "index" or base.kind not in "fiub" or len(shape) > 1:
            continue
        width = shape[0] if shape else 1
        names: tuple[str, ...] | None = (field,)
        if _BLOCK.fullmatch(field):
            names = pickled_strings(dataset.attrs.get(f"{field}_kind"))
            names = names if names is not None and len(names) == width else None
        places = _places(names, axis) or tuple(range(before, before + width))
        before += width
        blocks.append(Block(names=names, places=places))
        values.append((dataset, field))
    if not blocks:
        raise wrong(path, f"the table {key} holds no numbers", "a table of numbers")
    return PandasTable(path, "table", tuple(blocks), tuple(values))


def _places(names: tuple[str, ...] | None, axis: tuple[str, ...] | None) -> tuple[int, ...] | None:
    """Return the places of columns among all columns; None where a name is not known."""
    if names is None or axis is None:
        return None
    places = {name: place for place, name in enumerate(axis)}
    if any(name not in places for name in names):
        return None
    return tuple(places[name] for name in names)


def _names_of_axis(file: h5py.File, name: str) -> tuple[str, ...] | None:
    """Read the names of columns: integers or strings; None for anything else, such as a pickle."""
    found = own_dataset(file, name)
    if found is None or found.ndim != 1 or found.dtype.kind not in "iuS" or found.size > 2**20:
        return None
    _check_filters(found, Path(file.filename))
    names = found[()].tolist()
    return tuple(_text(one) if isinstance(one, bytes) else str(one) for one in names)


def _names_in_axes(pickled: object) -> tuple[str, ...] | None:
    """Return the strings in ``non_index_axes``, a pickled ``[(1, [names])]``."""
    return _strings(pickled, _LIST_OPCODES | {"INT", "BININT", "BININT1", "BININT2", "TUPLE2"})


def pickled_strings(pickled: object) -> tuple[str, ...] | None:
    r"""Return the strings of a pickled list without unpickling it; None for anything else.

    Nothing in it is called or imported: the opcodes are taken apart, and one that is not needed
    for a list of strings ends it.

    Examples
    --------
    >>> pickled_strings(b"(lp0\nVttv\np1\naVis_signal_new\np2\na.")
    ('ttv', 'is_signal_new')
    >>> pickled_strings(b"cos\nsystem\n(S'true'\ntR.") is None
    True
    """
    return _strings(pickled, _LIST_OPCODES)


def _strings(pickled: object, others: frozenset[str]) -> tuple[str, ...] | None:
    content = bytes(pickled) if isinstance(pickled, bytes) else b""
    found: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _STRING_OPCODES:
                found.append(str(argument))
            elif opcode.name not in others:
                return None
    except (ValueError, UnicodeError, EOFError):
        return None
    # A name that is there twice is written as a reference, which is not followed.
    return tuple(found) if found else None


def _text(value: object) -> str:
    """Return a string of HDF5, or nothing where it is none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _check_filters(dataset: h5py.Dataset, path: Path) -> None:
    """Refuse a dataset whose filter HDF5 has not; hdf5plugin brings Blosc and others."""
    import h5py

    properties = dataset.id.get_create_plist()
    codes = [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
    missing = [code for code in codes if not h5py.h5z.filter_avail(code)]
    if not missing:
        return
    if _has_plugins() and all(h5py.h5z.filter_avail(code) for code in missing):
        return
    raise EnvironmentFaultError(
        f"it is compressed by the HDF5 filter {missing[0]}, which is not installed",
        where=str(path),
        expected="a filter that HDF5 has, or one of hdf5plugin, such as Blosc (32001)",
        fix=install_extra("hdf5-filters"),
    )


def _has_plugins() -> bool:
    """Whether hdf5plugin is there; importing it adds its filters to HDF5."""
    try:
        import hdf5plugin  # noqa: F401 - for what its import does
    except ImportError:
        return False
    return True
