"""The sample's encoding: exact on the grid, honest at its edges, and broken files are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data.manifest import built_in_manifest, load_manifest
from harness.data.sample import (
    MAGIC,
    SampleMember,
    decode_chunk,
    decode_member,
    encode_chunk,
    read_members,
    write_sample,
)
from harness.data.sample_coding import dequantise, quantise
from harness.data.structure import StructureCheck
from harness.errors import DataError
from tests.events import LAYOUT, make_events


def one(pt: float, eta: float = 0.0, phi: float = 0.0) -> np.ndarray:
    events = np.zeros((1, 19, 3))
    events[0, 9] = [pt, eta, phi]
    return events


class TestQuantise:
    @pytest.mark.parametrize(
        ("pt", "steps"),
        [(0.0, 0), (1e-6, 1), (0.1, 1), (0.374, 1), (0.375, 2), (23.0, 92), (8191.7, 32767)],
    )
    def test_pt_goes_to_the_nearest_quarter_and_never_to_zero(self, pt: float, steps: int) -> None:
        assert quantise(one(pt))[0, 9, 0] == steps

    @pytest.mark.parametrize(
        ("angle", "steps"),
        [(1.0, 128), (-1.0, -128), (1 / 256, 1), (-1 / 256, 0), (-0.75 / 128, -1)],
    )
    def test_angles_go_to_the_nearest_step_halves_up(self, angle: float, steps: int) -> None:
        assert quantise(one(10.0, angle, angle))[0, 9].tolist() == [40, steps, steps]

    @pytest.mark.parametrize("phi", [np.pi, -np.pi, float(np.float32(np.pi)), 3.1416])
    def test_phi_stays_within_pi(self, phi: float) -> None:
        steps = quantise(one(10.0, 0.0, phi))
        assert abs(steps[0, 9, 2]) == 402
        assert abs(float(dequantise(steps)[0, 9, 2])) <= np.pi

    def test_no_value_moves_further_than_half_a_step(self) -> None:
        events = make_events(2000)
        moved = np.abs(dequantise(quantise(events)).astype(np.float64) - events)
        assert moved[..., 0].max() <= 1 / 8
        assert moved[..., 1].max() <= 1 / 256
        # At the edge |phi| = pi the last step lies up to 0.001 further in.
        assert moved[..., 2].max() <= max(1 / 256, np.pi - 402 / 128)

    def test_steps_of_a_finer_binary_grid_get_equal_shares(self) -> None:
        # Rounding halves to even would give even steps 9 of 8 values, odd ones 7.
        values = np.arange(0, 1024) / 1024
        events = np.zeros((1024, 19, 3))
        events[:, 9, 0], events[:, 9, 2] = 10.0, values
        counts = np.bincount(quantise(events)[:, 9, 2])
        assert set(counts[1:-1].tolist()) == {8}

    def test_it_is_idempotent_and_keeps_the_structure(self) -> None:
        events = dequantise(quantise(make_events(1000)))
        assert np.array_equal(dequantise(quantise(events)), events)
        check = StructureCheck(source="x", layout=LAYOUT)
        check.add(events)
        assert check.report().remarks == ()

    @pytest.mark.parametrize(("pt", "eta"), [(8192.0, 0.0), (10.0, 4.1), (10.0, -4.1)])
    def test_what_does_not_fit_is_refused(self, pt: float, eta: float) -> None:
        with pytest.raises(ValueError, match="does not fit"):
            quantise(one(pt, eta))


class TestCodec:
    @pytest.mark.parametrize("n_events", [0, 1, 2, 3, 1000])
    def test_what_is_decoded_is_what_was_encoded(self, n_events: int) -> None:
        steps = quantise(make_events(n_events))
        assert np.array_equal(decode_chunk(encode_chunk(steps, LAYOUT), n_events, LAYOUT), steps)

    def test_extreme_values_survive(self) -> None:
        steps = np.zeros((4, 19, 3), np.int16)
        steps[:, 9] = [[32767, 512, 402], [1, -512, -402], [256, 511, 0], [255, 0, -1]]
        steps[0, 10] = [1, 1, 1]
        assert np.array_equal(decode_chunk(encode_chunk(steps, LAYOUT), 4, LAYOUT), steps)

    def test_full_events_survive(self) -> None:
        steps = np.ones((3, 19, 3), np.int16)
        assert np.array_equal(decode_chunk(encode_chunk(steps, LAYOUT), 3, LAYOUT), steps)

    @pytest.mark.parametrize(
        ("rows", "values", "complaint"),
        [
            ([10], [[4, 0, 0]], "filled after an empty one"),
            ([9, 10], [[4, 0, 0], [5, 0, 0]], "pT does not fall"),
            ([10], [[0, 3, 0]], "empty slot of jet holds a value"),
        ],
    )
    def test_events_that_it_cannot_hold_are_refused(
        self, rows: list[int], values: list[list[int]], complaint: str
    ) -> None:
        steps = np.zeros((1, 19, 3), np.int16)
        steps[0, rows] = values
        with pytest.raises(ValueError, match=complaint):
            encode_chunk(steps, LAYOUT)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small sample file of two processes."""
    path = tmp_path / "mini.events"
    background, signal = quantise(make_events(500)), quantise(make_events(80, seed=2))
    chunks = [("background", iter([background[:300], background[300:]])), ("a", iter([signal]))]
    write_sample(path, LAYOUT, chunks)
    return path


