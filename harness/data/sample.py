"""The embedded sample: a compact, lossless encoding of events kept at trigger-like precision.

Events in GeV and radians are first brought to integers (`quantise`): pT in quarters of a GeV,
angles in 1/128; constituents of jets to eighths of a GeV and 1/256. The steps are powers of two, so
every value is exact in float32 and in fixed point with as many fractional bits. Events of a layout
with units are hardware integers already. What is then encoded is decoded bit for bit.

The file holds, for each process, chunks of events; a chunk holds byte streams, each compressed by
zstd: for each kind of object the number of objects per event, and for each slot and feature the
values of the events that fill the slot, in two byte planes and one plane of packed low bits. pT is
stored as the (never negative) difference to the slot before. Empty slots cost nothing. Constituents
are encoded by `harness.data.sample_constituents`, images by `harness.data.sample_images`, which the
header states. What the challenge knows beside the events follows them, see
`harness.data.sample_columns`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from pydantic import Field

from harness.challenge import EventLayout, ObjectGroup, Value
from harness.data.sample_coding import (
    COMPRESSION_LEVEL,
    Steps,
    StreamReader,
    check_group,
    coding_of,
    dequantise,
    join_values,
    split_values,
)
from harness.data.sample_columns import (
    ReadBeside,
    SampleBeside,
    SampleColumn,
    read_columns,
    write_columns,
)
from harness.data.sample_constituents import constituent_streams, read_constituents
from harness.data.sample_images import ImageCoding, decode_images, encode_images
from harness.errors import DataError
from harness.submission.events import Events, SparseEvents

MAGIC = b"harness-sample-1"
_MAX_HEADER_BYTES = 16 * 1024**2

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
    pt_steps_per_gev: Literal[4, 8, 1] = 4
    angle_steps_per_unit: Literal[128, 256, 1] = 128
    processes: tuple[SampleMember, ...]
    images: ImageCoding | None = Field(default=None, exclude_if=lambda images: images is None)

    def holds(self, layout: EventLayout) -> bool:
        """Whether the events are of `layout`."""
        if self.images is not None:
            return self.images.fits(layout)
        return layout.kind != "image" and self.layout == layout.objects


def encode_chunk(steps: Steps, layout: EventLayout) -> bytes:
    """Encode one chunk of events.

    Raises
    ------
    ValueError
        A slot is filled after an empty one, pT does not fall within a group, or an empty slot
        holds an angle.
    """
    coding = coding_of(layout)
    if coding.is_relative:
        return _packed(constituent_streams(steps, coding))
    return _packed(_streams(steps, layout))


def _packed(streams: Iterator[bytes]) -> bytes:
    """Compress streams, each with its length before it."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
    packed = [compressor.compress(stream) if stream else b"" for stream in streams]
    return b"".join(struct.pack("<I", len(stream)) + stream for stream in packed)


def decode_chunk(blob: bytes, n_events: int, layout: EventLayout) -> Steps:
    """Decode a chunk of `n_events` events that `encode_chunk` made."""
    reader, coding = StreamReader(blob), coding_of(layout)
    steps = np.zeros((n_events, *layout.shape), np.int16)
    if coding.is_relative:
        return read_constituents(reader, steps, coding)
    row = 0
    for group in layout.objects:
        counts = np.frombuffer(reader.take(n_events), np.uint8)
        for slot in range(group.n_slots):
            filled = np.flatnonzero(counts > slot)
            pt = join_values(reader, len(filled), 0)
            steps[filled, row, 0] = pt if slot == 0 else steps[filled, row - 1, 0] - pt
            for feature in range(1, len(layout.features)):
                angle = join_values(reader, len(filled), coding.n_low_bits)
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
                    events = decode_images(StreamReader(blob).take, chunk.n_events, images)
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


def _streams(steps: Steps, layout: EventLayout) -> Iterator[bytes]:
    row, coding = 0, coding_of(layout)
    for group in layout.objects:
        rows = steps[:, row : row + group.n_slots]
        counts = (rows[..., 0] > 0).sum(axis=1)
        check_group(rows, counts, group.name)
        yield counts.astype(np.uint8).tobytes()
        for slot in range(group.n_slots):
            filled = counts > slot
            pt = rows[filled, slot, 0].astype(np.int32)
            yield from split_values(pt if slot == 0 else rows[filled, slot - 1, 0] - pt, 0)
            for feature in range(1, len(layout.features)):
                angle = rows[filled, slot, feature].astype(np.int32) + coding.offset
                yield from split_values(angle, coding.n_low_bits)
        row += group.n_slots


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
