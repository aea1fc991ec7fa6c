"""The stand-in as Parquet files, in either layout of the release.

Names, types and places are those of `harness.data.level1.columns`, the table that the reader has.
Every file says in its metadata that it is synthetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import harness
from harness.challenge import PARTS, Part
from harness.data.level1.columns import (
    COLLECTIONS,
    EVENT_COLUMNS,
    EVENT_INFO,
    FLAT_COLUMNS,
    HUB_COLUMNS,
    MENU,
    ORDER,
    PART_NAMES,
    PILE_UP,
    RUN,
    SEEDS,
    Collection,
    hub_file,
)
from harness.files import make_folder
from harness.simulate.level1.calorimeter import MAX_SUM
from harness.simulate.level1.datasets import BY_NAME, DATA_SETS, DataSet
from harness.simulate.level1.events import Level1Events
from harness.simulate.level1.objects import Objects
from harness.simulate.level1.parts import read_chunk
from harness.simulate.level1.plan import Level1Plan, draw_parts

if TYPE_CHECKING:
    import pyarrow as pa

Layout = Literal["hub", "zenodo"]
LAYOUTS: tuple[Layout, ...] = ("hub", "zenodo")
# What a file of the stand-in says of itself.
METADATA = {"synthetic": "true", "made_by": f"harness simulate cmsl1t {harness.__version__}"}
README = """# Synthetic events

Made by `harness simulate cmsl1t` (harness {version}) with Pythia 8 and a parametric response.
**They are not CMS data.** Names of data sets, runs and columns are those of the release on
Zenodo (21787779), so that the same reader reads both. Plan: {digest}.
"""
# Crossings of one orbit, and orbits of one luminosity section, at the LHC.
_ORBIT_BX, _SECTION_ORBITS = 3564, 2**18
_SECTION_US = 23_310_000


def write_release(plan: Level1Plan, chunks: Path, out: Path, layout: Layout) -> None:
    """Write all data sets from the chunks in a folder.

    Parameters
    ----------
    out : Path
        A new folder.
    """
    for name in plan.n_events:
        _write_data_set(plan, BY_NAME[name], chunks, out, layout)
    text = README.format(version=harness.__version__, digest=plan.digest[:16])
    (out / "README.md").write_text(text, encoding="utf-8")


def _write_data_set(
    plan: Level1Plan, data_set: DataSet, chunks: Path, out: Path, layout: Layout
) -> None:
    labels = draw_parts(plan, data_set)
    order: dict[Part, int] = dict.fromkeys(data_set.shares, 0)
    with ExitStack() as stack:
        writers: dict[Path, Any] = {}
        for chunk in plan.chunks():
            if chunk.data_set != data_set.name:
                continue
            events = read_chunk(chunks, chunk)
            of_chunk = labels[chunk.first : chunk.first + chunk.n_events]
            for part in data_set.shares:
                rows = np.flatnonzero(of_chunk == PARTS.index(part))
                if not len(rows):
                    continue
                tables = _tables(events, rows, data_set, part, chunk.first, order[part])
                order[part] += int(np.count_nonzero(~_is_out(events, rows)))
                for path, table in _laid_out(tables, data_set, part, layout):
                    if path not in writers:
                        writers[path] = stack.enter_context(_writer(out / path, table.schema))
                    writers[path].write_table(table)


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[Any]:
    from pyarrow import parquet

    make_folder(path.parent)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer


def _tables(
    events: Level1Events,
    rows: NDArray[np.int64],
    data_set: DataSet,
    part: Part,
    first_event: int,
    first_order: int,
) -> dict[str, pa.Table]:
    """Return a table of each collection, of what is beside the events, and of the decisions."""
    import pyarrow as pa

    is_out = _is_out(events, rows)
    order = np.where(is_out, -1, first_order + np.cumsum(~is_out) - 1)
    tables = {one.name: _collection(one, events.collections[one.name], rows) for one in COLLECTIONS}
    beside = _beside(events, rows, data_set, first_event)
    beside |= {"split": np.full(len(rows), PART_NAMES[part]), ORDER: order}
    types = {**EVENT_COLUMNS, PILE_UP: "float32" if data_set.is_recorded else "int32"}
    tables[EVENT_INFO] = pa.table(
        {name: _column(beside[name], kind) for name, kind in types.items()}
    )
    seeds = {name: _column(values[rows], "bool") for name, values in events.seeds.items()}
    menu = np.logical_or.reduce([values[rows] for values in events.seeds.values()])
    tables[SEEDS] = pa.table({**seeds, MENU: _column(menu, "bool")})
    return tables


def _is_out(events: Level1Events, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which events have a saturated sum of ET."""
    found: NDArray[np.bool_] = events.collections["ET"]["Et"][rows, 0] >= MAX_SUM
    return found


