"""How the events of a challenge are shared out into training, validation and test."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from harness.challenge.values import Column, Fraction, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Split(Value):
    """How background events are shared out.

    Attributes
    ----------
    kind : str
        ``hashed``: by a keyed hash of each event's content, into three fractions. ``published``: as
        the files say, each by its `part` or all by `index`.
    key : str
        Of the hash, which also orders the events of a published split.
    index : str or None
        Of a published split: the dataset that says the part of each event, 0, 1 or 2 for training,
        validation and test.
    """

    kind: Literal["hashed", "published"] = Field(
        default="hashed", exclude_if=lambda kind: kind == "hashed"
    )
    key: str = Field(min_length=1, max_length=64)
    train: Fraction = 0.0
    validation: Fraction = 0.0
    test: Fraction = 0.0
    index: Column | None = Field(default=None, exclude_if=lambda index: index is None)

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        if self.kind == "published":
            if self.train or self.validation or self.test:
                raise ValueError("a published split has no fractions: the files say their parts")
            return self
        if self.index is not None:
            raise ValueError("index belongs to a split of the kind published")
        if abs(self.train + self.validation + self.test - 1.0) > 1e-9:
            total = self.train + self.validation + self.test
            raise ValueError(f"train + validation + test is {total:g}, not 1")
        return self

    @property
    def key_digest(self) -> str:
        """What cards say of the key."""
        return digest_of_key(self.key)


_KEY_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of_key(key: str) -> str:
    """Return the digest of a split's key; whoever has the key can share out the events as we do.

    Cards once held the key itself. A digest stays as it is: no key is as long.

    Examples
    --------
    >>> digest_of_key("sample-1")[:16], digest_of_key(digest_of_key("sample-1"))[:16]
    ('sha256:0899cd856', 'sha256:0899cd856')
    """
    if _KEY_DIGEST.fullmatch(key):
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


# SplitMix64: the step of its counter and the two multipliers of its finaliser.
SPLITMIX_STEP = 0x9E3779B97F4A7C15
_MIX_A = 0xBF58476D1CE4E5B9
_MIX_B = 0x94D049BB133111EB


def mix64(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of 64-bit words in place; return them.

    The finaliser of SplitMix64, a bijection. Whatever depends on an event alone is made with it:
    the split, the random numbers of variations, the weights of bootstrap replicates.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014, doi:10.1145/2660193.2660195.
    """
    words ^= words >> 30
    words *= _MIX_A
    words ^= words >> 27
    words *= _MIX_B
    words ^= words >> 31
    return words
