"""How the numbers of an embedded sample become integers, and these integers bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.challenge import EventLayout

COMPRESSION_LEVEL = 19

Steps = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """How the integers of events are cut into bytes, and what they stand for.

    Attributes
    ----------
    pt_steps, angle_steps : int
        Integers for 1 in pT and in the other features.
    offset : int
        Added to the other features, so that they are not negative.
    n_low_bits : int
        Their lowest bits that are packed apart, because they are noise.
    is_relative : bool
        Rows of one kind are many and lie close to the first: `harness.data.sample_constituents`.
    """

    pt_steps: int
    angle_steps: int
    offset: int
    n_low_bits: int
    is_relative: bool = False


# |phi| <= pi and |eta| < 4 then leave the top byte empty.
IN_GEV = Coding(pt_steps=4, angle_steps=128, offset=512, n_low_bits=2)
# Constituents of jets: |eta| < 4; pT below 4,096 GeV fits.
CONSTITUENTS = Coding(pt_steps=8, angle_steps=256, offset=1024, n_low_bits=2, is_relative=True)
HARDWARE = Coding(pt_steps=1, angle_steps=1, offset=256, n_low_bits=0)


def coding_of(layout: EventLayout) -> Coding:
    """Return how a sample of events of `layout` is encoded."""
    if layout.has_units:
        return HARDWARE
    return CONSTITUENTS if layout.kind == "constituents" else IN_GEV


def quantise(events: NDArray[np.floating], coding: Coding = IN_GEV) -> Steps:
    """Bring events to integer steps: pT in 1/4 GeV, angles in 1/128, or as `coding` says.

    Values are rounded to the nearest step, halves up, so that no step gets more than its share of
    values that lie on a finer binary grid. A present object keeps at least one step of pT; |phi|
    stays below pi; the order by falling pT is kept.

    Parameters
    ----------
    events : ndarray, shape (n, n_objects, 3)
        pT [GeV], eta, phi [rad].

    Returns
    -------
    ndarray of int16, shape (n, n_objects, 3)

    Raises
    ------
    ValueError
        A value does not fit.

    Examples
    --------
    >>> events = np.array([[[30.125, -1.0, 3.1415], [0.01, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    >>> quantise(events)[0].tolist()
    [[121, -128, 402], [1, 0, 0], [0, 0, 0]]
    """
    scale = np.array([coding.pt_steps, coding.angle_steps, coding.angle_steps], np.float64)
    steps = np.floor(events.astype(np.float64) * scale + 0.5)
    is_present = events[..., 0] > 0
    steps[..., 0] = np.where(is_present, np.maximum(steps[..., 0], 1.0), 0.0)
    phi_limit = np.floor(np.pi * coding.angle_steps)
    steps[..., 2] = np.clip(steps[..., 2], -phi_limit, phi_limit)
    if not (np.abs(steps[..., 0]) < 2**15).all():
        raise ValueError(f"a pT of {2**15 // coding.pt_steps:,} GeV or more does not fit")
    if not (np.abs(steps[..., 1]) <= coding.offset).all():
        raise ValueError("an |eta| of more than 4 does not fit")
    return steps.astype(np.int16)


def dequantise(steps: Steps, coding: Coding = IN_GEV) -> NDArray[np.float32]:
    """Bring integer steps back to pT [GeV], eta, phi [rad], or keep them; exact in float32."""
    events = steps.astype(np.float32)
    events[..., 0] *= np.float32(1 / coding.pt_steps)
    events[..., 1:] *= np.float32(1 / coding.angle_steps)
    return events


class StreamReader:
    """Takes the streams of a chunk in the order in which they were written."""

    def __init__(self, blob: bytes) -> None:
        import zstandard

        self._blob = memoryview(blob)
        self._decompressor = zstandard.ZstdDecompressor()
        self._position = 0

    def take(self, n_bytes: int) -> bytes:
        """Take the next stream, which must hold `n_bytes`."""
        from zstandard import ZstdError

        start = self._position + 4
        if start > len(self._blob):
            raise ValueError("a chunk ends too early")
        (length,) = struct.unpack_from("<I", self._blob, self._position)
        self._position = start + length
        if n_bytes == 0 and length == 0:
            return b""
        blob = self._blob[start : self._position]
        try:
            data = self._decompressor.decompress(blob, max_output_size=n_bytes)
        except ZstdError as error:
            raise ValueError(str(error)) from error
        if len(data) != n_bytes:
            raise ValueError(f"a stream holds {len(data)} bytes, expected {n_bytes}")
        return data


def split_values(values: NDArray[np.int32], n_low_bits: int) -> Iterator[bytes]:
    """Cut values into a top byte, a middle byte, and packed low bits, which are noise."""
    yield (values >> (8 + n_low_bits)).astype(np.uint8).tobytes()
    yield ((values >> n_low_bits) & 255).astype(np.uint8).tobytes()
    if n_low_bits:
        low = (values & (2**n_low_bits - 1)).astype(np.uint8)
        yield np.packbits(np.unpackbits(low[:, None], axis=1)[:, 8 - n_low_bits :]).tobytes()


def join_values(reader: StreamReader, n_values: int, n_low_bits: int) -> Steps:
    """Put the values together that `split_values` cut; halves of 16 bits, signed."""
    high = np.frombuffer(reader.take(n_values), np.uint8).astype(np.int16)
    middle = np.frombuffer(reader.take(n_values), np.uint8)
    values = (high << 8) | middle
    if not n_low_bits:
        return values
    packed = np.frombuffer(reader.take((n_values * n_low_bits + 7) // 8), np.uint8)
    bits = np.unpackbits(packed, count=n_values * n_low_bits).reshape(n_values, n_low_bits)
    for bit in range(n_low_bits):
        values = (values << 1) | bits[:, bit]
    return values


def check_group(rows: Steps, counts: NDArray[np.int64], name: str) -> None:
    """Refuse rows that are not what the streams can hold."""
    is_filled = np.arange(rows.shape[1]) < counts[:, None]
    if ((rows[..., 0] > 0) != is_filled).any():
        raise ValueError(f"a slot of {name} is filled after an empty one")
    if rows[~is_filled].any():
        raise ValueError(f"an empty slot of {name} holds a value")
    if (np.diff(rows[..., 0], axis=1) > 0).any():
        raise ValueError(f"pT does not fall within {name}")
