"""Cards compared with what they were made from: metrics computed again, digests compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.card import files as cards
from harness.card.figures import NotMeasured
from harness.card.hardware import ComparedScores
from harness.card.physics import Physics
from harness.card.records import SCORER_VERSION, ScoreCard
from harness.challenge import Challenge, Value, digest_of_key, utc
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.mix import beside_of
from harness.errors import DataError, HarnessError, Problem
from harness.metrics.evaluate import BACKGROUND
from harness.metrics.working_point import tie_warnings
from harness.scoring.evaluation import compare_arithmetics, evaluate_scores, merge_backgrounds
from harness.submission.digest import folder_digest, scan

Outcome = Literal["same", "different", "not checked"]
# Another processor or mathematical library gives sinh, log or a quantile of a distribution another
# last digit: the edges of a histogram were seen to differ by 1e-14 of themselves, all other figures
# not at all. One event more or less among ten million changes a rate by more than this.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing of a card that was compared with its source."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedFigure:
    """A figure that has changed; `field` is its place in the card."""

    field: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescored:
    """A card with metrics computed again from its kept scores, and what changed."""

    card: ScoreCard
    changes: tuple[ChangedFigure, ...]


def rescore_card(
    path: Path, *, manifests: Sequence[Path] = (), cache: Path | None = None
) -> Rescored:
    """Compute the metrics of the card at `path` again from its kept scores; nothing is run.

    Parameters
    ----------
    path : Path
        The card; its scores lie beside it.
    manifests : sequence of Path
        Manifests beside the shipped one.
    cache : Path, optional
        Where decoded events are kept: the events' hashes are needed, for the replicates.

    Raises
    ------
    DataError
        The scores are missing or not those of the card, or the data are others.
    """
    card = cards.read_card(path)
    kept = cards.read_scores(path)
    challenge = load_manifest(*manifests).challenge(card.challenge.name)
    store = open_store(challenge, cache)
    _refuse_other_data(card, challenge, store, path)
    hashes = _scored_hashes(card, store)
    beside = beside_of(store, {name: store.indices(name, "test") for name in hashes})
    float_physics = evaluate_scores(challenge, kept.float_scores, hashes, "float", beside)
    firmware_physics, compared = card.firmware_physics, card.compared
    if kept.firmware_scores:
        firmware_physics = evaluate_scores(
            challenge, kept.firmware_scores, hashes, "firmware", beside
        )
        compared = _compare_again(challenge, kept, compared)
    scored = card.challenge.model_copy(
        update={name: getattr(challenge, name) for name in _TAKEN_AGAIN}
    )
    changes = [
        *_changes("challenge", card.challenge, scored),
        *_changes("float_physics", card.float_physics, float_physics),
        *_changes("firmware_physics", card.firmware_physics, firmware_physics),
        *_changes("compared", card.compared, compared),
    ]
    rescored = card.model_copy(
        update={
            "scorer_version": SCORER_VERSION,
            # Times are to the second, and it comes after the card that it is made from.
            "created": utc(max(datetime.now(UTC), card.created_at + timedelta(seconds=1))),
            "submission": card.submission.model_copy(update={"received": utc(card.received_at)}),
            "challenge": scored,
            "float_physics": float_physics,
            "firmware_physics": firmware_physics,
            **_at_another_point(card, challenge, kept, firmware_physics, float_physics),
            "compared": compared,
        }
    )
    return Rescored(card=rescored, changes=tuple(changes))


# What of the challenge a card takes from the manifest when its figures are computed again.
_TAKEN_AGAIN = ("version", "seed", "working_point", "merit")


def _compare_again(
    challenge: Challenge, kept: cards.KeptScores, compared: ComparedScores | NotMeasured
) -> ComparedScores | NotMeasured:
    """Compare the kept scores of both arithmetics; a card that did not stays without."""
    if isinstance(compared, NotMeasured):
        return compared
    return compare_arithmetics(
        challenge, kept.float_scores, kept.firmware_scores, is_rounded=compared.is_rounded
    )


def _at_another_point(
    card: ScoreCard, challenge: Challenge, kept: cards.KeptScores, *physics: Physics | NotMeasured
) -> dict[str, object]:
    """Say again what hangs on the working point alone, if that is another one now.

    Parameters
    ----------
    *physics : Physics or NotMeasured
        At the present points; the first that was measured counts.
    """
    before, now = card.challenge.working_point, challenge.working_point
    if before == now:
        return {}
    why = (
        f"the working point was FPR {before:g} when the events were read, "
        f"it is {now:g} now: score the submission again"
    )
    scores = kept.firmware_scores or kept.float_scores
    background = merge_backgrounds(challenge, scores)[BACKGROUND]
    old = set(_tied(background, before, card.firmware_physics, card.float_physics))
    warnings = [one for one in card.warnings if one not in old]
    return {
        **dict.fromkeys(("accepted", "cuts"), NotMeasured(not_measured=why)),
        "warnings": (*warnings, *_tied(background, now, *physics)),
    }


def _tied(
    background: NDArray[np.float64], fpr: float, *physics: Physics | NotMeasured
) -> Iterator[str]:
    counting = next(one for one in physics if not isinstance(one, NotMeasured))
    yield from tie_warnings(background, counting.at(fpr))


def _refuse_other_data(
    card: ScoreCard, challenge: Challenge, store: EventStore, path: Path
) -> None:
    compared = (_compare_split(card, challenge, has_seed=False), *_compare_data(card, store))
    different = [found for found in compared if found.outcome == "different"]
    if different:
        raise DataError(
            *(
                Problem(
                    what=f"{found.name}: {found.detail}",
                    where=str(path),
                    expected="the data that the card was scored on",
                    fix="fetch that version, or score the submission again",
                )
                for found in different
            )
        )


def verify_card(
    path: Path,
    *,
    submissions: Path = Path("submissions"),
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
) -> tuple[Finding, ...]:
    """Compare the card at `path` with all that is here of what it was made from.

    Parameters
    ----------
    path : Path
        The card.
    submissions : Path
        Folder of the submissions; the one of the card's team is compared.
    manifests, cache
        As for `rescore_card`.

    Raises
    ------
    DataError
        The card itself cannot be read.
    """
    card = cards.read_card(path)
    findings = [_compare_submission(card, submissions), *_compare_artefacts(card, path)]
    try:
        challenge = load_manifest(*manifests).challenge(card.challenge.name)
        store = open_store(challenge, cache)
    except HarnessError as error:
        return (*findings, Finding(name="data", outcome="not checked", detail=str(error)))
    findings += [_compare_split(card, challenge), *_compare_data(card, store)]
    if all(finding.outcome == "same" for finding in findings if finding.name != "submission"):
        findings.append(_compare_metrics(path, manifests, cache))
    return tuple(findings)


def _compare_submission(card: ScoreCard, submissions: Path) -> Finding:
    folder = submissions / card.submission.team
    if not folder.is_dir():
        return Finding(name="submission", outcome="not checked", detail=f"{folder} is not here")
    try:
        found = folder_digest(folder, scan(folder).files)
    except HarnessError as error:
        return Finding(name="submission", outcome="different", detail=str(error))
    return _compare("submission", found, card.submission.digest)


def _compare_artefacts(card: ScoreCard, path: Path) -> Iterator[Finding]:
    try:
        cards.read_scores(path)
        yield Finding(name="scores", outcome="same")
    except DataError as error:
        is_absent = not path.with_suffix(cards.SCORES_SUFFIX).exists()
        outcome: Outcome = "not checked" if is_absent else "different"
        yield Finding(name="scores", outcome=outcome, detail=str(error))
    if isinstance(card.firmware, NotMeasured):
        return
    for artefact in card.firmware.artefacts:
        file = path.with_suffix("") / artefact.name
        if file.is_file():
            found = cards.describe_file(file).sha256
            yield _compare(f"artefact {artefact.name}", found, artefact.sha256)


def _compare_split(card: ScoreCard, challenge: Challenge, *, has_seed: bool = True) -> Finding:
    """Compare what decides which events are scored, and the seed of what is drawn from them."""
    split, scored = challenge.split, card.challenge
    found = (split.key_digest, (split.train, split.validation, split.test), challenge.seed)
    stated = (digest_of_key(scored.split_key), scored.split_fractions, scored.seed)
    n = 3 if has_seed else 2
    return _compare("split", str(found[:n]), str(stated[:n]))


def _compare_data(card: ScoreCard, store: EventStore) -> Iterator[Finding]:
    for file in card.challenge.files:
        if file.process not in store.processes:
            yield Finding(
                name=f"data {file.process}", outcome="not checked", detail="not in the cache"
            )
            continue
        yield _compare(f"data {file.process}", store.checksum(file.process), file.checksum)


def _compare_metrics(path: Path, manifests: Sequence[Path], cache: Path | None) -> Finding:
    changes = rescore_card(path, manifests=manifests, cache=cache).changes
    if not changes:
        return Finding(name="metrics", outcome="same")
    first = changes[0]
    return Finding(
        name="metrics",
        outcome="different",
        detail=f"{len(changes)} figures; {first.field} is {first.after}, the card: {first.before}",
    )


def _compare(name: str, found: str, stated: str) -> Finding:
    if found == stated:
        return Finding(name=name, outcome="same")
    return Finding(name=name, outcome="different", detail=f"is {found}, the card says {stated}")


def _scored_hashes(card: ScoreCard, store: EventStore) -> Mapping[str, NDArray[np.uint64]]:
    hashes = {}
    for file in card.challenge.files:
        chosen = store.hashes(file.process)[store.indices(file.process, "test")]
        if len(chosen) != file.n_scored:
            raise DataError(
                f"{len(chosen):,} test events of {file.process} are here",
                where=f"challenge {card.challenge.name}",
                expected=f"{file.n_scored:,}, as the card says",
                fix="score the submission again",
            )
        hashes[file.process] = chosen
    return hashes


def _changes(name: str, before: Value, after: Value) -> Iterator[ChangedFigure]:
    yield from _differences(name, before.model_dump(mode="json"), after.model_dump(mode="json"))


def _differences(field: str, before: JsonValue, after: JsonValue) -> Iterator[ChangedFigure]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(f"{field}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{field}[{index}]", old, new)
    elif not _is_same(before, after):
        yield ChangedFigure(field=field, before=before, after=after)


def _is_same(before: JsonValue, after: JsonValue) -> bool:
    """Compare counts and texts exactly, and figures but for `ROUNDING`."""
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=ROUNDING)
    return before == after
