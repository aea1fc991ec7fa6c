"""Files that are kept of a network's firmware: packed, compressed, laid out for the participant."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import zstandard

from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.errors import UsageError
from harness.files import file_checksum, make_folder

# Names of the program and of hls4ml's project among the kept files.
PROGRAM = "program.json.zst"
HLS4ML_PROJECT = "hls4ml_project.tar.zst"


def keep(files: Mapping[str, Path], folder: Path) -> tuple[Path, ...]:
    """Copy files into a new folder under lasting names; compress those whose name ends in .zst."""
    folder.mkdir()
    return tuple(_keep_one(path, folder / name) for name, path in files.items())


def _keep_one(source: Path, target: Path) -> Path:
    if target.suffix == ".zst":
        return compress(source, target)
    return Path(shutil.copyfile(source, target))


def program_digest(card: ScoreCard) -> str | None:
    """Return the digest of the program that a card's scores were made by; None if there is none."""
    if isinstance(card.firmware, NotMeasured) or isinstance(card.firmware_physics, NotMeasured):
        return None
    named = {artefact.name: artefact.sha256 for artefact in card.firmware.artefacts}
    return f"sha256:{named[PROGRAM]}" if PROGRAM in named else None


def kept_program(card: ScoreCard, path: Path) -> Path | None:
    """Find the program beside the card at `path`, if it is the one that the card names."""
    program, digest = path.with_suffix("") / PROGRAM, program_digest(card)
    is_sound = digest is not None and program.is_file() and file_checksum(program) == digest
    return program if is_sound else None


def compress(source: Path, target: Path) -> Path:
    """Write a file compressed by zstandard, and return where."""
    with source.open("rb") as reader, target.open("wb") as writer:
        zstandard.ZstdCompressor(level=6).copy_stream(reader, writer)
    return target


def decompress(source: Path, target: Path) -> Path:
    """Write the content of a compressed file, and return where."""
    with source.open("rb") as reader, target.open("wb") as writer:
        zstandard.ZstdDecompressor().copy_stream(reader, writer)
    return target


def pack(target: Path, entries: Iterable[tuple[Path, str]]) -> None:
    """Write a tar of files and folders, each under its name; the same files give the same bytes."""
    with tarfile.open(target, "w") as archive:
        for path, name in entries:
            archive.add(path, arcname=name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove owner and time."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def unpack(source: Path, folder: Path) -> None:
    """Unpack a tar into a folder; refuse links and paths that lead out of it."""
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")


def export_project(artefacts: Iterable[Path], folder: Path) -> None:
    """Lay the firmware project out for its participant: Verilog, C++ project, reports, waveform.

    Raises
    ------
    UsageError
        The folder is not empty.
    EnvironmentFaultError
        It cannot be written.
    """
    make_folder(folder)
    if any(folder.iterdir()):
        raise UsageError("the build folder is not empty", where=str(folder))
    for path in artefacts:
        if path.suffix != ".zst":
            shutil.copyfile(path, folder / path.name)
            continue
        plain = decompress(path, folder / path.stem)
        if plain.suffix == ".tar":
            unpack(plain, folder)
            plain.unlink()
