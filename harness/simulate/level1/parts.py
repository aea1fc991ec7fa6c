"""Chunks of events on the disk, until all of a stand-in are made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from harness.files import writing
from harness.simulate.level1.crossings import Collider, open_library
from harness.simulate.level1.datasets import BY_NAME
from harness.simulate.level1.events import Level1Events, make_events
from harness.simulate.level1.objects import Objects, join_objects
from harness.simulate.level1.plan import Level1Chunk, Level1Plan
from harness.simulate.pileup import SoftEvents


def make_chunk(plan: Level1Plan, chunk: Level1Chunk, folder: Path) -> int:
    """Make one chunk in `folder`, in a worker; return its number of events."""
    data_set = BY_NAME[chunk.data_set]
    seed, rng = plan.seeds(chunk)
    section, mean = plan.conditions(chunk, rng)
    collider = Collider(data_set.process, _library(plan.n_library), seed)
    events = make_events(data_set, collider, section, mean, rng)
    with writing(folder / chunk.file_name) as stream:
        np.savez_compressed(stream, allow_pickle=False, **_arrays(events))
    return chunk.n_events


@cache
def _library(n_events: int) -> SoftEvents:
    return open_library(n_events)


def is_there(folder: Path, chunk: Level1Chunk) -> bool:
    """Whether a chunk is made."""
    try:
        return len(read_chunk(folder, chunk)) == chunk.n_events
    except (OSError, ValueError, KeyError, BadZipFile):
        return False


def read_chunk(folder: Path, chunk: Level1Chunk) -> Level1Events:
    """Read a chunk that `make_chunk` made."""
    with np.load(folder / chunk.file_name, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    columns: dict[str, dict[str, NDArray[Any]]] = {}
    for name, values in found.items():
        room, _, rest = name.partition("/")
        columns.setdefault(room, {})[rest] = values
    return Level1Events(
        collections={
            name: Objects(
                counts=columns["counts"][name],
                columns={
                    branch.partition("/")[2]: values
                    for branch, values in columns["collections"].items()
                    if branch.partition("/")[0] == name
                },
            )
            for name in columns["counts"]
        },
        seeds=columns["seeds"],
        pile_up=columns["beside"]["pile_up"],
        section=columns["beside"]["section"],
    )


def _arrays(events: Level1Events) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {
        "beside/pile_up": events.pile_up,
        "beside/section": events.section,
    }
    found |= {f"seeds/{name}": values for name, values in events.seeds.items()}
    for name, objects in events.collections.items():
        found[f"counts/{name}"] = objects.counts
        found |= {
            f"collections/{name}/{branch}": values for branch, values in objects.columns.items()
        }
    return found


def read_data_set(plan: Level1Plan, folder: Path, name: str) -> Level1Events:
    """Read all events of a data set."""
    return join([read_chunk(folder, one) for one in plan.chunks() if one.data_set == name])


def join(several: Sequence[Level1Events]) -> Level1Events:
    """Put events one after the other."""
    first = several[0]
    return Level1Events(
        collections={
            name: join_objects([one.collections[name] for one in several])
            for name in first.collections
        },
        seeds={name: np.concatenate([one.seeds[name] for one in several]) for name in first.seeds},
        pile_up=np.concatenate([one.pile_up for one in several]),
        section=np.concatenate([one.section for one in several]),
    )
