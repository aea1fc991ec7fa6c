"""Files of the CMS level-1 release of 2026 in small, in both of its layouts.

They are written as the publisher's program writes them: `muons` and its like are jagged, sums have
one entry, what else an event has is a plain value on the Hub and a list of one entry in the record
(but for ``split`` and ``order``), and the files of two folders end at different rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from harness.challenge import Challenge, DataFile
from harness.data.manifest import load_manifest

# Collection: its branches, the largest code of each, and the most objects.
BRANCHES: dict[str, tuple[dict[str, tuple[int, int]], int]] = {
    "muons": (
        {
            "muonIPhiAtVtx": (0, 575), "muonIEt": (1, 510), "muonIEtaAtVtx": (-225, 225),
            "muonChg": (-1, 1), "muonIPhi": (0, 575), "muonIEta": (-225, 225),
            "muonIEtUnconstrained": (0, 255), "muonQual": (0, 15), "muonTfMuonIdx": (0, 107),
        },
        8,
    ),
    "jets": (
        {
            "jetIEt": (1, 2046), "jetIEta": (-115, 115), "jetIPhi": (0, 143),
            "jetHwQual": (0, 1), "jetRawEt": (0, 0),
        },
        12,
    ),
    "egammas": (
        {"egIEt": (1, 510), "egIEta": (-115, 115), "egIPhi": (0, 143), "egIso": (0, 3)},
        12,
    ),
    "taus": (
        {"tauIEt": (1, 510), "tauIEta": (-115, 115), "tauIPhi": (0, 143), "tauIso": (0, 1)},
        12,
    ),
}  # fmt: skip
SUMS = {
    "ET": ("Et", "ETTEM"),
    "HT": ("Et", "tower_count"),
    "MET": ("Et", "phi"),
    "MHT": ("Et", "phi"),
    "FET": ("Et", "phi"),
    "FHT": ("Et", "phi"),
}
UNSIGNED = {"muonQual", "muonTfMuonIdx"}
ABOVE = {"ZB": "zerobias", "Si": "background"}
DATA_MENU = ("L1_SingleMu22", "L1_HTT360er", "L1_ETMHF90", "L1_DataOnly")
SIMULATED_MENU = ("L1_ETMHF90", "L1_HTT360er", "L1_SimulationOnly", "L1_SingleMu22")


@dataclass
class Rows:
    """The events of one part of a data set.

    `columns` are the lists of each event by the names of the Hub; `plain` what stands beside;
    `seeds` the decisions of the algorithms.
    """

    data_set: str
    part: str
    n_events: int
    columns: dict[str, list[list[int]]] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, Any] = field(default_factory=dict)
    # Of columns that a test wants in another type.
    types: dict[str, pa.DataType] = field(default_factory=dict)

    @property
    def is_data(self) -> bool:
        """Whether it was recorded."""
        return self.data_set.startswith("ZB")

    @property
    def is_averaged(self) -> bool:
        """Whether nPV_True is an average: of recorded events, also below a simulated one."""
        return self.is_data or self.data_set == "haa-4b-ma15"

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of the values of a column, or of the column if it is plain."""
        branch = name.partition("_")[2]
        given = pa.uint16() if branch in UNSIGNED else pa.int16()
        plain = {
            "run": pa.uint32(), "lumi": pa.uint32(), "event": pa.uint64(), "bx": pa.uint32(),
            "orbit": pa.uint64(), "time": pa.uint64(), "order": pa.int64(), "split": pa.string(),
            "nPV_True": pa.float32() if self.is_averaged else pa.int32(), "L1bit": pa.bool_(),
            "dataset": pa.string(), "label": pa.int16(),
        }  # fmt: skip
        return self.types.get(name, plain.get(name, given))


def draw(data_set: str, part: str, n_events: int, seed: int = 1) -> Rows:
    """Draw events; calorimeter objects come by falling ET, muons do not."""
    generator = np.random.default_rng([seed, *map(ord, data_set + part)])
    rows = Rows(data_set=data_set, part=part, n_events=n_events)
    for name, (branches, capacity) in BRANCHES.items():
        counts = np.minimum(generator.poisson(capacity / 4, n_events), capacity)
        for branch, (low, high) in branches.items():
            lists = [generator.integers(low, high + 1, count).tolist() for count in counts]
            if branch.endswith("IEt") and name != "muons":
                lists = [sorted(values, reverse=True) for values in lists]
            rows.columns[f"{name}_{branch}"] = lists
    for name, branches in SUMS.items():
        for branch in branches:
            high = 143 if branch == "phi" else 4094
            rows.columns[f"{name}_{branch}"] = [
                [int(v)] for v in generator.integers(1, high, n_events)
            ]
    run = int(data_set[-6:]) if rows.is_data else 1
    npv = (
        generator.uniform(40, 60, n_events)
        if rows.is_data
        else generator.integers(20, 80, n_events)
    )
    menu = DATA_MENU if rows.is_data else SIMULATED_MENU
    rows.seeds = {name: generator.random(n_events) < 0.2 for name in menu}
    rows.plain = {
        "run": np.full(n_events, run), "lumi": generator.integers(1, 900, n_events),
        "event": np.arange(1, n_events + 1), "bx": generator.integers(0, 3564, n_events),
        "orbit": np.arange(n_events), "time": np.arange(n_events), "nPV_True": npv,
        "split": [part] * n_events, "order": generator.permutation(n_events),
        "L1bit": np.logical_or.reduce(list(rows.seeds.values())),
        "dataset": [data_set] * n_events, "label": np.full(n_events, 0 if rows.is_data else 1),
    }  # fmt: skip
    return rows


