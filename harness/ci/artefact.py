"""What the run of a pull request leaves for the comment, read as if an attacker had written it.

The archive is never unpacked to a disk. Its size and the number, names and sizes of its members are
limited, whatever its own tables claim; every document must fit its schema.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from harness.card.files import MAX_CARD_BYTES, parse_card
from harness.card.records import ScoreCard
from harness.challenge import NAME_PATTERN
from harness.ci.documents import Summary
from harness.errors import DataError
from harness.files import MAX_DOCUMENT_BYTES, parse_json, read_bounded

SUMMARY_NAME = "summary.json"
CARDS_FOLDER = "cards"
MAX_ARCHIVE_BYTES = 64 * 1024**2
MAX_MEMBERS = 128
# As a forge packs artefacts.
_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_CARD_NAME = re.compile(
    rf"{CARDS_FOLDER}/(?P<key>(?P<team>{NAME_PATTERN})(@{NAME_PATTERN})?)\.json\Z"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunArtefact:
    """What a run left.

    Attributes
    ----------
    cards : mapping of str to ScoreCard
        Cards that can be read, by `Summary.key_of`.
    unread : mapping of str to str
        Why a card that there should be cannot be shown.
    remarks : tuple of str
        What else was left out, and why.
    """

    summary: Summary
    cards: dict[str, ScoreCard]
    unread: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_folder(folder: Path) -> RunArtefact:
    """Read what `harness ci score` wrote, on the machine that wrote it.

    Raises
    ------
    DataError
        The summary cannot be read.
    """
    members = {SUMMARY_NAME: read_bounded(folder / SUMMARY_NAME)}
    unread: dict[str, str] = {}
    for path in sorted((folder / CARDS_FOLDER).glob("*.json")):
        try:
            name = path.relative_to(folder).as_posix()
            members[name] = read_bounded(path, MAX_CARD_BYTES, may_be_link=False)
        except DataError as error:
            unread[path.stem] = error.problems[0].what
    return _artefact(members, unread, [])


def read_archive(content: bytes) -> RunArtefact:
    """Read the archive that a run uploaded.

    Raises
    ------
    DataError
        It is no such archive; the comment then says so and shows nothing of it.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise DataError(f"the artefact is larger than {MAX_ARCHIVE_BYTES:,} bytes")
    members: dict[str, bytes] = {}
    remarks: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            if len(listed) > MAX_MEMBERS:
                raise DataError(f"the artefact holds {len(listed):,} files")
            for member in listed:
                _read_member(archive, member, members, remarks)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise DataError(f"the artefact is no archive that can be read: {error}"[:300]) from error
    except NotImplementedError as error:
        raise DataError("the artefact is packed in an unknown way") from error
    return _artefact(members, {}, remarks)


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, members: dict[str, bytes], remarks: list[str]
) -> None:
    name = member.filename
    if name.endswith("/"):
        return
    is_summary = name == SUMMARY_NAME
    if not is_summary and not _CARD_NAME.match(name):
        remarks.append(f"a file of the artefact was not read: {name[:80]!r}")
        return
    if name in members:
        raise DataError("the artefact holds a file twice", where=name[:80])
    if member.compress_type not in _PACKINGS:
        # Others may ask for gigabytes before the first byte comes out.
        raise DataError("the artefact is packed in an unknown way")
    limit = MAX_DOCUMENT_BYTES if is_summary else MAX_CARD_BYTES
    with archive.open(member) as file:
        # The size that the archive claims is not used.
        members[name] = file.read(limit + 1)


def _artefact(members: dict[str, bytes], unread: dict[str, str], remarks: list[str]) -> RunArtefact:
    if SUMMARY_NAME not in members:
        raise DataError(f"the artefact holds no {SUMMARY_NAME}")
    summary = parse_json(members.pop(SUMMARY_NAME), Summary, source=SUMMARY_NAME)
    cards: dict[str, ScoreCard] = {}
    expected = {(one.team, one.challenge) for one in summary.scorings}
    for name, content in members.items():
        if (match := _CARD_NAME.match(name)) is None:
            continue
        try:
            cards[match["key"]] = _card(
                content, match["team"], {(match["team"], summary.challenge), *expected}
            )
        except DataError as error:
            unread[match["key"]] = error.problems[0].what
    for one in summary.scorings:
        if one.card is not None and summary.key_of(one) not in cards:
            unread.setdefault(summary.key_of(one), "is not among what the run left")
    return RunArtefact(summary=summary, cards=cards, unread=unread, remarks=tuple(remarks))


def _card(content: bytes, team: str, expected: Collection[tuple[str, str]]) -> ScoreCard:
    card = parse_card(content, source=team)
    found = card.submission.team, card.challenge.name
    if found[0] != team or found not in expected:
        raise DataError("is not what its name says: it is of another team or challenge")
    return card


def only_teams(artefact: RunArtefact, teams: Collection[str]) -> RunArtefact:
    """Leave out what an artefact says of teams that its pull request does not change.

    Parameters
    ----------
    artefact : RunArtefact
        As a run left it.
    teams : collection of str
        Teams whose folders the pull request changes, as the forge says.
    """
    summary = artefact.summary
    strangers = {one.team for one in summary.scorings}
    strangers |= {_team_of(key) for key in (*artefact.cards, *artefact.unread)}
    if summary.plan is not None:
        strangers |= {one.team for one in summary.plan.submissions}
        strangers |= {one.renamed_from for one in summary.plan.submissions if one.renamed_from}
    strangers -= set(teams)
    if not strangers:
        return artefact
    plan = summary.plan
    if plan is not None:
        kept = tuple(
            one
            if one.renamed_from in {None, *teams}
            else one.model_copy(update={"renamed_from": None})
            for one in plan.submissions
            if one.team in teams
        )
        plan = plan.model_copy(update={"submissions": kept})
    remark = (
        f"The run reported on {len(strangers)} submissions that this pull request does not change: "
        "they were left out."
    )
    return RunArtefact(
        summary=summary.model_copy(
            update={
                "plan": plan,
                "scorings": tuple(one for one in summary.scorings if one.team in teams),
            }
        ),
        cards={key: card for key, card in artefact.cards.items() if _team_of(key) in teams},
        unread={key: why for key, why in artefact.unread.items() if _team_of(key) in teams},
        remarks=(*artefact.remarks, remark),
    )


def _team_of(key: str) -> str:
    return key.partition("@")[0]
