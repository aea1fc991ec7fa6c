"""What the events of a challenge are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.board.rows import synthetic_note
from harness.card.summary import DataSummary, ProcessSummary
from harness.card.text import visible
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Picture, Section, Table
from leaderboard_app.charts import Palette
from leaderboard_app.views.common import MANY_SIGNALS, axis_title
from leaderboard_app.views.in_trigger import menu_tables


def signals_in(summary: DataSummary) -> list[str]:
    """Names of the signals of a challenge."""
    return [one.process for one in summary.processes if one.role == "signal"]


def data_sections(summary: DataSummary, chosen: Sequence[str] | None = None) -> list[Section]:
    """Lay out what the events of a challenge are.

    Parameters
    ----------
    chosen : sequence of str, optional
        Signals that pictures show; without it the first `MANY_SIGNALS`.
    """
    every = [one for one in summary.processes if one.role != "blackbox"]
    wanted = signals_in(summary)[:MANY_SIGNALS] if chosen is None else chosen
    shown = [one for one in every if one.role != "signal" or one.process in wanted]
    titles = {one.process: visible(one.title or one.process) for one in shown}
    signals = [titles[one.process] for one in shown if one.role == "signal"]
    background = next((titles[one.process] for one in shown if one.role == "background"), None)
    palette = Palette(names=tuple(signals), background=background)
    blocks: list[Block] = [
        Table(
            columns=("Process", "Role", "Events"),
            rows=[[one.title or one.process, one.role, f"{one.n_events:,}"] for one in every],
        )
    ]
    if summary.synthetic:
        has_pt = any(one.unit == "GeV" for one in summary.distributions)
        blocks.append(Note(text=synthetic_note(is_of_collisions=has_pt), tone="warn"))
    sections = [
        Section(title="", blocks=tuple(blocks)),
        Section(
            title="Observables",
            lead="Share of the events in each bin; each process is normalised to 1. The outermost "
            "bins hold what lies beyond, too.",
            columns=2,
            blocks=tuple(_distributions(summary, titles, palette)),
        ),
        Section(
            title="Occupancy",
            lead="How often a slot of each kind holds an object; empty slots are zeros.",
            columns=2,
            blocks=tuple(_occupancies(shown, titles, palette)),
        ),
    ]
    if summary.menu is not None:
        known = {one.process: one.title for one in every}
        blocks = list(menu_tables(summary.menu, known))
        sections.append(Section(title="What the trigger has today", blocks=tuple(blocks)))
    return [section for section in sections if section.blocks]


def _distributions(
    summary: DataSummary, titles: Mapping[str, str], palette: Palette
) -> list[Picture]:
    return [
        charts.distribution(
            one.edges,
            {titles[name]: values for name, values in one.counts.items() if name in titles},
            palette,
            title=axis_title(one),
            is_log=True,
            height=320,
        )
        for one in summary.distributions
    ]


def _occupancies(
    shown: Sequence[ProcessSummary], titles: Mapping[str, str], palette: Palette
) -> list[Picture]:
    kinds = dict.fromkeys(kind for one in shown for kind in one.occupancy)
    return [
        charts.occupancy(
            {titles[one.process]: one.occupancy[kind] for one in shown if kind in one.occupancy},
            palette,
            title=visible(kind),
        )
        for kind in kinds
        if any(len(one.occupancy.get(kind, ())) > 1 for one in shown)
    ]


def event_options(summary: DataSummary) -> list[str]:
    """Names of the example events."""
    titles = {one.process: visible(one.title or one.process) for one in summary.processes}
    seen: dict[str, int] = {}
    names = []
    for event in summary.examples:
        seen[event.process] = seen.get(event.process, 0) + 1
        names.append(f"{titles.get(event.process, event.process)}, event {seen[event.process]}")
    return names


def event_note(summary: DataSummary) -> str:
    """Say how to read the picture of an event."""
    if any(event.image is not None for event in summary.examples):
        return (
            "Channels are beside each other; the fuller a square of pixels, the darker it is, by "
            "the logarithm."
        )
    return "Area goes with pT. The missing transverse momentum has no eta: it is a line at its phi."


def event_picture(summary: DataSummary, at: int) -> Picture:
    """Draw one example event: its image, or its objects by kind in the order of the layout."""
    event = summary.examples[at]
    if event.image is not None:
        return charts.image_display([(event_options(summary)[at], event.image)])
    listed = [kind for one in summary.processes for kind in one.occupancy]
    found = [one.kind for shown in summary.examples for one in shown.objects]
    present = set(found)
    kinds = [kind for kind in dict.fromkeys([*listed, *found]) if kind in present]
    return charts.event_display(
        [(one.kind, one.pt, one.eta, one.phi) for one in event.objects], kinds=kinds
    )


def event_sections(summary: DataSummary) -> list[Section]:
    """Show the first example event of each process, where one cannot be chosen."""
    first: dict[str, int] = {}
    for i, event in enumerate(summary.examples):
        first.setdefault(event.process, i)
    if not first:
        return []
    names = event_options(summary)
    blocks: list[Block] = []
    for at in first.values():
        blocks += [Note(text=names[at]), event_picture(summary, at)]
    lead = f"The first example of each process. {event_note(summary)}"
    return [Section(title="Event display", lead=lead, blocks=tuple(blocks))]
