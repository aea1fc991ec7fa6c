"""Black boxes, their results and answers in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.blackbox.answer import Answer
from harness.blackbox.claim import Claim
from harness.blackbox.make import SealedBox
from harness.blackbox.reading import ATTRIBUTES
from harness.blackbox.result import SELF_DECLARED, UNITS, DeclaredFigures, ImportedResult
from harness.blackbox.score import BoxScore, FoundSignal
from harness.blackbox.seal import BoxKey
from harness.card.terminal import DASH, bytes_text, remark, table, with_interval
from harness.card.text import plain

_ARITHMETICS = {
    "float": "the float network's: no firmware was found that a card of this submission kept",
    "firmware": "the firmware's",
    "open": "those of score(events)",
}


def box_view(sealed: SealedBox) -> RenderableType:
    """Draw what a black box holds, and the entry that names it in a manifest."""
    box, key = sealed.box, sealed.key
    rows = [("background", f"{box.contents.n_background:,}", "")]
    rows += [
        (signal.process, f"{signal.n_events:,}", f"{signal.n_events / key.n_events:.4g}")
        for signal in key.signals
    ]
    title = f"{box.path}: {key.n_events:,} events, {bytes_text(box.n_bytes)}"
    lines = (
        f"a result may name {key.n_allowed:,} events (FPR {key.working_point:g})",
        f"publish the box, never the key {sealed.key_path} nor this table; in a manifest:",
        f"- {{name: {box.path.name}, role: blackbox, process: blackbox, title: Black box,",
        f"   checksum: {box.checksum!r}, n_events: {key.n_events}}}",
    )
    drawn = table(title, ("what", "events", "share of the box"), rows)
    return Group(drawn, *map(Text, lines))


def key_view(key: BoxKey) -> RenderableType:
    """Draw what the sealed key of a box of others holds."""
    rows = [
        (one.title, f"{one.n_events:,}", DASH if one.mass_gev is None else f"{one.mass_gev:,g}")
        for one in key.signals
    ] or [("no signal", "0", DASH)]
    title = f"{key.box_name}: {key.n_events:,} events, {key.box_checksum}"
    return table(title, ("signal", "events", "mass [GeV]"), rows)


def claim_view(claim: Claim) -> RenderableType:
    """Draw what a team claims of a box."""
    said = "new physics" if claim.new_physics else "no new physics"
    rows = [
        (name, f"{one.value:,g}", f"{one.uncertainty:,g}")
        for name, one in (
            ("mass [GeV]", claim.mass_gev),
            ("events", claim.n_events),
            ("cross-section [fb]", claim.cross_section_fb),
        )
        if one is not None
    ]
    if claim.cluster is not None:
        label, n_events = claim.cluster.label, len(claim.cluster.events)
        rows.append((f"cluster {label}".strip(), f"{n_events:,} events", DASH))
    return table(f"{claim.team}, {claim.challenge}: {said}", ("claim", "value", "±"), rows)


def box_score_view(score: BoxScore) -> RenderableType:
    """Draw the true signals that a result names."""
    together = (score.together,) if len(score.signals) > 1 else ()
    drawn = table(
        f"{score.team}: {score.n_named:,} of {score.n_allowed:,} allowed events named, of "
        f"{score.n_events:,}",
        ("signal", "found", "efficiency", "eff./√rate", "p by chance", "σ"),
        [_found_row(found) for found in (*score.signals, *together)],
    )
    purity = with_interval(score.purity, score.purity_interval)
    fpr = with_interval(score.fpr, score.fpr_interval)
    lines = [
        f"true signal among those named: {score.together.n_found:,}, a share of {purity}",
        f"background among those named: {score.n_background:,}, realised FPR {fpr}",
        "95 % intervals, Clopper-Pearson; σ: Fisher's exact test against as many events at random",
    ]
    if score.synthetic:
        lines.insert(0, "synthetic events: no prediction for the real data")
    return Group(
        drawn, Text("\n".join(lines)), _declared_view(score.declared), *_remarks(score.remarks)
    )


def _found_row(found: FoundSignal) -> tuple[str, ...]:
    return (
        found.title,
        f"{found.n_found:,} of {found.n_events:,}",
        with_interval(found.efficiency, found.interval),
        f"{found.significance_improvement:.3g}",
        f"{found.p_value:.2g}",
        f"{found.significance:.1f}",
    )


def import_view(found: ImportedResult) -> RenderableType:
    """Draw what a result file holds, and its remarks."""
    result, box = found.result, found.box
    state = "ruled out" if found.check.faults else "nothing rules it out"
    head = (
        f"{result.team}: {len(result.ids):,} events named where {box.n_allowed:,} are allowed "
        f"({box.working_point:g} of {box.n_events:,}, {box.title}): {state}"
    )
    return Group(
        Text(plain(head), style="bold"),
        _declared_view(result.declared),
        *_remarks(found.check.remarks),
    )


def answer_view(answer: Answer) -> RenderableType:
    """Draw what was written into a result file, and where its figures come from."""
    named = f"{answer.n_named:,} of {answer.n_allowed:,} allowed events"
    lines = [
        f"{answer.path}: {named} of {answer.box}, which holds {answer.n_events:,}",
        f"scores: {_ARITHMETICS[answer.arithmetic]}",
        f"figures: {'no card of this submission' if answer.card is None else answer.card}",
    ]
    if answer.n_tied:
        lines.append(
            f"{answer.n_tied:,} events share the next score and were left out: ties never buy rate"
        )
    return Group(Text("\n".join(lines)), _declared_view(answer.declared))


def _declared_view(declared: DeclaredFigures) -> RenderableType:
    rows = [
        (name, f"{declared[name]} {UNITS[name]}".rstrip() if name in declared else DASH)
        for name in ATTRIBUTES
    ]
    return Group(Text(SELF_DECLARED, style="bold"), table("", ("", "declared"), rows))


def _remarks(remarks: Sequence[str]) -> list[Text]:
    return [remark("remark", one) for one in remarks]