def decode_all(path: Path, members: tuple[SampleMember, ...]) -> None:
    for member in members:
        list(decode_member(path, member, LAYOUT))


class TestFile:
    def test_members_come_back(self, sample: Path) -> None:
        members = read_members(sample, LAYOUT)
        assert [(m.process, m.n_events, len(m.chunks)) for m in members] == [
            ("background", 500, 2),
            ("a", 80, 1),
        ]
        for member, seed in zip(members, (1, 2), strict=True):
            decoded = np.concatenate(list(decode_member(sample, member, LAYOUT)))
            assert np.array_equal(
                decoded, dequantise(quantise(make_events(member.n_events, seed=seed)))
            )

    def test_truncation_anywhere_is_found(self, sample: Path) -> None:
        content = sample.read_bytes()
        for length in (0, 10, 24, len(content) // 2, len(content) - 1):
            sample.write_bytes(content[:length])
            with pytest.raises(DataError, match="sample file is broken"):
                read_members(sample, LAYOUT)

    def test_a_flipped_bit_in_any_chunk_is_found(self, sample: Path) -> None:
        members = read_members(sample, LAYOUT)
        content = bytearray(sample.read_bytes())
        generator = np.random.default_rng(1)
        end = max(chunk.offset + chunk.n_bytes for member in members for chunk in member.chunks)
        for place in generator.integers(len(MAGIC) + 8, end, 60).tolist():
            content[place] ^= 4
            sample.write_bytes(content)
            with pytest.raises(DataError, match="sample file is broken"):
                decode_all(sample, members)
            content[place] ^= 4

    def test_another_layout_is_refused(self, sample: Path) -> None:
        layout = LAYOUT.model_copy(update={"objects": LAYOUT.objects[:2]})
        with pytest.raises(DataError, match="another layout"):
            read_members(sample, layout)

    def test_a_missing_file_is_told_as_such(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="No such file"):
            read_members(tmp_path / "none.events", LAYOUT)


class TestEmbedded:
    """The file in the repository; its checksums are held against the manifest in another test."""

    def test_a_signal_decodes_to_sound_events_of_its_checksum(self) -> None:
        challenge = load_manifest().challenge("sample")
        path = built_in_manifest().parent / "harness" / "data" / "files" / "sample.events"
        member = read_members(path, challenge.layout)[1]
        check = StructureCheck(source="sample", layout=challenge.layout)
        for events in decode_member(path, member, challenge.layout):
            check.add(events)
            assert np.array_equal(dequantise(quantise(events)), events)
        assert check.report().remarks == ()
        assert check.report().n_events == 40_000
