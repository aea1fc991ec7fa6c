"""The entry that runs as a trigger: its card, the program of its firmware, its working points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.card.figures import NotMeasured
from harness.card.files import newest_card, read_card
from harness.card.physics import WorkingPoint
from harness.card.records import ScoreCard
from harness.challenge import Challenge, fpr_text
from harness.data.manifest import Manifest
from harness.errors import IntegrityError, UsageError
from harness.files import file_checksum
from harness.firmware.artefacts import PROGRAM, compress, kept_program, program_digest


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerEntry:
    """An entry with exact scores.

    Attributes
    ----------
    program : Path
        Compressed; its digest is that of the card.
    points : tuple of WorkingPoint
        Of the firmware's scores, by rising false positive rate.
    """

    card: ScoreCard
    challenge: Challenge
    program: Path
    points: tuple[WorkingPoint, ...]


def find_entry(
    named: str,
    manifest: Manifest,
    *,
    results: Path,
    challenge: str | None,
    program: Path | None,
    scratch: Path,
) -> TriggerEntry:
    """Find the card that is named, and the program of its firmware.

    Parameters
    ----------
    named : str
        A card, or a submission (its folder or its team) with a card in `results`.
    program : Path, optional
        The program, where it does not lie beside the card: compressed, or as `harness synth
        --export` lays it out.

    Raises
    ------
    UsageError
        There is no such card, or it has no firmware scores, or its program is not here.
    IntegrityError
        The program is another than the card's.
    """
    path = _find_card(named, results, challenge or manifest.default_name)
    card = read_card(path)
    rules = manifest.challenge(card.challenge.name)
    if isinstance(card.firmware_physics, NotMeasured):
        raise UsageError(
            f"the card has no scores of a firmware: {card.firmware_physics.not_measured}",
            where=str(path),
            expected="a card of an entry whose firmware was scored",
            fix="score the entry with its firmware: harness score FOLDER",
        )
    found = kept_program(card, path) if program is None else _checked(program, card, scratch)
    if found is None:
        raise UsageError(
            f"{PROGRAM} of the card is not here: cards are committed without it",
            where=str(path.with_suffix("")),
            fix=f"harness synth submissions/{card.submission.team} --quick --export build, then "
            "--program build/program.json",
        )
    points = [one for one in card.firmware_physics.working_points if isinstance(one, WorkingPoint)]
    return TriggerEntry(
        card=card,
        challenge=rules,
        program=found,
        points=tuple(sorted(points, key=lambda point: point.fpr)),
    )


def _find_card(named: str, results: Path, challenge: str) -> Path:
    path = Path(named)
    if path.is_file():
        return path
    folder = results / challenge / path.name
    found = newest_card(folder)
    if found is None:
        raise UsageError(
            f"{named!r} is no card, and has none",
            where=str(folder),
            expected="a card, or a submission with a card",
            fix=f"harness score submissions/{path.name}, or --challenge of its card",
        )
    return found


def _checked(program: Path, card: ScoreCard, scratch: Path) -> Path:
    """Return a program that was named, compressed, if it is the card's."""
    if not program.is_file():
        raise UsageError("there is no such file", where=str(program))
    is_plain = program.suffix == ".json"
    packed = compress(program, scratch / PROGRAM) if is_plain else program
    digest, expected = file_checksum(packed), program_digest(card)
    if digest != expected:
        raise IntegrityError(
            f"the program's digest is {digest}",
            where=str(program),
            expected=f"{expected}, as the card says",
            fix="name the card of this program, or make the program of the card's submission",
        )
    return packed


def point_at(entry: TriggerEntry, fpr: float) -> WorkingPoint:
    """Return the working point of a false positive rate.

    Raises
    ------
    UsageError
        The card has none at this rate.
    """
    for point in entry.points:
        if point.fpr == fpr:
            return point
    raise UsageError(
        f"the card has no working point at {fpr_text(fpr)}",
        expected=f"one of {_listed(entry.points)}",
        fix="choose one of them, or give --threshold",
    )


def _listed(points: Sequence[WorkingPoint]) -> str:
    return ", ".join(fpr_text(point.fpr) for point in points)
