"""A sample of hardware integers, and what it keeps beside the events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.challenge import EventLayout
from harness.data.manifest import load_manifest
from harness.data.sample import SampleMember, decode_member, read_beside, read_members, write_sample
from harness.data.sample_columns import SampleBeside
from harness.errors import DataError

N_EVENTS = 300


def layout() -> EventLayout:
    return load_manifest().challenge("cmsl1t").layout


def steps(rng: np.random.Generator) -> np.ndarray:
    """Draw events to the edges of what the hardware has."""
    found = np.zeros((N_EVENTS, *layout().shape), np.int16)
    for group in layout().objects:
        rows = found[:, layout().slots[group.name]]
        counts = rng.integers(0, group.n_slots + 1, N_EVENTS)
        is_filled = np.arange(group.n_slots) < counts[:, None]
        pt = -np.sort(-rng.integers(1, 4096, (N_EVENTS, group.n_slots)), axis=1)
        rows[..., 0] = np.where(is_filled, pt, 0)
        rows[..., 1] = np.where(is_filled, rng.integers(-225, 226, pt.shape), 0)
        rows[..., 2] = np.where(is_filled, rng.integers(0, 576, pt.shape), 0)
    return found


@pytest.fixture
def beside() -> SampleBeside:
    rng = np.random.default_rng(3)
    return SampleBeside(
        parts=rng.integers(0, 3, N_EVENTS).astype(np.int8),
        menu=rng.random(N_EVENTS) < 0.1,
        conditions={"nPV_True": rng.uniform(40, 70, N_EVENTS), "run": np.full(N_EVENTS, 396102.0)},
        algorithms={f"L1_{number}": rng.random(N_EVENTS) < 0.1 for number in range(11)},
    )


@pytest.fixture
def written(tmp_path: Path, beside: SampleBeside) -> tuple[Path, SampleMember]:
    path = tmp_path / "sample.events"
    events = steps(np.random.default_rng(3))
    chunks = [("plain", iter([events])), ("run", iter([events[:100], events[100:]]))]
    write_sample(path, layout(), chunks, {"run": beside})
    return path, read_members(path, layout())[1]


def test_hardware_integers_come_back_as_they_were(written: tuple[Path, SampleMember]) -> None:
    path, member = written
    found = np.concatenate(list(decode_member(path, member, layout())))
    assert found.dtype == np.float32
    assert np.array_equal(found, steps(np.random.default_rng(3)))


def test_what_is_beside_the_events_comes_back(
    written: tuple[Path, SampleMember], beside: SampleBeside
) -> None:
    found = read_beside(*written)
    assert np.array_equal(found.parts, beside.parts)
    assert np.array_equal(found.menu, beside.menu)
    assert found.conditions.keys() == beside.conditions.keys()
    for name, values in beside.conditions.items():
        assert np.array_equal(found.conditions[name], values)
    assert found.algorithms is not None
    assert found.algorithms.names == tuple(beside.algorithms)
    decisions = np.concatenate(list(found.algorithms.chunks))
    assert np.array_equal(decisions, np.stack(list(beside.algorithms.values()), axis=1))


def test_a_process_without_columns_has_none(written: tuple[Path, SampleMember]) -> None:
    path, _ = written
    plain = read_members(path, layout())[0]
    found = read_beside(path, plain)
    assert found.parts is found.menu is found.algorithms is None
    assert not found.conditions


@pytest.mark.parametrize("name", ["parts", "menu", "condition:run", "algorithms"])
def test_a_damaged_column_is_found(written: tuple[Path, SampleMember], name: str) -> None:
    path, member = written
    column = next(one for one in member.columns if one.name == name)
    content = bytearray(path.read_bytes())
    content[column.offset + column.n_bytes - 1] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken"):
        read_beside(path, member)
