"""Score cards as files: written whole or not at all, read with a reason where they cannot be.

A card is kept at ``results/<challenge>/<team>/<UTC>-<short hash>.json``. The raw scores are beside
it under the same name with the ending ``.scores.zst``: all float scores, then all firmware scores
where there are any, each as little-endian float64 in the order of the card's files, compressed
by zstd. They are what `harness rescore` starts from and are not committed. Files made on the way,
such as the firmware's Verilog, are in a folder of the card's name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.card.figures import NotMeasured
from harness.card.hardware import Artefact
from harness.card.records import ScoreCard
from harness.challenge import Utc, instant, utc
from harness.errors import DataError, EnvironmentFaultError
from harness.files import (
    disk_fault,
    file_checksum,
    open_regular,
    parse_json,
    read_json,
    read_up_to,
    remove,
    remove_parts,
    replacing_folder,
    write_json,
    write_whole,
)

CARD_SUFFIX = ".json"
SCORES_SUFFIX = ".scores.zst"
# What is kept beside a card: its scores, its folder of artefacts.
_MADE = re.compile(rf"(?P<stem>\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}})({re.escape(SCORES_SUFFIX)})?\Z")
# A card of one challenge with four signals takes about 60 kB; one hundred signals fit.
MAX_CARD_BYTES = 4 * 1024**2
# Scores of a card: 2^28 of them are 2 GiB, thirty times as many as ADC2021 has.
MAX_SCORES = 2**28
# Largest part of what was unpacked that a scores file may refer to, bytes; level 3 uses 2 MiB.
_ZSTD_WINDOW = 8 * 1024**2
# Level 3 of zstd packs float64 scores at about 300 MB/s; higher ones gain a few per cent.
_ZSTD_LEVEL = 3
# Clocks of machines that work together may differ by this.
CLOCK_TOLERANCE = timedelta(minutes=5)
CLOCK_WARNING = "a clock was wrong"
_EXPECTED = "a score card of a schema version that this harness knows"
_FIX = "make room or make the folder writable, or name another one with --results"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptScores:
    """Scores of every event of a card.

    Attributes
    ----------
    float_scores, firmware_scores : mapping of process to float64 array of shape (n,)
        Higher = more anomalous, in the order of the challenge's cache; the second is empty where
        no firmware was scored.
    """

    float_scores: Mapping[str, NDArray[np.float64]]
    firmware_scores: Mapping[str, NDArray[np.float64]]


def pack_scores(kept: KeptScores) -> bytes:
    """Compress `kept` to the bytes of a scores file."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    blocks = [*kept.float_scores.values(), *kept.firmware_scores.values()]
    parts = [compressor.compress(np.ascontiguousarray(block, "<f8").tobytes()) for block in blocks]
    return b"".join([*parts, compressor.flush()])


def unpack_scores(packed: bytes, card: ScoreCard) -> KeptScores:
    """Read the scores that belong to `card` back.

    Raises
    ------
    DataError
        The file is broken or holds another number of scores than the card says.
    """
    import zstandard

    counts = {file.process: file.n_scored for file in card.challenge.files}
    has_firmware = not isinstance(card.firmware_physics, NotMeasured)
    n_expected = sum(counts.values()) * (2 if has_firmware else 1)
    if n_expected > MAX_SCORES:
        what = f"the card says that it has {n_expected:,} scores"
        raise DataError(what, expected=f"at most {MAX_SCORES:,}")
    try:
        # One more score than there may be is never unpacked, whatever the file holds.
        with zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
            packed
        ) as stream:
            raw = stream.read(8 * (n_expected + 1))
        values = np.frombuffer(raw, dtype="<f8")
    except (zstandard.ZstdError, ValueError) as error:
        raise DataError(f"the scores file is broken: {error}") from error
    if values.size != n_expected:
        raise DataError(
            f"the scores file holds {values.size:,} scores",
            expected=f"{n_expected:,}, as the card says",
        )
    blocks = np.split(values, np.cumsum(list(counts.values()) * (2 if has_firmware else 1))[:-1])
    return KeptScores(
        float_scores=dict(zip(counts, blocks[: len(counts)], strict=True)),
        firmware_scores=dict(zip(counts, blocks[len(counts) :], strict=True))
        if has_firmware
        else {},
    )