def write_hub(root: Path, rows: Rows, *, n_files: int = 2) -> None:
    """Write events and seeds as they are on the Hub."""
    lists = {name: _lists(rows, name) for name in rows.columns}
    plain = {name: _plain(rows, name) for name in rows.plain}
    folder = root / "data" / rows.data_set
    _write_files(folder, rows.part, {**lists, **plain}, n_files)
    if rows.seeds:
        seeds = {name: pa.array(values) for name, values in rows.seeds.items()}
        also = {name: plain[name] for name in ("L1bit", "event", "order", "dataset")}
        _write_files(folder / "seeds", rows.part, {**seeds, **also}, 1)


def write_zenodo(root: Path, rows: Rows) -> None:
    """Write a folder for each collection, as the unpacked archives have them."""
    above = ABOVE.get(rows.data_set[:2], "signal")
    folder = root / above / rows.data_set / rows.part
    for number, name in enumerate((*BRANCHES, *SUMS)):
        found = {
            column.partition("_")[2]: _lists(rows, column)
            for column in rows.columns
            if column.partition("_")[0] == name
        }
        _write_folder(folder / name, found, 1 + number % 3)
    beside = {
        name: _plain(rows, name)
        if name in {"split", "order"}
        else pa.array([[v] for v in _plain(rows, name).to_pylist()], pa.list_(rows.type_of(name)))
        for name in rows.plain
        if name not in {"L1bit", "dataset", "label"}
    }
    _write_folder(folder / "event_info", beside, 2)
    if rows.seeds:
        every = {**rows.seeds, "L1bit": rows.plain["L1bit"]}
        seeds = {
            name: pa.array([[bool(v)] for v in values], pa.list_(pa.bool_()))
            for name, values in every.items()
        }
        _write_folder(folder / "seeds", seeds, 1)


def _lists(rows: Rows, name: str) -> pa.Array:
    return pa.array(rows.columns[name], pa.large_list(rows.type_of(name)))


def _plain(rows: Rows, name: str) -> pa.Array:
    return pa.array(list(rows.plain[name]), rows.type_of(name))


def _write_files(folder: Path, part: str, columns: dict[str, pa.Array], n_files: int) -> None:
    for number, table in enumerate(_cut(columns, n_files)):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{part}-{number:05d}-of-{n_files:05d}.parquet"
        parquet.write_table(table, path, row_group_size=37)


def _write_folder(folder: Path, columns: dict[str, pa.Array], n_files: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(_cut(columns, n_files)):
        parquet.write_table(table, folder / f"{number:05d}.parquet", row_group_size=41)


def _cut(columns: dict[str, pa.Array], n_files: int) -> list[pa.Table]:
    table = pa.table(columns)
    edges = np.linspace(0, len(table), n_files + 1).astype(int)
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


# Data sets of the small challenge, and the parts of each that are read.
DATA_SETS = {
    "ZB_run396102": ("train", "valid", "test"),
    "ZB_run398183": ("train", "valid", "test"),
    "SingleNeutrino_E-10-gun": ("valid", "test"),
    "WtoTauto3Mu": ("test",),
    "haa-4b-ma15": ("test",),
}
PART_OF = {"train": "train", "valid": "validation", "test": "test"}


@cache
def shipped() -> Challenge:
    """Return the challenge of the built-in manifest, which is read once."""
    return load_manifest().challenge("cmsl1t")


def small_challenge(n_events: int | None = None, **changes: object) -> Challenge:
    """Return the shipped challenge with fewer data sets, of any number of events or of one."""
    rules = shipped()
    files = [
        DataFile(
            name=file.name,
            role=file.role,
            process=file.process,
            title=file.title,
            part_events={PART_OF[part]: n_events for part in DATA_SETS[file.name]},
        )
        for file in rules.files
        if file.name in DATA_SETS
    ]
    return rules.model_copy(update={"files": tuple(files), **changes})


def small_rows(n_events: int, data_sets: Sequence[str] = tuple(DATA_SETS)) -> list[Rows]:
    """Draw all parts of data sets."""
    return [draw(name, part, n_events) for name in data_sets for part in DATA_SETS[name]]
