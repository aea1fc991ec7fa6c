"""The split: a keyed hash of each event's content, and the part that the hash puts it in.

The hash of an event depends on the bytes of its float32 values and on the split's key, and on
nothing else: not on the order of the file, the position in it, the machine or the size of the
chunks. Equal events always fall into one part.

Its construction: the values, as little-endian 32-bit words padded with one zero word to an even
number, are read as 64-bit words ``w_i``. With constants drawn from SHAKE-256 of the key, each word
goes through a bijection of its own (add, then two rounds of xor-shift and odd multiplication, as
in MurmurHash3's and SplitMix64's finalisers), the results are added modulo 2**64, and the sum goes
through one finaliser more. Events that differ in a single word can therefore never collide; others
collide by chance alone (once in 2**64 pairs). Images are hashed by the same numbers, from their
entries alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, Part, Split, events_within, mix64
from harness.submission.events import Events, SparseEvents, used_values

# The domain of the key's expansion; a change of the construction needs another name.
_DOMAIN = b"harness event hash 1\x00"
_MASK = 2**64 - 1
# 2,048 events of ADC2021, which are 464 kB with their padding: stays in the second-level cache.
_BLOCK_BYTES = 2048 * ADC2021_BYTES
# Larger events are looked at for zeros at their end.
_MANY_VALUES = 256
# Entries of sparse events that are hashed at a time; and the most events, which may all be empty.
_SPARSE_BLOCK = 2**18
_SPARSE_EVENTS = 2**16


@dataclass(frozen=True, kw_only=True, slots=True)
class HashConstants:
    """The constants that a key gives.

    Attributes
    ----------
    offsets, first, second : ndarray of uint64, shape (n_words,)
        What is added to each word, and its two odd multipliers.
    seed : int
        What the sum starts from.
    """

    offsets: NDArray[np.uint64]
    first: NDArray[np.uint64]
    second: NDArray[np.uint64]
    seed: int


@functools.lru_cache(maxsize=4)
def hash_constants(key: str, n_values: int) -> HashConstants:
    """Draw the constants of `key` for events of `n_values` numbers."""
    n_words = (n_values + 1) // 2
    shake = hashlib.shake_256(_DOMAIN + n_values.to_bytes(4, "little") + key.encode())
    drawn = np.frombuffer(shake.digest(8 * (3 * n_words + 1)), dtype="<u8").astype(np.uint64)
    table = drawn[1:].reshape(3, n_words)
    odd = np.uint64(1)
    return HashConstants(
        offsets=table[0].copy(), first=table[1] | odd, second=table[2] | odd, seed=int(drawn[0])
    )


def event_hashes(
    events: Events, key: str, *, block_events: int | None = None
) -> NDArray[np.uint64]:
    """Hash each event's content under `key`.

    Parameters
    ----------
    events : float32 array, shape (n, ...), or SparseEvents
        Finite values; negative zeros must have been made positive. Sparse events have the hashes
        of the dense ones that they stand for.
    key : str
        The split's key.
    block_events : int, optional
        Events hashed at a time; has no influence on the hashes.

    Returns
    -------
    ndarray of uint64, shape (n,)

    Examples
    --------
    >>> event_hashes(np.zeros((2, 19, 3), np.float32), "key").tolist()
    [440195816987974415, 440195816987974415]
    """
    if events.dtype != np.float32:
        raise TypeError(f"events are {events.dtype}, expected float32")
    n_events = len(events)
    n_values = int(np.prod(events.shape[1:]))
    constants = hash_constants(key, n_values)
    if isinstance(events, SparseEvents):
        return _hash_sparse(events, constants)
    hashes = np.empty(n_events, np.uint64)
    used = events.reshape(n_events, n_values)
    if n_values > _MANY_VALUES and n_events:
        used = used[:, : max(1, used_values(used))]
    step = block_events or events_within(_BLOCK_BYTES, used.shape[1:])
    for start in range(0, n_events, step):
        block = np.asarray(used[start : start + step])
        hashes[start : start + len(block)] = _hash_block(block, constants)
    return hashes


def is_in_part(hashes: NDArray[np.uint64], split: Split, part: Part) -> NDArray[np.bool_]:
    """Return which events belong to `part`.

    The hashes are cut at ``train`` and ``train + validation`` of their range, so a fraction of
    zero gives an empty part.
    """
    first, second = _boundaries(split)
    if part == "train":
        return _below(hashes, first)
    if part == "validation":
        return _below(hashes, second) & ~_below(hashes, first)
    return ~_below(hashes, second)


def _boundaries(split: Split) -> tuple[int, int]:
    # Decimal fractions as they are written: 0.5 + 0.1 must be 0.6 on every machine.
    train, validation = Fraction(repr(split.train)), Fraction(repr(split.validation))
    whole = 2**64
    second = whole if split.test == 0.0 else int((train + validation) * whole)
    return int(train * whole), second


def _below(hashes: NDArray[np.uint64], boundary: int) -> NDArray[np.bool_]:
    if boundary > _MASK:
        return np.ones(len(hashes), np.bool_)
    return hashes < np.uint64(boundary)


def _words(block: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Bring a block of events to 64-bit words, shape (n_words, n_events)."""
    n_values = block.shape[1]
    padded = np.zeros((len(block), n_values + n_values % 2), "<f4")
    padded[:, :n_values] = block
    return np.ascontiguousarray(padded.view("<u8").T, dtype=np.uint64)