def _collection(one: Collection, objects: Objects, rows: NDArray[np.int64]) -> pa.Table:
    import pyarrow as pa

    counts = objects.counts[rows]
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    capacity = next(iter(objects.columns.values())).shape[1]
    is_filled = np.arange(capacity) < counts[:, None]
    kinds = {**dict.fromkeys(one.branches.values(), "int16"), **one.others}
    columns = {
        branch: pa.ListArray.from_arrays(offsets, _column(objects[branch][rows][is_filled], kind))
        for branch, kind in kinds.items()
    }
    return pa.table(columns)


def _beside(
    events: Level1Events, rows: NDArray[np.int64], data_set: DataSet, first: int
) -> dict[str, NDArray[Any]]:
    """Return the numbers of events; crossings are spread evenly over the sections."""
    number = first + rows
    orbit = events.section[rows] * _SECTION_ORBITS + number * 7 % _SECTION_ORBITS
    return {
        RUN: np.full(len(rows), data_set.run),
        "lumi": events.section[rows],
        "event": number + 1,
        "bx": 1 + number * 89 % _ORBIT_BX,
        "orbit": orbit,
        "time": orbit * (_SECTION_US / _SECTION_ORBITS),
        PILE_UP: events.pile_up[rows],
    }


def _column(values: NDArray[Any], kind: str) -> pa.Array:
    import pyarrow as pa

    if kind == "string":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values.astype(kind))


def _laid_out(
    tables: Mapping[str, pa.Table], data_set: DataSet, part: Part, layout: Layout
) -> Iterator[tuple[Path, pa.Table]]:
    """Give the tables of each file, with their place."""
    if layout == "hub":
        yield from _on_the_hub(tables, data_set, part)
        return
    folder = Path(data_set.kind) / data_set.name / PART_NAMES[part]
    for name, table in tables.items():
        listed = _listed(table) if name in {EVENT_INFO, SEEDS} else table
        yield folder / name / "part-00000.parquet", _marked(listed)


def _on_the_hub(
    tables: Mapping[str, pa.Table], data_set: DataSet, part: Part
) -> Iterator[tuple[Path, pa.Table]]:
    import pyarrow as pa

    n_rows = len(tables[SEEDS])
    beside, seeds = tables[EVENT_INFO], tables[SEEDS]
    label = 0 if data_set.kind != "signal" else 1 + DATA_SETS.index(data_set)
    plain = {
        MENU: seeds.column(MENU),
        "dataset": pa.array([data_set.name] * n_rows, pa.string()),
        "label": pa.array(np.full(n_rows, label, np.int16)),
    }
    columns = {
        one.column(branch): tables[one.name].column(branch)
        for one in COLLECTIONS
        for branch in tables[one.name].column_names
    }
    columns |= {name: beside.column(name) for name in EVENT_COLUMNS}
    columns |= {name: plain[name] for name in HUB_COLUMNS}
    yield Path(hub_file(data_set.name, part, 0, 1)), _marked(pa.table(columns))
    decisions = {name: seeds.column(name) for name in seeds.column_names}
    decisions |= {"dataset": plain["dataset"], "event": beside.column("event")}
    decisions[ORDER] = beside.column(ORDER)
    yield Path(hub_file(data_set.name, part, 0, 1, seeds=True)), _marked(pa.table(decisions))


def _listed(table: pa.Table) -> pa.Table:
    """Make lists of one entry of all columns that the record has as lists."""
    import pyarrow as pa

    offsets = pa.array(np.arange(len(table) + 1), pa.int32())
    return pa.table(
        {
            name: column
            if name in FLAT_COLUMNS
            else pa.ListArray.from_arrays(offsets, column.combine_chunks())
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def _marked(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata(METADATA)
