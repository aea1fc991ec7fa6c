"""How an embedded sample holds images: for each channel its cells, where they are and how full.

Pixels are whole steps of energy, a power of two of a GeV, so that every value is exact in float32
and in fixed point. A cell is one pixel, or a block of equal pixels where a part of the detector is
coarser than the image; cells at the border may be cut by it. A chunk holds for each channel three
byte streams of several planes, each compressed by zstd: the cells of each event, the distance of
each cell from the one before it, and its steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.challenge import EventLayout, Name, Value
from harness.submission.events import ENTRY, SparseEvents

Steps = NDArray[np.int64]
# Bytes of each number: a cell's place in an image of at most 2**24 values, its steps.
_PLACE_BYTES, _STEP_BYTES, _COUNT_BYTES = 3, 3, 3
_MAX_STEPS = 2 ** (8 * _STEP_BYTES) - 1


class ChannelCoding(Value):
    """How one channel is encoded.

    Attributes
    ----------
    steps_per_gev : int
        A power of two.
    cell : pair of int
        Rows and columns of a cell.
    first : pair of int
        Row and column, at most 0, at which the first cell begins.
    """

    name: Name
    steps_per_gev: int = Field(ge=1, le=2**16)
    cell: tuple[int, int] = (1, 1)
    first: tuple[int, int] = (0, 0)


class ImageCoding(Value):
    """How the images of a sample are encoded.

    Attributes
    ----------
    shape : tuple of int
        Height, width and number of channels of an image.
    """

    shape: tuple[int, int, int]
    channels: tuple[ChannelCoding, ...]

    def fits(self, layout: EventLayout) -> bool:
        """Whether it encodes events of `layout`."""
        names = tuple(channel.name for channel in self.channels)
        return layout.kind == "image" and self.shape == layout.shape and names == layout.features


def quantise_images(images: SparseEvents, coding: ImageCoding) -> SparseEvents:
    """Bring images to whole steps: every pixel to the nearest one, at least to one.

    Raises
    ------
    ValueError
        A pixel is negative, or too large.
    """
    steps = np.array([channel.steps_per_gev for channel in coding.channels], np.float64)
    entries = images.entries[images.bounds[0] : images.bounds[-1]].copy()
    scale = steps[entries["index"] % len(steps)]
    whole = np.maximum(np.floor(entries["value"] * scale + 0.5), 1.0)
    if not ((entries["value"] > 0) & (whole <= _MAX_STEPS)).all():
        raise ValueError(f"a pixel is not above 0 and at most {_MAX_STEPS} steps")
    entries["value"] = whole / scale
    return SparseEvents(entries, images.bounds - images.bounds[0], images.event_shape)


def encode_images(images: SparseEvents, coding: ImageCoding) -> Iterator[bytes]:
    """Give the byte streams of images in whole steps; see `quantise_images`.

    Raises
    ------
    ValueError
        The pixels of a cell are not equal, or not in whole steps.
    """
    height, width, n_channels = coding.shape
    entries = images.entries[images.bounds[0] : images.bounds[-1]]
    event = np.repeat(np.arange(len(images)), images.counts)
    pixel, of_channel = np.divmod(entries["index"].astype(np.int64), n_channels)
    row, column = np.divmod(pixel, width)
    for number, channel in enumerate(coding.channels):
        is_here = of_channel == number
        exact = entries["value"][is_here].astype(np.float64) * channel.steps_per_gev
        steps = exact.astype(np.int64)
        if (steps != exact).any():
            raise ValueError(f"a pixel of {channel.name} is not in whole steps")
        cells = _Cells(channel, height, width)
        place = cells.place_of(row[is_here], column[is_here])
        code = event[is_here] * cells.n_cells + place
        found, first, of_cell, n_pixels = np.unique(
            code, return_index=True, return_inverse=True, return_counts=True
        )
        is_whole = n_pixels == cells.n_pixels(found % cells.n_cells)
        if (steps != steps[first][of_cell]).any() or not is_whole.all():
            raise ValueError(f"the pixels of a cell of {channel.name} are not equal")
        owner, place = np.divmod(found, cells.n_cells)
        counts = np.bincount(owner, minlength=len(images))
        yield from _planes(counts, _COUNT_BYTES)
        yield from _planes(_distances(place, counts), _PLACE_BYTES)
        yield from _planes(steps[first], _STEP_BYTES)


def decode_images(take: Callable[[int], bytes], n_events: int, coding: ImageCoding) -> SparseEvents:
    """Decode what `encode_images` made.

    Parameters
    ----------
    take : callable
        Gives the next stream, of a number of bytes.

    Raises
    ------
    ValueError, IndexError
        The streams are broken.
    """
    height, width, n_channels = coding.shape
    parts = []
    for number, channel in enumerate(coding.channels):
        counts = _joined(take, n_events, _COUNT_BYTES)
        cells = _Cells(channel, height, width)
        if counts.max(initial=0) > cells.n_cells:
            raise ValueError(f"an event has more cells of {channel.name} than there are")
        n_found = int(counts.sum())
        place = _places(_joined(take, n_found, _PLACE_BYTES), counts)
        if place.max(initial=0) >= cells.n_cells:
            raise ValueError(f"a cell of {channel.name} lies outside the image")
        value = _joined(take, n_found, _STEP_BYTES) / channel.steps_per_gev
        pixel, of_cell = cells.pixels_of(place)
        event = np.repeat(np.arange(n_events), counts)[of_cell]
        parts.append((event, pixel * n_channels + number, value[of_cell]))
    event, index, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((index, event))
    entries = np.empty(len(order), ENTRY)
    entries["index"], entries["value"] = index[order], value[order]
    bounds = np.searchsorted(event[order], np.arange(n_events + 1)).astype(np.int64)
    return SparseEvents(entries, bounds, coding.shape)


class _Cells:
    """The cells of one channel, numbered row by row."""

    def __init__(self, channel: ChannelCoding, height: int, width: int) -> None:
        self._cell, self._first = channel.cell, channel.first
        self._sizes = (height, width)
        self._n_columns = -(-(width - channel.first[1]) // channel.cell[1])
        self.n_cells = -(-(height - channel.first[0]) // channel.cell[0]) * self._n_columns

    def place_of(self, row: Steps, column: Steps) -> Steps:
        """Return the number of the cell that holds each pixel."""
        of_row = (row - self._first[0]) // self._cell[0]
        of_column = (column - self._first[1]) // self._cell[1]
        place: Steps = of_row * self._n_columns + of_column
        return place

    def n_pixels(self, place: Steps) -> Steps:
        """Count the pixels of cells that lie within the image."""
        rows, columns = (end - begin for begin, end in self._spans(place))
        count: Steps = rows * columns
        return count

    def pixels_of(self, place: Steps) -> tuple[Steps, Steps]:
        """Return the pixels of cells, and for each the position of its cell in `place`."""
        (top, bottom), (left, right) = self._spans(place)
        row, column = np.divmod(np.arange(math.prod(self._cell)), self._cell[1])
        is_there = (row < (bottom - top)[:, None]) & (column < (right - left)[:, None])
        pixel = (top[:, None] + row) * self._sizes[1] + left[:, None] + column
        return pixel[is_there], np.nonzero(is_there)[0]

    def _spans(self, place: Steps) -> list[tuple[Steps, Steps]]:
        spans = []
        for number, axis in zip(np.divmod(place, self._n_columns), (0, 1), strict=True):
            begin = number * self._cell[axis] + self._first[axis]
            end = np.minimum(begin + self._cell[axis], self._sizes[axis])
            spans.append((np.maximum(begin, 0), end))
        return spans


def _distances(place: Steps, counts: Steps) -> Steps:
    """Return the distance of each cell from the one before it; the first one's from 0."""
    distance = np.diff(place, prepend=0)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    distance[starts] = place[starts]
    return distance


def _places(distances: Steps, counts: Steps) -> Steps:
    """Undo `_distances`."""
    total = np.concatenate([[0], np.cumsum(distances)])
    starts = np.cumsum(counts) - counts
    places: Steps = total[1:] - np.repeat(total[starts], counts)
    return places


def _planes(values: Steps, n_bytes: int) -> Iterator[bytes]:
    """Cut values into bytes of equal rank, the highest first."""
    if values.size and int(values.max()) >= 2 ** (8 * n_bytes):
        raise ValueError("a number does not fit")
    for rank in reversed(range(n_bytes)):
        yield ((values >> (8 * rank)) & 255).astype(np.uint8).tobytes()


def _joined(take: Callable[[int], bytes], n_values: int, n_bytes: int) -> Steps:
    values = np.zeros(n_values, np.int64)
    for _ in range(n_bytes):
        values = (values << 8) | np.frombuffer(take(n_values), np.uint8)
    return values
