"""One submission: everything that its card tells."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.citing import bibtex, reference_link
from harness.board.eligibility import reasons_against
from harness.board.order import Ranked, Unranked
from harness.board.rows import synthetic_note, twin_text
from harness.card.declared import SIGNALS_SEEN_TEXTS, declared_facts
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.card.text import visible, without_exceptions
from leaderboard_app.blocks import Block, Code, Facts, Links, Note, Section, Table
from leaderboard_app.views.acceptance import accepted_sections
from leaderboard_app.views.common import class_text, not_measured
from leaderboard_app.views.firmware import cost_section, firmware_sections, target_sections
from leaderboard_app.views.in_trigger import added_section, profile_section, stability_sections
from leaderboard_app.views.mass import mass_sections, second_section
from leaderboard_app.views.physics import physics_sections, rate_section
from leaderboard_app.views.reach import reach_section
from leaderboard_app.views.reconstruction import reconstruction_section
from leaderboard_app.views.stress import stress_section
from leaderboard_app.views.subject import Subject
from leaderboard_app.views.team import history_sections

SUPERVISED_TEXT = "Supervised: it was trained on labelled signals. A control, no anomaly detection."


def submission_sections(subject: Subject) -> list[Section]:
    """Lay out everything that a card tells."""
    sections = [
        _standing_section(subject),
        profile_section(subject),
        *physics_sections(subject),
        added_section(subject.card),
        rate_section(subject.card),
        *stability_sections(subject.card),
        *mass_sections(subject.card),
        second_section(subject.card),
        stress_section(subject.card),
        reconstruction_section(subject.card),
        *accepted_sections(subject.card),
        reach_section(subject),
        *firmware_sections(subject),
        *target_sections(subject),
        cost_section(subject.card),
        *history_sections(subject),
        _declared_section(subject),
        _provenance_section(subject.card),
    ]
    return [section for section in sections if section.blocks or section.lead]


def _standing_section(subject: Subject) -> Section:
    place, card = subject.place, subject.card
    notes: list[Block] = []
    if card.challenge.synthetic:
        text = synthetic_note(is_of_collisions=card.challenge.is_of_collisions)
        notes.append(Note(text=text, tone="warn"))
    if isinstance(place, Ranked):
        lead = (
            f"Rank {place.rank} of {subject.n_ranked}. The true rank lies within "
            f"{place.best_rank} to {place.worst_rank} (95 %, all entries together)."
        )
        notes[:0] = _place_notes(place)
    elif isinstance(place, Unranked):
        lead = "Not ranked."
        notes = [*_reasons(place.reasons), *notes]
    else:
        lead = "An older scoring: a later card of this team counts on the board."
        reasons = reasons_against(subject.entry, subject.contest)
        notes = [*_reasons(reasons), *notes]
    if card.submission.is_supervised:
        notes.append(Note(text=SUPERVISED_TEXT, tone="warn"))
    else:
        seen = card.submission.signals_seen
        tone = "warn" if seen == "tuned" else "plain"
        notes.append(Note(text=SIGNALS_SEEN_TEXTS[seen], tone=tone))
    if subject.twins:
        text = twin_text(sorted({subject.team, *subject.twins}))
        notes.append(Note(text=text, tone="warn"))
    notes += [Note(text=warning, tone="warn") for warning in card.warnings]
    return Section(title="", lead=lead, blocks=tuple(notes))


def _reasons(reasons: Sequence[str]) -> list[Note]:
    return [Note(text=without_exceptions(reason), tone="bad") for reason in reasons]


def _place_notes(place: Ranked) -> list[Note]:
    front = "on the Pareto front of merit and of what it costs"
    if not place.resource_class:
        return [Note(text=front[0].upper() + front[1:] + ".")] if place.is_pareto else []
    pareto = f"; {front}" if place.is_pareto else ""
    text = f"Rank {place.class_rank} in the {class_text(place.resource_class)}{pareto}."
    return [Note(text=text)]


def _declared_section(subject: Subject) -> Section:
    said = subject.card.submission
    former = "" if said.team == subject.team else f", scored as {said.team}"
    rows = [
        ("Team", f"{subject.team}{former}"),
        ("Authors", ", ".join(said.authors)),
        ("Description", said.description),
        ("Trained on", said.training_data),
        *declared_facts(said).items(),
        ("Labels of signals in training", "yes" if said.is_supervised else "no, as declared"),
        ("Licence", said.licence),
    ]
    return Section(
        title="How it was made",
        lead="Declared by the team, not checked.",
        blocks=(
            Facts(rows=rows),
            *_references(said.references),
            Code(title="Cite this entry (BibTeX)", text=bibtex(subject.card, subject.team)),
        ),
    )


def _references(said: Sequence[str]) -> list[Block]:
    if not said:
        return []
    items = [(visible(one), reference_link(one)) for one in said]
    return [Links(title="References", items=items)]


def _provenance_section(card: ScoreCard) -> Section:
    wall = sum(usage.wall_s for usage in card.usage.values())
    peak = max((usage.peak_memory_bytes for usage in card.usage.values()), default=0)
    digest = card.model_digest
    git = card.environment.git_revision
    rows = [
        ("Scored", card.created),
        ("Received", card.submission.received or "when scored"),
        ("Isolation", card.isolation.summary),
        ("Time taken", f"{wall:,.1f} s, at most {peak / 2**20:,.0f} MiB"),
        ("Submission digest", said_digest(card.submission.digest)),
        (
            "Model digest",
            digest.not_measured if isinstance(digest, NotMeasured) else said_digest(digest),
        ),
        ("Data", f"{card.challenge.name} {card.challenge.version}, seed {card.challenge.seed}"),
        ("Scorer version", str(card.scorer_version)),
        ("Harness", card.environment.harness),
        ("Revision", git.not_measured if isinstance(git, NotMeasured) else said_revision(git)),
        ("Platform", f"{card.environment.platform}, Python {card.environment.python}"),
    ]
    blocks: list[Block] = [
        Facts(rows=rows),
        Links(title="Code of the entry", items=[_code_link(card)]),
        Code(title="Digest of the submission, whole", text=card.submission.digest),
    ]
    if isinstance(card.checks, NotMeasured):
        blocks.append(not_measured("Integrity checks", card.checks))
    elif card.checks:
        blocks.append(
            Table(
                columns=("Integrity check", "Outcome", "Events", "Largest difference"),
                rows=[
                    [
                        check.name,
                        check.outcome,
                        f"{check.n_events:,}",
                        f"{check.max_difference:.2g}" if check.n_events else visible(check.detail),
                    ]
                    for check in card.checks
                    if not check.is_of_other_events
                ],
                caption="Differences in units of the spread of the scores",
            )
        )
    return Section(title="Provenance", blocks=tuple(blocks))


def _code_link(card: ScoreCard) -> tuple[str, str | None]:
    """Return what is said of the folder that was scored, and where it can be read."""
    team, source = card.submission.team, card.submission.source
    if source is None:
        return f"submissions/{team}, with the digest below; the card names no commit", None
    return f"submissions/{team} at commit {source.commit[:12]}", source.folder_page(team)


def said_revision(revision: str) -> str:
    """Shorten the revision of harness; that it was changed since is kept.

    Examples
    --------
    >>> said_revision("2f7f55221b12008c9b322c358a6899169ec61e21-dirty")
    '2f7f55221b12, with changes'
    """
    commit, changed, _ = revision.partition("-dirty")
    return commit[:12] + (", with changes" if changed else "")


def said_digest(digest: str) -> str:
    """Shorten a digest for a page; the card holds all of it."""
    kind, _, value = digest.partition(":")
    return f"{kind}:{value[:16]}…"
