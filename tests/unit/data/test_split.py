"""The split: the fast hash is the slow one, spreads evenly, and hangs on content and key alone."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from harness.challenge import PARTS, Split
from harness.data.split import chunks, event_hashes, is_in_part
from tests.events import make_events

MASK = 2**64 - 1


def slow_hash(values: Sequence[float], key: str) -> int:
    """Hash one event in plain Python, straight from the description of the construction."""
    n_values = len(values)
    n_words = (n_values + 1) // 2
    domain = b"harness event hash 1\x00" + n_values.to_bytes(4, "little") + key.encode()
    drawn = struct.unpack(
        f"<{3 * n_words + 1}Q", hashlib.shake_256(domain).digest(8 * (3 * n_words + 1))
    )
    seed, table = drawn[0], drawn[1:]
    offsets, first, second = table[:n_words], table[n_words : 2 * n_words], table[2 * n_words :]
    padded = [*values, 0.0] if n_values % 2 else list(values)
    words = struct.unpack(f"<{n_words}Q", struct.pack(f"<{2 * n_words}f", *padded))
    total = seed
    for word, offset, a, b in zip(words, offsets, first, second, strict=True):
        mixed = (word + offset) & MASK
        mixed ^= mixed >> 32
        mixed = mixed * (a | 1) & MASK
        mixed ^= mixed >> 29
        total = (total + mixed * (b | 1)) & MASK
    total ^= total >> 30
    total = total * 0xBF58476D1CE4E5B9 & MASK
    total ^= total >> 27
    total = total * 0x94D049BB133111EB & MASK
    return total ^ total >> 31


def ramp(n_values: int) -> np.ndarray:
    """0, 0.5, 1, ...: exact in float32."""
    return (np.arange(n_values, dtype=np.float32) / 2)[None, :]


class TestHash:
    def test_it_equals_its_slow_twin(self) -> None:
        events = make_events(200)
        expected = [slow_hash(event.ravel().tolist(), "key") for event in events]
        assert event_hashes(events, "key").tolist() == expected

    @pytest.mark.parametrize(
        ("n_values", "key", "expected"),
        [
            (57, "sample-1", 0xAF5DDD3AE7C30064),
            (57, "adc2021-1", 0xD4D39AEE80C83496),
            (6, "sample-1", 0xC507212B3B02763B),
            (1, "π", 0x2E5A33F330CF03B0),
        ],
    )
    def test_pinned_vectors_hold_for_ever(self, n_values: int, key: str, expected: int) -> None:
        # Worked by the slow twin once; a change of any moves every split ever published.
        assert slow_hash(ramp(n_values)[0].tolist(), key) == expected
        assert event_hashes(ramp(n_values), key).tolist() == [expected]

    def test_it_hangs_neither_on_order_nor_on_the_size_of_the_blocks(self) -> None:
        events = make_events(5000)
        order = np.random.default_rng(2).permutation(5000)
        whole = event_hashes(events, "key")
        assert np.array_equal(event_hashes(events[order], "key"), whole[order])
        assert np.array_equal(event_hashes(events, "key", block_events=7), whole)

    def test_it_hangs_on_the_key(self) -> None:
        events = make_events(1000)
        assert not np.intersect1d(event_hashes(events, "a"), event_hashes(events, "b")).size

    def test_equal_events_have_equal_hashes_and_others_have_not(self) -> None:
        events = make_events(20_000)
        hashes = event_hashes(np.concatenate([events, events]), "key")
        assert np.array_equal(hashes[:20_000], hashes[20_000:])
        assert len(np.unique(hashes)) == 20_000

    def test_byte_order_in_memory_does_not_matter(self) -> None:
        events = make_events(50)
        swapped = events.byteswap().view(events.dtype.newbyteorder())
        assert np.array_equal(
            event_hashes(swapped.astype(np.float32), "k"), event_hashes(events, "k")
        )

    def test_other_dtypes_are_refused(self) -> None:
        with pytest.raises(TypeError, match="float64"):
            event_hashes(make_events(3).astype(np.float64), "key")

    def test_the_input_is_not_modified(self) -> None:
        events = make_events(100)
        before = events.copy()
        event_hashes(events, "key")
        assert np.array_equal(events, before)

    @pytest.mark.parametrize("n_values", [300, 301])
    def test_zeros_at_the_end_count_whether_others_share_them_or_not(self, n_values: int) -> None:
        events = np.zeros((3, n_values), np.float32)
        events[0, :7], events[1, :] = ramp(n_values)[0, :7], ramp(n_values)[0]
        hashes = event_hashes(events, "key").tolist()
        assert hashes == [slow_hash(one.tolist(), "key") for one in events]
        assert [event_hashes(one[None], "key")[0] for one in events] == hashes

    def test_no_events_give_no_hashes(self) -> None:
        assert event_hashes(make_events(0), "key").shape == (0,)


class TestAvalanche:
    def test_each_input_bit_turns_each_output_bit_half_of_the_time(self) -> None:
        events = make_events(400)
        words = np.ascontiguousarray(events).reshape(400, 57).view(np.uint32)
        base = event_hashes(events, "key")
        for word in (0, 1, 2, 28, 55, 56):
            for bit in (0, 7, 22, 23, 30, 31):
                turned = words.copy()
                turned[:, word] ^= np.uint32(1 << bit)
                # The bits may now spell NaN; only the bits are hashed.
                changed = event_hashes(turned.view(np.float32).reshape(400, 19, 3), "key") ^ base
                bits = np.unpackbits(changed.view(np.uint8)).reshape(400, 64)
                share = bits.mean(axis=0)
                # 400 flips: sd 2.5 %; 6.5 sd over 36 x 64 looks.
                assert abs(share - 0.5).max() < 0.1625, (word, bit)

    def test_events_that_differ_in_signs_alone_do_not_collide(self) -> None:
        # A weak mix lets the top bits of two words cancel: phi and eta mirrored together.
        event = make_events(1, seed=3)[0].reshape(57)
        event[event == 0] = 1.0
        n_signs = 16
        signs = np.where((np.arange(2**n_signs)[:, None] >> np.arange(n_signs)) & 1, -1.0, 1.0)
        events = np.tile(event, (2**n_signs, 1))
        events[:, 1 : 3 * n_signs : 3] *= signs.astype(np.float32)
        assert len(np.unique(event_hashes(events, "key"))) == 2**n_signs

    def test_events_on_a_coarse_grid_do_not_collide(self) -> None:
        values = np.arange(256, dtype=np.float32) / 4
        events = np.zeros((256, 256, 4), np.float32)
        events[..., 0], events[..., 3] = values[:, None], values[None, :]
        hashes = event_hashes(events.reshape(-1, 4), "key")
        assert len(np.unique(hashes)) == 256 * 256

    def test_hashes_fill_their_range_evenly(self) -> None:
        grid = np.zeros((100_000, 57), np.float32)
        grid[:, 0] = np.arange(100_000) / 4
        hashes = event_hashes(grid, "key")
        for shift in (0, 20, 56):
            counts = np.bincount((hashes >> np.uint64(shift)).astype(np.int64) & 255, minlength=256)
            assert chisquare(counts).pvalue > 1e-4


class TestParts:
    SPLIT = Split(key="key", train=0.5, validation=0.1, test=0.4)

    def test_boundaries_are_cut_where_the_fractions_say(self) -> None:
        half, six_tenths = 2**63, int(0.6 * 10) * 2**64 // 10
        hashes = np.array([0, half - 1, half, six_tenths - 1, six_tenths + 1, MASK], np.uint64)
        assert [one for h in hashes for one in PARTS if is_in_part(h, self.SPLIT, one)] == [
            "train", "train", "validation", "validation", "test", "test",
        ]  # fmt: skip

    def test_each_event_is_in_one_part(self) -> None:
        hashes = event_hashes(make_events(3000), "key")
        masks = [is_in_part(hashes, self.SPLIT, part) for part in PARTS]
        assert (np.sum(masks, axis=0) == 1).all()

    def test_parts_have_the_sizes_of_their_fractions(self) -> None:
        hashes = event_hashes(make_events(40_000), "key")
        for part, fraction in zip(PARTS, (0.5, 0.1, 0.4), strict=True):
            n_in = int(is_in_part(hashes, self.SPLIT, part).sum())
            assert binomtest(n_in, 40_000, fraction).pvalue > 1e-4

    @pytest.mark.parametrize("whole", PARTS)
    def test_a_fraction_of_one_takes_all_and_of_zero_none(self, whole: str) -> None:
        fractions = {part: float(part == whole) for part in PARTS}
        split = Split(key="key", **fractions)
        hashes = np.array([0, 1, 2**63, MASK], np.uint64)
        for part in PARTS:
            assert is_in_part(hashes, split, part).all() == (part == whole)
            assert is_in_part(hashes, split, part).any() == (part == whole)


def test_chunks_cover_everything_once() -> None:
    assert [(c.start, c.stop) for c in chunks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert not list(chunks(0, 3))