def _hash_sparse(events: SparseEvents, constants: HashConstants) -> NDArray[np.uint64]:
    """Start from the sum of an event of zeros, and change it for each word that is none.

    Words that are zero are the same in every event, so that their part of the sum is as well.
    """
    n_words = len(constants.offsets)
    of_zero = _mixed_zeros(constants)
    empty = np.uint64((int(np.add.reduce(of_zero)) + constants.seed) & _MASK)
    totals = np.full(len(events), empty, np.uint64)
    for chunk in entry_chunks(events.bounds, _SPARSE_BLOCK):
        part = events.part(chunk.start, chunk.stop)
        entries = part.entries[part.bounds[0] : part.bounds[-1]]
        if not len(entries):
            continue
        index = entries["index"].astype(np.int64)
        event = np.repeat(np.arange(len(part)), part.counts)
        place = event * n_words + index // 2
        halves = np.ascontiguousarray(entries["value"]).view("<u4").astype(np.uint64)
        halves <<= (32 * (index % 2)).astype(np.uint64)
        first = np.flatnonzero(np.diff(place, prepend=-1))
        words = np.bitwise_or.reduceat(halves, first)
        where, event = index[first] // 2, event[first]
        changes = _mix_words(words, constants, where) - of_zero[where]
        begins = np.flatnonzero(np.diff(event, prepend=-1))
        totals[chunk.start + event[begins]] += np.add.reduceat(changes, begins)
    return mix64(totals)


def _mixed_zeros(constants: HashConstants) -> NDArray[np.uint64]:
    """Return what each word adds to the sum where it is zero."""
    return _mix_words(np.zeros_like(constants.offsets), constants, slice(None))


def _mix_words(
    words: NDArray[np.uint64], constants: HashConstants, where: slice | NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Mix each word in place by the constants of its position."""
    words += constants.offsets[where]
    for shift, multipliers in ((32, constants.first), (29, constants.second)):
        words ^= words >> np.uint64(shift)
        words *= multipliers[where]
    return words


def _hash_block(block: NDArray[np.float32], constants: HashConstants) -> NDArray[np.uint64]:
    """Hash a few events, of which all values behind those of `block` are zero."""
    words = _words(block)
    n_words = len(words)
    shifted = np.empty_like(words)
    words += constants.offsets[:n_words, None]
    for shift, multipliers in ((32, constants.first), (29, constants.second)):
        np.right_shift(words, np.uint64(shift), out=shifted)
        words ^= shifted
        words *= multipliers[:n_words, None]
    total = np.add.reduce(words, axis=0, dtype=np.uint64)
    others = int(np.add.reduce(_mixed_zeros(constants)[n_words:]))
    total += np.uint64((others + constants.seed) & _MASK)
    return mix64(total)


def chunks(n_events: int, chunk_events: int) -> Iterator[slice]:
    """Cut ``range(n_events)`` into slices of at most `chunk_events`."""
    for start in range(0, n_events, chunk_events):
        yield slice(start, min(start + chunk_events, n_events))


def entry_chunks(bounds: NDArray[np.int64], n_entries: int) -> Iterator[slice]:
    """Cut events into slices of at most `n_entries` entries or else of one event.

    Parameters
    ----------
    bounds : int64 array, shape (n_events + 1,)
        Where the entries of each event begin, and where those of the last one end.
    """
    start, n_events = 0, len(bounds) - 1
    while start < n_events:
        most = int(np.searchsorted(bounds, bounds[start] + n_entries, "right")) - 1
        stop = min(max(most, start + 1), start + _SPARSE_EVENTS, n_events)
        yield slice(start, stop)
        start = stop
