"""Numbers that belong to an event."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.stats import kstest

from harness.data.draws import keyed_uniforms

HASHES = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)


def test_they_depend_on_the_event_alone():
    whole = keyed_uniforms(HASHES, 3, seed=7, label="a")
    order = np.random.default_rng(2).permutation(len(HASHES))[:100]

    np.testing.assert_array_equal(keyed_uniforms(HASHES[order], 3, seed=7, label="a"), whole[order])
    np.testing.assert_array_equal(keyed_uniforms(HASHES, 1, seed=7, label="a"), whole[:, :1])


def test_they_are_uniform_and_independent():
    drawn = keyed_uniforms(HASHES, 2, seed=7, label="a")
    other = keyed_uniforms(HASHES, 2, seed=7, label="b")
    later = keyed_uniforms(HASHES, 2, seed=8, label="a")

    assert (drawn > 0).all()
    assert (drawn < 1).all()
    assert kstest(drawn.ravel(), "uniform").pvalue > 1e-3
    for one in (drawn[:, 1], other[:, 0], later[:, 0]):
        # Standard error of a correlation of 20,000: 0.0071.
        assert abs(np.corrcoef(drawn[:, 0], one)[0, 1]) < 4 * 0.0071


def test_equal_hashes_that_follow_each_other_have_unlike_numbers():
    drawn = keyed_uniforms(np.arange(20_000, dtype=np.uint64), 1, seed=7, label="a")[:, 0]

    assert kstest(drawn, "uniform").pvalue > 1e-3


def test_the_hashes_are_not_changed():
    before = HASHES.copy()
    keyed_uniforms(HASHES, 2, seed=7, label="a")
    np.testing.assert_array_equal(HASHES, before)


def slowly(event_hash, number, *, seed, label):
    """The same in whole numbers of Python: SplitMix64 from a keyed start."""
    mask = 2**64 - 1

    def mix(word):
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & mask
        word = (word ^ word >> 27) * 0x94D049BB133111EB & mask
        return word ^ word >> 31

    domain = b"harness event draws 1\x00" + seed.to_bytes(8, "little") + label.encode()
    key = int.from_bytes(hashlib.sha256(domain).digest()[:8], "little")
    word = mix(mix(event_hash ^ key) + (number + 1) * 0x9E3779B97F4A7C15 & mask)
    return ((word >> 11) + 0.5) / 2**53


def test_the_fast_numbers_are_those_of_the_slow_twin():
    drawn = keyed_uniforms(HASHES[:50], 4, seed=20211, label="variation x")

    for event_hash, row in zip(HASHES[:50].tolist(), drawn, strict=True):
        twin = [slowly(event_hash, index, seed=20211, label="variation x") for index in range(4)]
        assert row.tolist() == twin


def test_the_numbers_are_pinned():
    """Others would give the same submission another card."""
    hashes = np.array([0, 1], np.uint64)
    found = keyed_uniforms(hashes, 1, seed=7, label="a").ravel().tolist()
    assert found == [0.6697192975908393, 0.16368103637618353]
