"""Properties of the data layer that hold for any events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.challenge import PARTS, Split
from harness.data.manifest import Manifest
from harness.data.mix import flip_eta, rotate_phi
from harness.data.sample import decode_chunk, encode_chunk
from harness.data.sample_coding import dequantise, quantise
from harness.data.split import event_hashes, is_in_part
from harness.errors import DataError
from harness.files import parse_yaml
from tests.events import LAYOUT, make_events

words = hnp.arrays(np.uint32, st.tuples(st.integers(0, 20), st.integers(1, 60)))
thousandths = st.integers(0, 1000)


def sorted_events(draw_seed: int, n_events: int, scale: float) -> np.ndarray:
    """Ordinary events with pT stretched by `scale`."""
    events = make_events(n_events, seed=draw_seed)
    events[..., 0] *= np.float32(scale)
    return events


@given(words, st.text(min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_hashes_follow_their_events_wherever_they_stand(
    bits: np.ndarray, key: str, random: object
) -> None:
    events = bits.view(np.float32)
    order = np.asarray(random.sample(range(len(events)), len(events)), dtype=int)
    hashes = event_hashes(events, key, block_events=3)
    assert np.array_equal(event_hashes(events[order], key), hashes[order])
    for i in range(len(events)):
        for j in range(i):
            assert (hashes[i] == hashes[j]) == np.array_equal(bits[i], bits[j])


@given(
    hnp.arrays(np.uint64, st.integers(0, 50), elements=st.integers(0, 2**64 - 1)),
    thousandths,
    thousandths,
)
def test_every_hash_is_in_exactly_one_part(hashes: np.ndarray, first: int, second: int) -> None:
    low, high = sorted((first, second))
    split = Split(key="k", train=low / 1000, validation=(high - low) / 1000, test=1 - high / 1000)
    masks = np.array([is_in_part(hashes, split, part) for part in PARTS])
    assert (masks.sum(axis=0) == 1).all()


@given(
    hnp.arrays(np.uint64, 30, elements=st.integers(0, 2**64 - 1)),
    st.integers(0, 900),
    st.integers(0, 100),
)
def test_a_larger_training_part_holds_the_smaller_one(
    hashes: np.ndarray, fraction: int, more: int
) -> None:
    parts = []
    for train in (fraction, fraction + more):
        split = Split(key="k", train=train / 1000, validation=0.0, test=1 - train / 1000)
        parts.append(is_in_part(hashes, split, "train"))
    assert not (parts[0] & ~parts[1]).any()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 60), st.floats(0.01, 30.0))
def test_the_sample_holds_any_events_of_the_layout_exactly(
    seed: int, n_events: int, scale: float
) -> None:
    events = sorted_events(seed, n_events, scale)
    steps = quantise(events)
    assert np.array_equal(decode_chunk(encode_chunk(steps, LAYOUT), n_events, LAYOUT), steps)
    kept = dequantise(steps)
    assert np.array_equal(quantise(kept), steps)
    assert np.array_equal(kept[..., 0] > 0, events[..., 0] > 0)
    assert (np.abs(kept[..., 2]) <= np.pi).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_symmetric_variants_keep_pt_and_padding(seed: int, n_events: int) -> None:
    events = make_events(n_events, seed=seed)
    rotated = rotate_phi(events, np.random.default_rng(seed), layout=LAYOUT)
    for variant in (rotated, flip_eta(events, layout=LAYOUT)):
        assert np.array_equal(variant[..., 0], events[..., 0])
        assert not variant[events[..., 0] == 0].any()
        assert (np.abs(variant[..., 2]) <= np.pi).all()
    assert np.array_equal(rotated[..., 1], events[..., 1])


@given(st.text(max_size=200))
def test_any_text_is_refused_with_problems_that_name_the_file(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_yaml(text, Manifest, source="x.yaml")
    assert caught.value.problems
    assert all(problem.where.startswith("x.yaml") for problem in caught.value.problems)


def test_the_manifest_of_the_repository_round_trips() -> None:
    path = Path(__file__).parents[2] / "data_manifest.yaml"
    manifest = parse_yaml(path.read_text("utf-8"), Manifest, source="m")
    assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest
