"""The embedded sample: a compact, lossless encoding of events kept at trigger-like precision.

Events in GeV and radians are first brought to integers (`quantise`): pT in quarters of a GeV,
angles in 1/128. Both steps are powers of two, so every value is exact in float32 and in fixed point
with 2 and 7 fractional bits. Events of a layout with units are hardware integers already. What is
then encoded is decoded bit for bit.

The file holds, for each process, chunks of events; a chunk holds byte streams, each compressed by
zstd: for each kind of object the number of objects per event, and for each slot and feature the
values of the events that fill the slot, in two byte planes and one plane of packed low bits. pT is
stored as the (never negative) difference to the slot before. Empty slots cost nothing. What the
challenge knows beside the events follows them, see `harness.data.sample_columns`. Images have a
coding of their own, which the header states: `harness.data.sample_images`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.challenge import EventLayout, ObjectGroup, Value
from harness.data.sample_columns import (
    ReadBeside,
    SampleBeside,
    SampleColumn,
    read_columns,
    write_columns,
)
from harness.data.sample_images import ImageCoding, decode_images, encode_images
from harness.errors import DataError
from harness.submission.events import Events, SparseEvents

MAGIC = b"harness-sample-1"
PT_STEPS_PER_GEV: Literal[4] = 4
ANGLE_STEPS_PER_UNIT: Literal[128] = 128
_MAX_HEADER_BYTES = 16 * 1024**2
_COMPRESSION_LEVEL = 19

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
    """

    pt_steps: int
    angle_steps: int
    offset: int
    n_low_bits: int


# |phi| <= pi and |eta| < 4 then leave the top byte empty.
IN_GEV = Coding(
    pt_steps=PT_STEPS_PER_GEV, angle_steps=ANGLE_STEPS_PER_UNIT, offset=512, n_low_bits=2
)
HARDWARE = Coding(pt_steps=1, angle_steps=1, offset=256, n_low_bits=0)


def coding_of(layout: EventLayout) -> Coding:
    """Return how a sample of events of `layout` is encoded."""
    return HARDWARE if layout.has_units else IN_GEV


# A chunk has 8,192 events of some 60 bytes.
_MAX_CHUNK_BYTES = 64 * 1024**2
_MAX_CHUNK_EVENTS = 2**18


class SampleChunk(Value):
    """Where one chunk is in the file, and how many events it holds."""

    offset: int = Field(ge=0, le=2**62)
    n_bytes: int = Field(ge=0, le=_MAX_CHUNK_BYTES)
    n_events: int = Field(ge=0, le=_MAX_CHUNK_EVENTS)


class SampleMember(Value):
    """The events of one process in the file.

    Attributes
    ----------
    checksum : str
        ``sha256:`` of the decoded float32 values (little endian, C order); of images, of the
        entries and bounds of each chunk.
    columns : tuple of SampleColumn
        What stands beside them.
    """

    process: str
    n_events: int = Field(ge=0)
    checksum: str
    chunks: tuple[SampleChunk, ...]
    columns: tuple[SampleColumn, ...] = Field(default=(), exclude_if=lambda columns: not columns)


class SampleHeader(Value):
    """Description of the file, at its end; the steps are 1 for hardware integers.

    Attributes
    ----------
    images : ImageCoding or None
        How images are encoded; None: the events are objects.
    """

    layout: tuple[ObjectGroup, ...]
    pt_steps_per_gev: Literal[4, 1] = PT_STEPS_PER_GEV
    angle_steps_per_unit: Literal[128, 1] = ANGLE_STEPS_PER_UNIT
    processes: tuple[SampleMember, ...]
    images: ImageCoding | None = Field(default=None, exclude_if=lambda images: images is None)

    def holds(self, layout: EventLayout) -> bool:
        """Whether the events are of `layout`."""
        if self.images is not None:
            return self.images.fits(layout)
        return layout.kind != "image" and self.layout == layout.objects


def quantise(events: NDArray[np.floating]) -> Steps:
    """Bring events to integer steps: pT in 1/4 GeV, angles in 1/128.

    Values are rounded to the nearest step, halves up, so that no step gets more than its share of
    values that lie on a finer binary grid. A present object keeps at least one step of pT; |phi|
    stays within 402/128 < pi; the order by falling pT is kept.

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
    scale = np.array([PT_STEPS_PER_GEV, ANGLE_STEPS_PER_UNIT, ANGLE_STEPS_PER_UNIT], np.float64)
    steps = np.floor(events.astype(np.float64) * scale + 0.5)
    is_present = events[..., 0] > 0
    steps[..., 0] = np.where(is_present, np.maximum(steps[..., 0], 1.0), 0.0)
    phi_limit = np.floor(np.pi * ANGLE_STEPS_PER_UNIT)
    steps[..., 2] = np.clip(steps[..., 2], -phi_limit, phi_limit)
    if not (np.abs(steps[..., 0]) < 2**15).all():
        raise ValueError("a pT of 8,192 GeV or more does not fit")
    if not (np.abs(steps[..., 1]) <= IN_GEV.offset).all():
        raise ValueError("an |eta| of more than 4 does not fit")
    return steps.astype(np.int16)


def dequantise(steps: Steps, coding: Coding = IN_GEV) -> NDArray[np.float32]:
    """Bring integer steps back to pT [GeV], eta, phi [rad], or keep them; exact in float32."""
    events = steps.astype(np.float32)
    events[..., 0] *= np.float32(1 / coding.pt_steps)
    events[..., 1:] *= np.float32(1 / coding.angle_steps)
    return events


def encode_chunk(steps: Steps, layout: EventLayout) -> bytes:
    """Encode one chunk of events.

    Raises
    ------
    ValueError
        A slot is filled after an empty one, pT does not fall within a group, or an empty slot
        holds an angle.
    """
    return _packed(_streams(steps, layout))


def _packed(streams: Iterator[bytes]) -> bytes:
    """Compress streams, each with its length before it."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    packed = [compressor.compress(stream) if stream else b"" for stream in streams]
    return b"".join(struct.pack("<I", len(stream)) + stream for stream in packed)


def decode_chunk(blob: bytes, n_events: int, layout: EventLayout) -> Steps:
    """Decode a chunk of `n_events` events that `encode_chunk` made."""
    reader, coding = _StreamReader(blob), coding_of(layout)
    steps = np.zeros((n_events, *layout.shape), np.int16)
    row = 0
    for group in layout.objects:
        counts = np.frombuffer(reader.take(n_events), np.uint8)
        for slot in range(group.n_slots):
            filled = np.flatnonzero(counts > slot)
            pt = _join(reader, len(filled), 0)
            steps[filled, row, 0] = pt if slot == 0 else steps[filled, row - 1, 0] - pt
            for feature in range(1, len(layout.features)):
                angle = _join(reader, len(filled), coding.n_low_bits)
                steps[filled, row, feature] = angle - coding.offset
            row += 1
    return steps


def write_sample(
    path: Path,
    layout: EventLayout,
    processes: Sequence[tuple[str, Iterator[Steps] | Iterator[SparseEvents]]],
    beside: Mapping[str, SampleBeside] | None = None,
    images: ImageCoding | None = None,
) -> tuple[SampleMember, ...]:
    """Write the sample file at `path` from the chunks of each process, and what is beside them.

    Parameters
    ----------
    processes : sequence of pairs
        Name and chunks: integer steps, or images in whole steps of the coding `images`.
    """
    members: list[SampleMember] = []
    coding = coding_of(layout)
    with path.open("wb") as stream:
        stream.write(MAGIC + struct.pack("<Q", 0))
        for process, chunks in processes:
            member = _write_member(stream, process, chunks, layout, images)
            if beside and process in beside:
                columns = write_columns(stream, beside[process])
                member = member.model_copy(update={"columns": columns})
            members.append(member)
        header_offset = stream.tell()
        header = SampleHeader.model_validate(
            {
                "layout": layout.objects,
                "pt_steps_per_gev": coding.pt_steps,
                "angle_steps_per_unit": coding.angle_steps,
                "processes": tuple(members),
                "images": images,
            }
        )
        stream.write(header.model_dump_json().encode())
        stream.seek(len(MAGIC))
        stream.write(struct.pack("<Q", header_offset))
    return tuple(members)


def read_members(path: Path, layout: EventLayout) -> tuple[SampleMember, ...]:
    """Read which processes the sample file holds, and where.

    Raises
    ------
    DataError
        It is no sample file, is truncated, or holds events of another layout.
    """
    try:
        with path.open("rb") as stream:
            header = _read_header(stream)
        if not header.holds(layout):
            raise ValueError("it holds events of another layout")
    except (OSError, ValueError, OverflowError) as error:
        raise _broken(path, error) from error
    return header.processes


def decode_member(path: Path, member: SampleMember, layout: EventLayout) -> Iterator[Events]:
    """Decode the events of one process, chunk by chunk; images without their zeros.

    Raises
    ------
    DataError
        The file is broken, or what it decodes to is not what its checksum says.
    """
    digest, coding = hashlib.sha256(), coding_of(layout)
    try:
        with path.open("rb") as stream:
            images = _read_header(stream).images
            for chunk in member.chunks:
                stream.seek(chunk.offset)
                blob = stream.read(chunk.n_bytes)
                events: Events
                if images is not None:
                    events = decode_images(_StreamReader(blob).take, chunk.n_events, images)
                else:
                    events = dequantise(decode_chunk(blob, chunk.n_events, layout), coding)
                _add_to(digest, events)
                yield events
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise _broken(path, error) from error
    if f"sha256:{digest.hexdigest()}" != member.checksum:
        raise _broken(path, ValueError(f"checksum of {member.process} does not match"))


