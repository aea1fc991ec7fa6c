"""What the terminal shows: score cards, problems and figures in the field's own notation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import filesize
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.board.contest import Rulebook
from harness.board.entry import Entry, shown_physics
from harness.board.ranking import merit_of, reasons_against
from harness.card.records import (
    Cost,
    Figure,
    Firmware,
    Interval,
    NotMeasured,
    Physics,
    ProcessSummary,
    ScoreCard,
    SkippedVariation,
    UnreachedWorkingPoint,
    WorkingPoint,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.blackbox.answer import Answer
    from harness.blackbox.result import Declared
    from harness.blackbox.result import Verdict as ResultVerdict
    from harness.blackbox.score import BoxScore
    from harness.blackbox.workflow import Imported, Sealed
    from harness.ci.documents import Scoring
    from harness.ci.rescore import Redone
    from harness.data.describe import Description
    from harness.data.fetch import FetchReport
    from harness.data.inventory import ChallengeStatus
    from harness.sandbox.doctor import Isolation
    from harness.scoring.audit import Change, Finding
    from harness.simulate.check import Checked

_DASH = "–"
_METRICS = {
    "geometric_mean_tpr": "geometric mean over the signals",
    "mean_tpr": "mean over the signals",
    "lowest_tpr": "lowest over the signals",
}


def print_error(error: HarnessError, console: Console) -> None:
    """Print every problem of `error`: what, where, what was expected, what to do."""
    for problem in error.problems:
        head = f"{problem.where}: {problem.what}" if problem.where else problem.what
        console.print(Text.assemble(("error: ", "bold red"), head), soft_wrap=True)
        for label, text in (("expected", problem.expected), ("to do", problem.fix)):
            if text:
                console.print(Text.assemble((f"  {label}: ", "bold"), text), soft_wrap=True)


def format_rate(value: float) -> str:
    """Write a rate with three significant digits; small ones as a power of ten.

    Examples
    --------
    >>> format_rate(0.0), format_rate(0.01234), format_rate(1e-05)
    ('0', '0.0123', '1.00e-05')
    >>> format_rate(0.009), format_rate(1.0)
    ('0.00900', '1.00')
    """
    if value == 0:
        return "0"
    return f"{value:#.3g}" if value >= 1e-3 else f"{value:.2e}"


def format_interval(lower: float, upper: float) -> str:
    """Write an interval."""
    return f"[{format_rate(lower)}, {format_rate(upper)}]"


def card_view(card: ScoreCard) -> RenderableType:
    """Draw a whole card."""
    firmware, network = card.firmware_physics, card.float_physics
    parts: list[RenderableType] = [_heading(card)]
    if not isinstance(firmware, NotMeasured):
        parts.append(_physics_table(card, firmware, "firmware"))
    if not isinstance(network, NotMeasured):
        parts.append(_network_view(card, network))
    if isinstance(firmware, NotMeasured) and card.submission.division == "trigger":
        parts.append(_missing("firmware scores", firmware))
    parts += [_cost_view(card.cost), firmware_view(card.firmware), _checks_view(card)]
    parts += _stress_view(card)
    parts += [Text(f"warning: {warning}", style="yellow") for warning in card.warnings]
    parts += _standing_lines(card)
    return Group(*parts)


def _network_view(card: ScoreCard, physics: Physics) -> RenderableType:
    """Draw the float scores' table, unless the firmware's holds the same figures."""
    if card.submission.division == "open":
        return _physics_table(card, physics, "scores")
    if card.firmware_physics == physics.model_copy(update={"arithmetic": "firmware"}):
        return Text("float network: the same figures as the firmware's, digit for digit")
    return _physics_table(card, physics, "float network")


def _standing_lines(card: ScoreCard) -> list[Text]:
    """Tell the figure that entries are ranked by, and why this one would not be."""
    entry = Entry(key=card.submission.team, card=card)
    contest = Rulebook().contest_of([entry])
    physics = shown_physics(card)
    point = None if physics is None else physics.at(contest.working_point)
    lines = []
    if physics is not None and isinstance(point, WorkingPoint):
        merit = merit_of({name: rate.tpr for name, rate in point.rates.items()}, contest)
        lines.append(
            Text.assemble(
                (f"merit {format_rate(merit)}", "bold"),
                f": {_METRICS[contest.rules.metric]} of the TPR ({physics.arithmetic}) at FPR "
                f"{point.fpr:.0e}, each counted as at least that",
            )
        )
    reasons = reasons_against(entry, contest)
    why = "; ".join(reasons) if reasons else "nothing stands against it"
    lines.append(Text.assemble(("not ranked: " if reasons else "can be ranked: ", "bold"), why))
    return lines


def _heading(card: ScoreCard) -> Panel:
    submission, challenge = card.submission, card.challenge
    lines = [
        f"{submission.title} · team {submission.team} · {submission.division} division",
        f"{challenge.title} · {challenge.name}, version {challenge.version}",
    ]
    if challenge.synthetic:
        lines.append("synthetic events: no prediction for the real data")
    if not card.is_official:
        lines.append("UNOFFICIAL: " + "; ".join(card.unofficial_because))
    lines.append(f"isolation {card.isolation.kind} · {card.created} · {submission.digest[:19]}…")
    return Panel(Text("\n".join(lines)), title="score card", title_align="left", expand=False)


def _physics_table(card: ScoreCard, physics: Physics, name: str) -> Table:
    """AUC and TPR of each signal with their 95 % intervals."""
    table = Table(
        title=f"{name}: {physics.n_background:,} test background events",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("signal")
    table.add_column("AUC")
    for point in physics.working_points:
        star = "*" if point.fpr == card.challenge.working_point else ""
        table.add_column(f"TPR at FPR {point.fpr:.0e}{star}")
    for signal, auc in physics.auc.items():
        cells = [
            escape(signal),
            f"{auc.value:.4f}\n[{auc.interval.lower:.4f}, {auc.interval.upper:.4f}]",
        ]
        for point in physics.working_points:
            if isinstance(point, UnreachedWorkingPoint):
                cells.append(_DASH)
                continue
            rate = point.rates[signal]
            interval = format_interval(rate.interval.lower, rate.interval.upper)
            cells.append(f"{format_rate(rate.tpr)}\n{interval}")
        table.add_row(*cells)
    table.caption = _working_point_caption(physics)
    table.caption_justify = "left"
    return table


def _working_point_caption(physics: Physics) -> str:
    notes = []
    for point in physics.working_points:
        if isinstance(point, UnreachedWorkingPoint):
            notes.append(f"FPR {point.fpr:.0e}: not measured, {point.not_measured}")
        elif point.is_low_statistics:
            events = "event" if point.n_allowed == 1 else "events"
            notes.append(
                f"FPR {point.fpr:.0e}: low statistics, {point.n_allowed} background {events} may "
                "pass"
            )
    notes.append("95 % intervals; per preselected event; * the challenge's working point")
    return "\n".join(notes)


def _missing(name: str, missing: NotMeasured) -> Text:
    return Text.assemble((f"{name}: ", "bold"), f"not measured: {missing.not_measured}")


def _rows(title: str, rows: Iterable[Sequence[str]], header: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in header:
        # Paths and checksums are there to be copied: none is cut off.
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _count(value: int | NotMeasured) -> str:
    if isinstance(value, NotMeasured):
        return f"not measured: {value.not_measured}"
    return f"{value:,}"


def _cost_view(cost: Cost | NotMeasured) -> RenderableType:
    if isinstance(cost, NotMeasured):
        return _missing("cost", cost)
    rows = [
        ("parameters", _count(cost.n_parameters)),
        ("FLOPs", _count(cost.flops)),
        ("MACs", _count(cost.macs)),
        ("bit operations", _count(cost.bops)),
        ("weight bits", _count(cost.weight_bits)),
    ]
    if cost.uncounted_operations:
        names = ", ".join(f"{name} x{n}" for name, n in cost.uncounted_operations.items())
        rows.append(("operations without a FLOPs formula", names))
    return _rows("cost per event", rows, ("", "value"))


def _figure(figure: Figure | NotMeasured, unit: str = "") -> tuple[str, str]:
    if isinstance(figure, NotMeasured):
        return _DASH, figure.not_measured
    said = unit.removesuffix("s") if unit == "cycles" and figure.value == 1 else unit
    return f"{figure.value:,.6g} {said}".rstrip(), f"{figure.evidence}: {figure.source}"


def firmware_view(firmware: Firmware | NotMeasured) -> RenderableType:
    """Draw timing, resources and verdicts with the evidence of each figure."""
    if isinstance(firmware, NotMeasured):
        return _missing("firmware", firmware)
    figures = (
        ("latency", firmware.latency_cycles, "cycles"),
        ("latency", firmware.latency_ns, "ns"),
        ("initiation interval", firmware.interval_cycles, "cycles"),
        ("clock period", firmware.clock_period_ns, "ns"),
        ("LUT", firmware.lut, ""),
        ("FF", firmware.ff, ""),
        ("DSP", firmware.dsp, ""),
        ("BRAM18", firmware.bram18, ""),
    )
    rows = [(name, *_figure(figure, unit)) for name, figure, unit in figures]
    table = _rows(
        f"firmware for {firmware.target.part} ({firmware.backend})",
        rows,
        ("", "value", "evidence"),
    )
    return Group(table, *(_verdict_lines(firmware)), *(Text(note) for note in firmware.notes))


def _verdict_lines(firmware: Firmware) -> list[Text]:
    lines = []
    for verdict in firmware.verdicts:
        mark, style = ("passed", "green") if verdict.is_passed else ("FAILED", "bold red")
        share = verdict.value / verdict.limit if verdict.limit else float("inf")
        text = (
            f"{verdict.requirement}: {verdict.value:,.6g} of {verdict.limit:,.6g} {verdict.unit} "
            f"({share:.1%}, {verdict.evidence}) "
        )
        lines.append(Text.assemble(text, (mark, style)))
    return lines


def _checks_view(card: ScoreCard) -> RenderableType:
    if isinstance(card.checks, NotMeasured):
        return _missing("integrity checks", card.checks)
    rows = [
        (check.name, check.outcome, f"{check.n_events:,}", f"{check.max_difference:.2g}")
        for check in card.checks
    ]
    return _rows("integrity checks", rows, ("check", "outcome", "events", "largest difference"))


def scorings_view(scorings: Sequence[Scoring]) -> RenderableType:
    """Draw what came of scoring many submissions, with the reasons of those that failed."""
    rows = [
        (one.team, one.status, str(one.exit_code), f"{one.wall_s:.1f}", one.card or _DASH)
        for one in scorings
    ]
    table = _rows("scorings", rows, ("team", "status", "exit code", "seconds", "card"))
    reasons = [
        Text(f"{one.team}:\n{_quoted(one.message)}", style="dim")
        for one in scorings
        if one.message and one.status != "scored"
    ]
    return Group(table, *reasons)


def _quoted(text: str) -> str:
    r"""Quote what a submission printed.

    A forge's runner obeys lines of a log that begin with ``::``, and ``##[`` anywhere in one. A
    long line is wrapped, so any word may come to begin one.

    Examples
    --------
    >>> print(_quoted("::add-mask::a\n##[add-mask]b"))
    | : :add-mask: :a
    | ## [add-mask]b
    """
    tamed = text.replace("::", ": :").replace("##[", "## [")
    return "\n".join(f"| {line}" for line in tamed.splitlines())


def redone_view(redone: Sequence[Redone]) -> Table:
    """Draw what `harness ci rescore-all` did."""
    rows = [(one.card, one.outcome, one.detail) for one in redone]
    return _rows("cards made anew", rows, ("card", "outcome", "detail"))


def _stress_view(card: ScoreCard) -> list[RenderableType]:
    """Draw what the thresholds let pass of varied background; nothing if it was not asked for."""
    if isinstance(card.stress, NotMeasured):
        return []
    rows = []
    for variation in card.stress.variations:
        if isinstance(variation, SkippedVariation):
            rows.append((variation.title, _DASH, variation.not_measured, _DASH, _DASH, _DASH))
            continue
        kept = f"{variation.n_selected / max(variation.n_events, 1):.2%}"
        rows += [
            (
                variation.title if index == 0 else "",
                f"{rate.fpr:.0e}",
                _with_interval(rate.fpr_realised, rate.interval),
                _DASH if isinstance(rate.ratio, NotMeasured) else f"{rate.ratio:.3g}",
                _DASH if rate.n_gained is None else f"+{rate.n_gained:,} −{rate.n_lost:,}",
                kept if index == 0 else "",
            )
            for index, rate in enumerate(variation.rates)
        ]
    header = ("background", "FPR aimed at", "FPR realised", "/ nominal", "events", "selected")
    title = f"rate at fixed thresholds ({card.stress.arithmetic})"
    return [_rows(title, rows, header)]


def findings_view(path: str, findings: Sequence[Finding]) -> Table:
    """Draw what `harness verify` found of one card."""
    rows = [(finding.name, finding.outcome, finding.detail) for finding in findings]
    return _rows(path, rows, ("", "outcome", "detail"))


def changes_view(changes: Sequence[Change]) -> RenderableType:
    """Draw the figures that `harness rescore` found changed."""
    if not changes:
        return Text("nothing changed: the kept scores give the card's figures, digit for digit")
    rows = [(change.field, str(change.before), str(change.after)) for change in changes]
    return _rows(f"{len(changes)} figures changed", rows, ("figure", "card", "now"))


def fetch_view(report: FetchReport) -> RenderableType:
    """Draw what `harness fetch` did, or would do."""
    rows = [
        (
            file.name,
            file.action,
            _bytes(file.n_bytes),
            "" if file.n_events is None else f"{file.n_events:,}",
            f"{file.checksum} ({file.checksum_origin})" if file.checksum else "none known",
            "; ".join((file.source, *file.remarks)),
        )
        for file in report.files
    ]
    header = ("file", "action", "size", "events", "checksum", "source and remarks")
    verb = "to download" if report.is_dry_run else "downloaded"
    n_unknown = sum(file.action == "download" and file.n_bytes is None for file in report.files)
    unknown = f" and {n_unknown} files of unknown size" if n_unknown else ""
    summary = (
        f"{verb}: {_bytes(report.download_bytes)}{unknown}; "
        f"more on the disk, in {report.root}: at least {_bytes(report.disk_bytes)}"
    )
    return Group(_rows(report.challenge, rows, header), Text(summary))


def inventory_view(challenges: Sequence[ChallengeStatus]) -> RenderableType:
    """Draw which challenges there are, and what of them is here."""
    return Group(*(_challenge_table(challenge) for challenge in challenges))


def _challenge_table(challenge: ChallengeStatus) -> Table:
    rows = [
        (
            file.name,
            file.role,
            "unknown" if file.n_events is None else f"{file.n_events:,}",
            _bytes(file.n_bytes) if file.n_bytes else _DASH,
            file.checksum or "not published",
            file.state,
        )
        for file in challenge.files
    ]
    ready = "ready" if challenge.is_ready else f"not here: harness fetch {challenge.name}"
    is_told = "synthetic" in challenge.title
    synthetic = ", synthetic" if challenge.is_synthetic and not is_told else ""
    title = f"{challenge.name}: {challenge.title}, version {challenge.version}{synthetic}; {ready}"
    return _rows(title, rows, ("file", "role", "events", "cache", "checksum", "state"))


def description_view(description: Description) -> RenderableType:
    """Draw occupancies and leading pT of each process."""
    summary = description.summary
    note = "; synthetic events: no prediction for the real data" if summary.synthetic else ""
    tables = [_process_table(description, process) for process in summary.processes]
    return Group(Text(f"{summary.title}, version {summary.version}{note}"), *tables)


def check_view(checked: Checked) -> RenderableType:
    """Draw every published figure of the real background beside that of a file."""
    from harness.simulate.check import CAVEATS

    table = Table(
        title=f"{checked.source}: {checked.n_events:,} events against the real background (v2)",
        title_justify="left",
        title_style="bold",
    )
    for column in ("quantity", "found", "published", "ratio", f"within {checked.tolerance:.0%}"):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for one in checked.comparisons:
        verdict = "yes" if one.passes else "NO"
        table.add_row(
            f"{one.name} [{one.unit}]".replace("[", "\\[") if one.unit else one.name,
            f"{one.found:.4g}",
            f"{one.published:.4g}",
            f"{one.ratio:.2f}",
            Text(verdict if one.is_binding else "rare: not asked", "" if one.passes else "red"),
        )
    binding = [one for one in checked.comparisons if one.is_binding]
    n_passed = sum(one.passes for one in binding)
    lines = [f"{n_passed} of {len(binding)} within {checked.tolerance:.0%}", *CAVEATS]
    return Group(table, *(Text(line) for line in (*lines, *checked.remarks)))


def _process_table(description: Description, process: ProcessSummary) -> Table:
    rows = []
    for kind, occupancy in process.occupancy.items():
        pt = description.leading_pt[process.process][kind]
        quantiles = () if pt is None else pt.quantiles_gev.values()
        rows.append(
            (
                kind,
                " ".join(format_rate(share) for share in occupancy),
                _DASH if pt is None else f"{pt.mean_gev:.1f} ± {pt.sd_gev:.1f}",
                _DASH if pt is None else " ".join(f"{value:.1f}" for value in quantiles),
            )
        )
    table = _rows(
        f"{process.title}: {process.n_events:,} events",
        rows,
        (
            "object",
            "occupancy of its slots",
            "leading pT [GeV], mean ± s.d.",
            "10, 50, 90, 99 % quantiles",
        ),
    )
    table.caption = "\n".join(description.remarks[process.process])
    return table


def _bytes(n_bytes: int | None) -> str:
    if n_bytes is None:
        return "unknown"
    return filesize.decimal(n_bytes)


def isolation_view(isolation: Isolation) -> Table:
    """Draw which guards of the sandbox hold on this machine."""
    rows = [
        (finding.guard, "holds" if finding.is_held else "FAILS", finding.claim, finding.detail)
        for finding in isolation.findings
    ]
    return _rows("isolation, as tried on this machine", rows, ("guard", "", "claim", "seen"))


def box_view(sealed: Sealed) -> RenderableType:
    """Draw what a black box holds, and the entry that names it in a manifest."""
    box, key = sealed.box, sealed.key
    rows = [("background", f"{box.contents.n_background:,}", "")]
    rows += [
        (signal.process, f"{signal.n_events:,}", f"{signal.n_events / key.n_events:.4g}")
        for signal in key.signals
    ]
    title = f"{box.path}: {key.n_events:,} events, {_bytes(box.n_bytes)}"
    entry = (
        f"- {{name: {box.path.name}, role: blackbox, process: blackbox, title: Black box,\n"
        f"   checksum: {box.checksum!r}, n_events: {key.n_events}}}"
    )
    return Group(
        _rows(title, rows, ("what", "events", "share of the box")),
        Text(
            f"a result may name {key.n_allowed:,} events (FPR {key.working_point:g}); hand out the "
            f"box, never the key {sealed.key_path} nor this table\nin a manifest:"
        ),
        Text(entry),
    )


def box_score_view(score: BoxScore) -> RenderableType:
    """Draw the true signals that a result names."""
    rows = [
        (
            found.title,
            f"{found.n_found:,} of {found.n_events:,}",
            _with_interval(found.efficiency, found.interval),
            f"{found.significance_improvement:.3g}",
            f"{found.p_value:.2g}",
            f"{found.significance:.1f}",
        )
        for found in (*score.signals, *((score.together,) if len(score.signals) > 1 else ()))
    ]
    header = ("signal", "found", "efficiency", "eff./√rate", "p by chance", "σ")
    table = _rows(
        f"{score.team}: {score.n_named:,} of {score.n_allowed:,} allowed events named, of "
        f"{score.n_events:,}",
        rows,
        header,
    )
    purity = _with_interval(score.purity, score.purity_interval)
    fpr = _with_interval(score.fpr, score.fpr_interval)
    lines = [
        f"true signal among those named: {score.together.n_found:,}, a share of {purity}",
        f"background among those named: {score.n_background:,}, realised FPR {fpr}",
        "95 % intervals, Clopper-Pearson; σ: Fisher's exact test against as many events at random",
    ]
    if score.synthetic:
        lines.insert(0, "synthetic events: no prediction for the real data")
    return Group(table, Text("\n".join(lines)), _declared_view(score.declared), *_remarks(score))


def import_view(found: Imported) -> RenderableType:
    """Draw what a result file holds, and what should be known of it."""
    result, box = found.result, found.box
    state = "ruled out" if found.verdict.faults else "nothing rules it out"
    head = (
        f"{result.team}: {len(result.ids):,} events named where {box.n_allowed:,} are allowed "
        f"({box.working_point:g} of {box.n_events:,}, {box.title}): {state}"
    )
    return Group(
        Text(head, style="bold"), _declared_view(result.declared), *_remarks(found.verdict)
    )


def _with_interval(value: float, interval: Interval) -> str:
    return f"{format_rate(value)} {format_interval(interval.lower, interval.upper)}"


def _declared_view(declared: Declared) -> RenderableType:
    from harness.blackbox.reading import ATTRIBUTES
    from harness.blackbox.result import SELF_DECLARED, UNITS

    rows = [
        (name, f"{declared[name]} {UNITS[name]}".rstrip() if name in declared else _DASH)
        for name in ATTRIBUTES
    ]
    return Group(Text(SELF_DECLARED, style="bold"), _rows("", rows, ("", "declared")))


def _remarks(judged: BoxScore | ResultVerdict) -> list[Text]:
    return [Text(f"remark: {remark}", style="yellow") for remark in judged.remarks]


def answer_view(answer: Answer) -> RenderableType:
    """Draw what was written into a result file, and where its figures come from."""
    whose = {
        "float": "the float network's: no firmware was found that a card of this submission kept",
        "firmware": "the firmware's",
        "open": "those of score(events)",
    }
    named = f"{answer.n_named:,} of {answer.n_allowed:,} allowed events"
    lines = [
        f"{answer.path}: {named} of {answer.box}, which holds {answer.n_events:,}",
        f"scores: {whose[answer.arithmetic]}",
        f"figures: {'no card of this submission' if answer.card is None else answer.card}",
    ]
    if answer.n_tied:
        lines.append(
            f"{answer.n_tied:,} events share the next score and were left out: ties never buy rate"
        )
    return Group(Text("\n".join(lines)), _declared_view(answer.declared))
