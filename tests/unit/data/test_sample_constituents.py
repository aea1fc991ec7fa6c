"""The coding of constituents in an embedded sample: without loss, small, and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.challenge import ConstituentLayout
from harness.data.sample import (
    decode_chunk,
    decode_member,
    encode_chunk,
    read_members,
    write_sample,
)
from harness.data.sample_coding import CONSTITUENTS, coding_of, dequantise, quantise
from harness.errors import DataError

LAYOUT = ConstituentLayout(n_constituents=24)


def jets_around(seed: int, n_jets: int, phi: float = 3.1) -> np.ndarray:
    """Return jets of 1 to 24 constituents around an axis near the end of phi."""
    rng = np.random.default_rng(seed)
    jets = np.zeros((n_jets, 24, 3), np.float32)
    is_there = np.arange(24) < rng.integers(1, 25, n_jets)[:, None]
    jets[..., 0] = -np.sort(-(rng.exponential(12, is_there.shape) + 0.3) * is_there, axis=1)
    jets[..., 1] = rng.normal(rng.uniform(-2, 2, (n_jets, 1)), 0.3, is_there.shape) * is_there
    around = rng.normal(phi, 0.3, is_there.shape)
    jets[..., 2] = ((around + np.pi) % (2 * np.pi) - np.pi) * is_there
    return jets


@given(seed=st.integers(0, 2**32 - 1), n_jets=st.integers(0, 20), phi=st.floats(-3.14, 3.14))
def test_what_is_encoded_is_decoded_bit_for_bit(seed: int, n_jets: int, phi: float) -> None:
    steps = quantise(jets_around(seed, n_jets, phi), CONSTITUENTS)

    decoded = decode_chunk(encode_chunk(steps, LAYOUT), n_jets, LAYOUT)

    assert np.array_equal(decoded, steps)


def test_values_are_rounded_by_half_a_step_at_most() -> None:
    jets = jets_around(1, 200)

    kept = dequantise(quantise(jets, CONSTITUENTS), CONSTITUENTS)

    assert np.abs(kept - jets).max(axis=(0, 1)) == pytest.approx(
        [1 / 16, 1 / 512, 1 / 512], rel=0.1
    )
    assert np.array_equal(kept[..., 0] > 0, jets[..., 0] > 0)
    assert (np.abs(kept[..., 2]) < np.pi).all()


def test_the_layout_says_how_its_events_are_encoded() -> None:
    assert coding_of(LAYOUT) is CONSTITUENTS


def test_jets_take_fewer_bytes_than_absolute_angles_would() -> None:
    steps = quantise(jets_around(2, 2000), CONSTITUENTS)
    n_constituents = int((steps[..., 0] > 0).sum())

    # 16 bits for each of the three numbers is 6; those of real jets take 2.5.
    assert len(encode_chunk(steps, LAYOUT)) < 3.3 * n_constituents


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ((0, 1, 0, 9000.0), "does not fall"),
        ((0, 23, 1, 1.0), "empty slot"),
        ((0, 0, 0, 0.0), "after"),
    ],
)
def test_other_events_are_refused(change: tuple[int, int, int, float], what: str) -> None:
    steps = quantise(jets_around(3, 1), CONSTITUENTS)
    steps[0, 20:] = 0
    *place, value = change
    steps[tuple(place)] = value

    with pytest.raises(ValueError, match=what):
        encode_chunk(steps, LAYOUT)


@pytest.mark.parametrize(("row", "value"), [(0, 4096.0), (1, 4.1)])
def test_values_beyond_the_steps_are_refused(row: int, value: float) -> None:
    jets = jets_around(4, 1)
    jets[0, 0, row] = value

    with pytest.raises(ValueError, match="does not fit"):
        quantise(jets, CONSTITUENTS)


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "jets.events"
    write_sample(path, LAYOUT, [("x", iter([quantise(jets_around(5, 50), CONSTITUENTS)]))])
    (member,) = read_members(path, LAYOUT)
    content = bytearray(path.read_bytes())
    for place in (30, 60, 200):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="broken"):
            list(decode_member(path, member, LAYOUT))
