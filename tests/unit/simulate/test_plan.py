"""What a run consists of follows from what was asked for, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import UsageError
from harness.simulate.plan import CHUNK_EVENTS, Chunk, make_plan, share_out
from harness.simulate.presets import COMPONENTS, MIX, QCD_SPLIT


def test_the_mix_is_the_challenges_and_its_shares_add_up():
    assert MIX == {"w": 0.592, "qcd": 0.338, "z": 0.067, "tt": 0.003}
    assert sum(COMPONENTS.values()) == pytest.approx(1.0)
    assert sum(QCD_SPLIT.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("n_events", [1, 2, 7, 1000, 123_457])
def test_counts_add_up_and_lie_within_one_of_the_shares(n_events):
    shares = {process.name: share for process, share in COMPONENTS.items()}
    counts = share_out(n_events, shares)

    assert sum(counts.values()) == n_events
    assert all(abs(counts[name] - n_events * share) < 1 for name, share in shares.items())


def test_chunks_hold_all_events_once():
    plan = make_plan("background", n_events=12_345, seed=1)
    chunks = plan.chunks()

    assert sum(chunk.n_events for chunk in chunks) == 12_345
    assert max(chunk.n_events for chunk in chunks) <= CHUNK_EVENTS
    assert len({chunk.file_name for chunk in chunks}) == len(chunks)


def test_no_two_chunks_share_a_seed():
    plan = make_plan("background", n_events=60_000, seed=5)
    seeds = [chunk.seeds(plan.seed)[0] for chunk in plan.chunks()]
    draws = [chunk.seeds(plan.seed)[1].integers(2**63) for chunk in plan.chunks()]

    assert len(set(seeds)) == len(seeds)
    assert len(set(draws)) == len(draws)


def test_a_chunks_seed_is_what_it_was():
    # Pinned: another seed would give other events for the same command.
    chunk = Chunk(process="w", number=3, n_events=10)
    seed, rng = chunk.seeds(7)

    assert (seed, int(rng.integers(2**32))) == PINNED


PINNED = (1_758_607_714, 654_750_403)


@pytest.mark.parametrize("n_events", [0, -1, -(10**12)])
def test_no_events_or_fewer_are_refused(n_events):
    with pytest.raises(UsageError, match="at least one"):
        make_plan("background", n_events=n_events, seed=1)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(UsageError, match="seed"):
        make_plan("background", n_events=1, seed=seed)


def test_an_unknown_process_is_told_with_those_that_there_are():
    with pytest.raises(UsageError, match=r"background, background_a14, ato4l.*CARD\.yaml"):
        make_plan("wat", n_events=1, seed=1)


def test_the_digest_sees_every_input():
    base = make_plan("background", n_events=10, seed=1)
    others = [
        make_plan("background", n_events=11, seed=1),
        make_plan("background", n_events=10, seed=2),
        make_plan("ato4l", n_events=10, seed=1),
        make_plan(
            "background", n_events=10, seed=1, n_library={"inelastic": 9, "nondiffractive": 9}
        ),
    ]

    assert len({plan.digest for plan in [base, *others]}) == 5
    assert make_plan("background", n_events=10, seed=1).digest == base.digest


def test_a_trillion_events_are_planned_without_their_memory():
    plan = make_plan("background", n_events=10**12, seed=1)

    assert sum(plan.counts.values()) == 10**12
    assert np.iinfo(np.int64).max > 10**12
