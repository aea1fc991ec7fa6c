"""How far the weights of an entry are compressed, in words."""

from __future__ import annotations

from harness.card.costs import Compression, Cost


def compression_rows(cost: Cost) -> list[tuple[str, str]]:
    """Say which share of the weights is zero, and how many bits the others have.

    Returns
    -------
    list of (name, value)
    """
    found = cost.compression
    if isinstance(found, Compression):
        zeros = f"{100 * found.zero_share:.3g} % of {found.n_weights:,}"
        width = f"{found.bits_per_weight:.3g} (mean of those that are not zero)"
    else:
        why = "not recorded by this scoring" if found is None else found.not_measured
        zeros = width = f"not measured: {why}"
    return [("zero weights", zeros), ("bits per weight", width)]
