"""Images in the embedded sample: decoded bit for bit, refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.challenge import EventLayout, ImageLayout, ObjectGroup
from harness.data.sample import decode_member, read_members, write_sample
from harness.data.sample_images import ChannelCoding, ImageCoding, quantise_images
from harness.errors import DataError
from harness.submission.events import SparseEvents, joined, sparse_of

LAYOUT = ImageLayout(height=9, width=10, channels=("fine", "coarse"))
CODING = ImageCoding(
    shape=LAYOUT.shape,
    channels=(
        ChannelCoding(name="fine", steps_per_gev=16),
        # The outermost cells are cut by the border: one row above, three below.
        ChannelCoding(name="coarse", steps_per_gev=256, cell=(5, 5), first=(-4, 0)),
    ),
)


def draw_images(n_events: int, seed: int = 1) -> SparseEvents:
    """Draw images whose second channel is equal within its cells."""
    generator = np.random.default_rng(seed)
    dense = np.zeros((n_events, *LAYOUT.shape), np.float32)
    is_filled = generator.random((n_events, 9, 10)) < 0.2
    dense[..., 0] = is_filled * generator.exponential(40.0, is_filled.shape)
    cells = generator.exponential(1.0, (n_events, 3, 2)) * (
        generator.random((n_events, 3, 2)) < 0.5
    )
    for number, (first, last) in enumerate([(0, 1), (1, 6), (6, 9)]):
        dense[:, first:last, :5, 1] = cells[:, number, 0, None, None]
        dense[:, first:last, 5:, 1] = cells[:, number, 1, None, None]
    return quantise_images(sparse_of(dense), CODING)


def write(path: Path, *chunks: SparseEvents) -> None:
    write_sample(path, LAYOUT, [("images", iter(chunks))], images=CODING)


@pytest.mark.parametrize("n_events", [1, 2, 300])
def test_what_is_decoded_is_what_was_encoded(tmp_path: Path, n_events: int) -> None:
    path = tmp_path / "a.events"
    chunks = [
        draw_images(n_events),
        draw_images(3, seed=2),
        sparse_of(np.zeros((2, 9, 10, 2), "f4")),
    ]
    write(path, *chunks)
    (member,) = read_members(path, LAYOUT)
    decoded = joined(list(decode_member(path, member, LAYOUT)))
    expected = joined(chunks)
    assert isinstance(decoded, SparseEvents)
    assert np.array_equal(decoded.entries, expected.entries)
    assert np.array_equal(decoded.bounds, expected.bounds)
    assert member.n_events == n_events + 5


def test_a_pixel_moves_by_half_a_step_at_most_and_none_is_lost() -> None:
    dense = np.random.default_rng(3).uniform(1, 9, (20, *LAYOUT.shape)).astype(np.float32)
    dense[0, 0, 0] = 1e-6
    moved = np.asarray(quantise_images(sparse_of(dense), CODING)) - dense
    assert np.abs(moved[1:, ..., 0]).max() <= 1 / 32
    assert np.abs(moved[1:, ..., 1]).max() <= 1 / 512
    assert np.asarray(quantise_images(sparse_of(dense), CODING))[0, 0, 0].tolist() == [
        1 / 16,
        1 / 256,
    ]


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, 2.0**25])
def test_what_has_no_whole_steps_is_refused(value: float) -> None:
    dense = np.zeros((1, *LAYOUT.shape), np.float32)
    dense[0, 2, 2, 0] = value
    with pytest.raises(ValueError, match="not above 0"):
        quantise_images(sparse_of(dense), CODING)


def test_cells_that_are_not_equal_are_refused(tmp_path: Path) -> None:
    dense = np.asarray(draw_images(5)).copy()
    dense[:, 1:6, :5, 1] = 0.5
    dense[2, 3, 3, 1] = 0.25
    with pytest.raises(ValueError, match="a cell of coarse are not equal"):
        write(tmp_path / "a.events", sparse_of(dense))
    dense[2, 3, 3, 1] = 0.0
    with pytest.raises(ValueError, match="a cell of coarse are not equal"):
        write(tmp_path / "a.events", sparse_of(dense))
    dense[2, 3, 3, 1] = 0.1
    with pytest.raises(ValueError, match="coarse is not in whole steps"):
        write(tmp_path / "a.events", sparse_of(dense))


def test_another_layout_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.events", draw_images(4))
    others = (
        ImageLayout(height=10, width=9, channels=LAYOUT.channels),
        ImageLayout(height=9, width=10, channels=("coarse", "fine")),
        EventLayout(objects=(ObjectGroup(name="jet", n_slots=2),)),
    )
    for layout in others:
        with pytest.raises(DataError, match="another layout"):
            read_members(tmp_path / "a.events", layout)


def test_a_damaged_file_is_found_wherever_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.events"
    write(path, draw_images(200))
    whole = path.read_bytes()
    (member,) = read_members(path, LAYOUT)
    begin, n_bytes = member.chunks[0].offset, member.chunks[0].n_bytes
    for position in np.random.default_rng(0).integers(begin, begin + n_bytes, 40):
        broken = bytearray(whole)
        broken[position] ^= 0x55
        path.write_bytes(bytes(broken))
        with pytest.raises(DataError):
            list(decode_member(path, member, LAYOUT))