def describe_bytes(name: str, content: bytes) -> Artefact:
    """Name, digest and size of a file to be kept beside a card."""
    return Artefact(name=name, sha256=hashlib.sha256(content).hexdigest(), n_bytes=len(content))


def describe_file(path: Path) -> Artefact:
    """Name, digest and size of a file that is kept beside a card."""
    digest = file_checksum(path).removeprefix("sha256:")
    return Artefact(name=path.name, sha256=digest, n_bytes=path.stat().st_size)


def card_path(card: ScoreCard, results: Path) -> Path:
    """Return where `card` is kept below `results`; the short hash is of the card's own content."""
    short = hashlib.sha256(card.model_dump_json().encode()).hexdigest()[:8]
    stamp = card.created.replace("-", "").replace(":", "")
    folder = results / card.challenge.name / card.submission.team
    return folder / f"{stamp}-{short}{CARD_SUFFIX}"


def check_results(results: Path, n_bytes: int) -> None:
    """Find out before a long run whether its card can be written below `results`.

    Parameters
    ----------
    results : Path
        Need not exist yet; nothing is left there.
    n_bytes : int
        Size of what will be written beside the card.

    Raises
    ------
    EnvironmentFaultError
        The folder cannot be written, or its disk has no room.
    """
    folder = results.absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    needed = n_bytes + MAX_CARD_BYTES
    try:
        # A file without a name: it is gone with this process, whatever ends it.
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        raise disk_fault(results, error, fix=_FIX) from error
    if free < needed:
        raise EnvironmentFaultError(
            f"{free / 1e6:.1f} MB are free, too little for a score card",
            where=str(results),
            expected=f"{needed / 1e6:.1f} MB",
            fix="make room, or name another folder with --results",
        )


