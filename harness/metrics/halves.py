"""Events shared out in two halves: one chooses a cut, the other says what it gives."""

from __future__ import annotations

from harness.metrics.replicates import deal
from harness.metrics.scores import Sample, rank_samples


def halves_of(sample: Sample, seed: int) -> tuple[Sample, Sample]:
    """Share the events out in two by their hashes, whatever their order."""
    is_second = (deal(sample.hashes, seed) & 1).astype(bool)
    parts = [sample.scores[~is_second], sample.scores[is_second]]
    hashes = [sample.hashes[~is_second], sample.hashes[is_second]]
    first, second = (
        Sample(scores=scores, hashes=own, ranked=ranked)
        for scores, own, ranked in zip(parts, hashes, rank_samples(parts), strict=True)
    )
    return first, second