def read_beside(path: Path, member: SampleMember) -> ReadBeside:
    """Read what stands beside the events of one process.

    Raises
    ------
    DataError
        The file is broken.
    """
    try:
        return read_columns(path, member.columns, member.n_events)
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error


class _StreamReader:
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


def _streams(steps: Steps, layout: EventLayout) -> Iterator[bytes]:
    row, coding = 0, coding_of(layout)
    for group in layout.objects:
        rows = steps[:, row : row + group.n_slots]
        counts = (rows[..., 0] > 0).sum(axis=1)
        _check_group(rows, counts, group.name)
        yield counts.astype(np.uint8).tobytes()
        for slot in range(group.n_slots):
            filled = counts > slot
            pt = rows[filled, slot, 0].astype(np.int32)
            yield from _split(pt if slot == 0 else rows[filled, slot - 1, 0] - pt, 0)
            for feature in range(1, len(layout.features)):
                angle = rows[filled, slot, feature].astype(np.int32) + coding.offset
                yield from _split(angle, coding.n_low_bits)
        row += group.n_slots


def _check_group(rows: Steps, counts: NDArray[np.int64], name: str) -> None:
    is_filled = np.arange(rows.shape[1]) < counts[:, None]
    if ((rows[..., 0] > 0) != is_filled).any():
        raise ValueError(f"a slot of {name} is filled after an empty one")
    if rows[~is_filled].any():
        raise ValueError(f"an empty slot of {name} holds a value")
    if (np.diff(rows[..., 0], axis=1) > 0).any():
        raise ValueError(f"pT does not fall within {name}")


def _split(values: NDArray[np.int32], n_low_bits: int) -> Iterator[bytes]:
    """Cut values into a top byte, a middle byte, and packed low bits, which are noise."""
    yield (values >> (8 + n_low_bits)).astype(np.uint8).tobytes()
    yield ((values >> n_low_bits) & 255).astype(np.uint8).tobytes()
    if n_low_bits:
        low = (values & (2**n_low_bits - 1)).astype(np.uint8)
        yield np.packbits(np.unpackbits(low[:, None], axis=1)[:, 8 - n_low_bits :]).tobytes()


def _join(reader: _StreamReader, n_values: int, n_low_bits: int) -> Steps:
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


def _write_member(
    stream: BinaryIO,
    process: str,
    chunks: Iterator[Steps] | Iterator[SparseEvents],
    layout: EventLayout,
    images: ImageCoding | None,
) -> SampleMember:
    digest, coding = hashlib.sha256(), coding_of(layout)
    written: list[SampleChunk] = []
    for steps in chunks:
        if isinstance(steps, SparseEvents):
            if images is None:
                raise ValueError("images need a coding")
            blob, events = _packed(encode_images(steps, images)), cast("Events", steps)
        else:
            blob, events = encode_chunk(steps, layout), dequantise(steps, coding)
        written.append(SampleChunk(offset=stream.tell(), n_bytes=len(blob), n_events=len(steps)))
        stream.write(blob)
        _add_to(digest, events)
    return SampleMember(
        process=process,
        n_events=sum(chunk.n_events for chunk in written),
        checksum=f"sha256:{digest.hexdigest()}",
        chunks=tuple(written),
    )


def _add_to(digest: hashlib._Hash, events: Events) -> None:
    """Add decoded events to the checksum of a process."""
    if not isinstance(events, SparseEvents):
        digest.update(events.astype("<f4", copy=False).data)
        return
    digest.update(events.entries[events.bounds[0] : events.bounds[-1]].tobytes())
    digest.update((events.bounds - events.bounds[0]).astype("<i8").tobytes())


def _read_header(stream: BinaryIO) -> SampleHeader:
    head = stream.read(len(MAGIC) + 8)
    if len(head) != len(MAGIC) + 8 or not head.startswith(MAGIC):
        raise ValueError("it does not begin like a sample file")
    (offset,) = struct.unpack_from("<Q", head, len(MAGIC))
    stream.seek(offset)
    return SampleHeader.model_validate_json(stream.read(_MAX_HEADER_BYTES))


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the sample file is broken: {error}",
        where=str(path),
        fix="restore it from the repository (`git checkout` on the file)",
    )