class _Written(BaseModel):
    """What of a card that is there says where a new one stands; the rest is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    created: Utc
    sequence: int | None = None


def number_card(
    card: ScoreCard,
    results: Path,
    *,
    tell: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> ScoreCard:
    """Give `card` its place behind all cards of its challenge below `results`.

    Where the clock says something else (the card is older than the newest one of its team, or of
    the future), the card gets a warning of it.

    Parameters
    ----------
    tell : callable
        Gets each warning, for the log.
    now : datetime, optional
        What the clock of this machine says.
    """
    folder = card_path(card, results).parent
    places = {path: _written(path) for path in folder.parent.glob(f"*/*{CARD_SUFFIX}")}
    numbers = [one.sequence or 0 for one in places.values() if one is not None]
    own = [instant(one.created) for path, one in places.items() if one and path.parent == folder]
    found = tuple(_clock_warnings(card.created_at, own, now or datetime.now(UTC)))
    for warning in found:
        tell(f"{card.submission.team}: {warning}")
    return card.model_copy(
        update={"sequence": 1 + max(numbers, default=0), "warnings": (*card.warnings, *found)}
    )


def _written(path: Path) -> _Written | None:
    """Read the place of a card; of one that cannot be read there is none."""
    try:
        return read_json(path, _Written, max_bytes=MAX_CARD_BYTES)
    except DataError:
        return None


def _clock_warnings(created: datetime, before: Sequence[datetime], now: datetime) -> Iterator[str]:
    newest = max(before, default=created)
    if newest > created + CLOCK_TOLERANCE:
        yield (
            f"{CLOCK_WARNING}: this card is dated {utc(created)}, before the team's card of "
            f"{utc(newest)}, which was there before it; the order in which they were written counts"
        )
    if created > now + CLOCK_TOLERANCE:
        yield f"{CLOCK_WARNING}: this card is dated {utc(created)}, in the future"


def write_card(
    card: ScoreCard, results: Path, *, scores: bytes | None = None, artefacts: Sequence[Path] = ()
) -> Path:
    """Write `card`, its packed `scores` and its `artefacts` beside it; return the card's path.

    All are written to temporary names and flushed to the disk; the card is moved to its place
    last, so a card that is there is whole and has its scores.

    Raises
    ------
    EnvironmentFaultError
        The folder cannot be written, or the disk is full; nothing is left behind.
    """
    target = card_path(card, results)
    beside = target.with_suffix("")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            _sweep(target.parent)
            try:
                if artefacts:
                    with replacing_folder(beside, fix=_FIX) as folder:
                        for file in artefacts:
                            shutil.copyfile(file, folder / file.name)
                if scores is not None:
                    write_whole(target.with_suffix(SCORES_SUFFIX), scores, fix=_FIX)
                write_json(target, card, fix=_FIX)
            except EnvironmentFaultError:
                remove(beside)
                remove(target.with_suffix(SCORES_SUFFIX))
                raise
    except OSError as error:
        raise disk_fault(target.parent, error, fix=_FIX) from error
    return target


def write_again(card: ScoreCard, path: Path, results: Path) -> Path:
    """Write `card`, made from the one at `path`, with the scores and artefacts of that one."""
    folder, scores = path.with_suffix(""), path.with_suffix(SCORES_SUFFIX)
    artefacts = sorted(folder.iterdir()) if folder.is_dir() else []
    packed = scores.read_bytes() if scores.exists() else None
    return write_card(card, results, scores=packed, artefacts=artefacts)


def read_card(path: str | os.PathLike[str]) -> ScoreCard:
    """Read a card.

    Raises
    ------
    DataError
        The file is missing, too large, not JSON, or not a card of a schema known here.
    """
    return read_json(Path(path), ScoreCard, max_bytes=MAX_CARD_BYTES, expected=_EXPECTED)


def parse_card(content: bytes, *, source: str) -> ScoreCard:
    """Read the bytes of a card, whoever wrote them.

    Raises
    ------
    DataError
        They are too many, not JSON, or not a card of a schema known here.
    """
    return parse_json(
        content, ScoreCard, source=source, max_bytes=MAX_CARD_BYTES, expected=_EXPECTED
    )


def newest_card(folder: Path, digest: str | None = None) -> Path | None:
    """Find the newest card in a team's folder, of all or of those made from exactly these files."""
    found: dict[Path, ScoreCard] = {}
    for path in folder.glob(f"*{CARD_SUFFIX}"):
        # What is no card is passed over.
        with suppress(DataError):
            card = read_card(path)
            if digest is None or card.submission.digest == digest:
                found[path] = card
    return max(found, key=lambda path: (found[path].order, path), default=None)


def read_scores(path: Path) -> KeptScores:
    """Read the scores kept beside the card at `path`, checked against the card's digest.

    Raises
    ------
    DataError
        The card kept no scores, or they are missing, broken or not those of the card.
    """
    card = read_card(path)
    scores_path = path.with_suffix(SCORES_SUFFIX)
    if isinstance(card.scores, NotMeasured):
        raise DataError(f"no scores were kept: {card.scores.not_measured}")
    try:
        with open_regular(scores_path) as stream:
            packed = read_up_to(stream, 8 * MAX_SCORES)
    except OSError as error:
        raise DataError(
            "the scores of this card are not here",
            where=str(scores_path),
            fix="score the submission again with `harness score`",
        ) from error
    found = describe_bytes(scores_path.name, packed)
    if found.sha256 != card.scores.sha256:
        raise DataError(
            f"sha256 is {found.sha256}",
            where=str(scores_path),
            expected=f"{card.scores.sha256}, as the card says",
            fix="score the submission again with `harness score`",
        )
    return unpack_scores(packed, card)


def sweep_results(results: Path) -> None:
    """Remove what killed runs left beside the cards; where a card is being written, nothing."""
    for folder in results.glob("*/*/"):
        with suppress(Timeout), FileLock(folder / ".lock", timeout=0):
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left; the caller holds the folder's lock, so no other run writes."""
    remove_parts(folder)
    for path in folder.iterdir():
        made = _MADE.match(path.name)
        is_orphan = made is not None and not (folder / f"{made['stem']}{CARD_SUFFIX}").exists()
        if is_orphan:
            remove(path)
