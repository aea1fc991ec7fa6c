"""Write the tables of docs/baselines.md from score cards; the text around them is by hand.

python -m tools.baselines_page            from the newest card of each baseline
python -m tools.baselines_page --check    from the cards that the page links; only compare
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from harness.board.comparison import PairedComparison
from harness.board.contest import Contest, Rulebook
from harness.board.entry import Entry, shown_physics
from harness.board.formats import DASH, amount, percent, to_markdown
from harness.board.merit import compare_merit, merit_of
from harness.board.order import rank
from harness.board.reach import SignalReach, reach_of, reach_path, reach_text, read_reach, span_text
from harness.board.rows import AmountCell, Board, BoardRow, MeritCell, RateCell, board_of
from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.card.files import read_card
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.trigger.reach import THE_DATA
from tools.baselines import SEED_SPREAD, TEAMS, TRAININGS
from tools.discovery import OTHER_TITLE
from tools.pages import ROOT, asks_for_check, fill, table, write_or_check
from tools.sizes import SUBMISSIONS, read_sizes

PAGE = ROOT / "docs" / "baselines.md"
RESULTS = ROOT / "results" / "sample"
CUTS = ("met_cut", "lepton_pt_cut", "ht_cut")
PRUNED = tuple(team for team, size in read_sizes().items() if "pruned" in json.loads(size.size))
UNPRUNED = "dense_vae_mu2"
_OTHER_SIZES = (team for team in read_sizes() if team.startswith("dense_vae_mu2_"))
SIZES = ("dense_vae_mu2", *(team for team in _OTHER_SIZES if team not in PRUNED))
# Their network without quantisers.
FLOAT_TWIN = "vae_mu2_float"
Seed: TypeAlias = Mapping[str, Mapping[str, float]]
_CARD = re.compile(r"\]\(\.\./results/sample/([\w.+-]+)/([\w-]+)\.json\)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Baselines:
    """The cards of the baselines and the board that they make, teams in its order."""

    cards: Mapping[str, ScoreCard]
    rows: Mapping[str, BoardRow]
    board: Board
    contest: Contest

    @property
    def ranked(self) -> list[str]:
        """Return the ranked entries, best first."""
        return [team for team, row in self.rows.items() if row.rank is not None]

    def physics(self, team: str) -> Physics:
        """Return what is ranked: of the firmware's scores, or of the only ones that there are."""
        physics = shown_physics(self.cards[team])
        if physics is None:
            raise SystemExit(f"{team}: the card has no physics")
        return physics

    def compare(self, first: str, second: str) -> PairedComparison:
        """Compare the figures of merit of two entries by paired replicates."""
        return compare_merit(self.physics(first), self.physics(second), self.contest)


def newest_cards(results: Path = RESULTS) -> dict[str, Path]:
    """Return the newest card of each baseline that has one."""
    found = {team: sorted((results / team).glob("*.json")) for team in TEAMS}
    return {team: paths[-1] for team, paths in found.items() if paths}


def cards_of(page: str, results: Path = RESULTS) -> dict[str, Path]:
    """Return the cards that a page was written from, as its links name them."""
    return {team: results / team / f"{stem}.json" for team, stem in _CARD.findall(page)}


def read_baselines(paths: Mapping[str, Path]) -> Baselines:
    """Read cards and make their board."""
    cards = {team: read_card(path) for team, path in paths.items()}
    entries = [Entry(key=f"{team}/{paths[team].stem}", card=card) for team, card in cards.items()]
    contest = Rulebook().contest_of(entries)
    board = board_of(rank(entries, contest))
    rows = {row.team: row for row in board.rows}
    return Baselines(cards=cards, rows=rows, board=board, contest=contest)


# --- cells ----------------------------------------------------------------------------------------


def rate_text(cell: MeritCell | RateCell | NotMeasured) -> str:
    """Write a rate in per cent with its interval."""
    if isinstance(cell, NotMeasured) or cell.lower is None or cell.upper is None:
        return DASH
    value = cell.tpr if isinstance(cell, RateCell) else cell.value
    rate, lower, upper = (
        percent(one).removesuffix(" %") for one in (value, cell.lower, cell.upper)
    )
    return f"{rate} [{lower}, {upper}]"


def ratio_text(ratio: float, lower: float, upper: float, *, is_resolved: bool) -> str:
    """Write a ratio with its interval; bold where the two are resolved."""
    text = f"{ratio:.2f} [{lower:.2f}, {upper:.2f}]"
    return f"**{text}**" if is_resolved else text


def comparison_text(found: PairedComparison) -> str:
    """Write what comparing two entries gave."""
    span = found.ratio_span
    return ratio_text(found.ratio, span.lower, span.upper, is_resolved=found.is_resolved)


def amount_text(cell: AmountCell | NotMeasured) -> str:
    """Write a figure of the firmware, and which share of the part it is where that is known."""
    if isinstance(cell, NotMeasured):
        return DASH
    share = "" if cell.share is None else f" ({100 * cell.share:.2f} %)"
    return f"{amount(cell.value)}{share}"


# --- tables ---------------------------------------------------------------------------------------


def _rates(known: Baselines) -> str:
    rows = [
        [
            f"[`{team}`](../results/sample/{team}/{row.card}.json)",
            *map(rate_text, (row.merit, *row.rates.values())),
        ]
        for team, row in known.rows.items()
    ]
    return table(("entry and card", "geometric mean", *known.board.signals.values()), rows)


def _areas(known: Baselines) -> str:
    rows = []
    for team in known.rows:
        areas = [known.physics(team).auc[signal] for signal in known.board.signals]
        spans = [(one.value, one.interval.lower, one.interval.upper) for one in areas]
        rows.append([f"`{team}`", *(f"{a:.4f} [{low:.4f}, {high:.4f}]" for a, low, high in spans)])
    return table(("entry", *known.board.signals.values()), rows)


def _ratios(known: Baselines) -> str:
    def cell(team: str, other: str) -> str:
        return DASH if team == other else comparison_text(known.compare(team, other))

    others = (*CUTS, FLOAT_TWIN)
    rows = [[f"`{team}`", *(cell(team, other) for other in others)] for team in known.ranked]
    return table(("entry", *(f"by `{other}`" for other in others)), rows)


def _costs(known: Baselines, trainings: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        [
            f"`{team}`",
            amount_text(row.latency_cycles),
            amount_text(row.lut),
            f"{row.bops:,}" if isinstance(row.bops, int) else DASH,
            str(trainings[team]["processor_s"]) if team in trainings else DASH,
        ]
        for team, row in known.rows.items()
        if isinstance(row.lut, AmountCell)
    ]
    return table(("entry", "cycles", "LUT", "BOPs", "training [s]"), rows)


def _sizes(known: Baselines) -> str:
    header = ("entry", "layers", "weights [bit]", "integers [bit]", "LUT", "ns", "TPR [%]", "front")
    return table(header, [_size(team, known.rows[team]) for team in SIZES])


def _size(team: str, row: BoardRow) -> list[str]:
    size = json.loads((SUBMISSIONS / team / "size.json").read_text(encoding="utf-8"))
    return [
        f"`{team}`",
        "-".join(map(str, (*size["hidden"], size["latent"]))),
        str(size["weight_bits"]),
        f"at least {size['min_integer_bits']}" if "min_integer_bits" in size else "trained",
        amount_text(row.lut),
        amount_text(row.latency_ns),
        rate_text(row.merit),
        "yes" if row.is_pareto else "no",
    ]


def _pruning(known: Baselines) -> str:
    header = (
        *("entry", "pruned", "zero weights", "bits per weight", "LUT", "ns", "TPR [%]"),
        f"by `{UNPRUNED}`",
    )
    return table(header, [_pruned(known, team) for team in (UNPRUNED, *PRUNED)])


def _pruned(known: Baselines, team: str) -> list[str]:
    row, cost = known.rows[team], known.cards[team].cost
    found = None if isinstance(cost, NotMeasured) else cost.compression
    size = json.loads((SUBMISSIONS / team / "size.json").read_text(encoding="utf-8"))
    zeros = bits = DASH
    if isinstance(found, Compression):
        zeros, bits = f"{100 * found.zero_share:.1f} %", f"{found.bits_per_weight:.2f}"
    return [
        f"`{team}`",
        f"{100 * size.get('pruned', 0):g} %",
        zeros,
        bits,
        amount_text(row.lut),
        amount_text(row.latency_ns),
        rate_text(row.merit),
        DASH if team == UNPRUNED else comparison_text(known.compare(team, UNPRUNED)),
    ]


def _reach(known: Baselines) -> str:
    rows = []
    paths = {team: reach_path(RESULTS.parent, RESULTS.name, team) for team in known.rows}
    for team, path in paths.items():
        measured = read_reach(path) if path.is_file() else None
        found = None if measured is None else reach_of(known.cards[team], [measured])
        if found is None:
            continue
        signals = [found.signals.get(signal) for signal in known.board.signals]
        false = found.false_claims
        compared = {one.title: f"{one.global_p:.2g}" for one in found.comparisons}
        rows.append(
            [
                f"`{team}`",
                *map(_needed, signals),
                f"{false.n_found} of {false.n_trials}",
                *(compared.get(title, DASH) for title in (THE_DATA, OTHER_TITLE)),
            ]
        )
    header = ("entry", *known.board.signals.values(), "without a signal", "p, data", "p, tune A14")
    return table(header, rows)


def _needed(found: SignalReach | None) -> str:
    """Write how many events of a signal are needed, with the interval where it has an end."""
    if found is None:
        return DASH
    text = reach_text(found.n_injected, found.n_events)
    span = span_text(found.lower, found.upper, found.n_events)
    return text if span == text else f"{text} ({span})"


def _seeds(known: Baselines, spread: Mapping[str, Sequence[Seed]]) -> str:
    merits = {
        team: [merit_of(seed["tpr"], known.contest) for seed in seeds]
        for team, seeds in spread.items()
    }
    rows = [
        [
            f"`{team}`",
            ", ".join(percent(value).removesuffix(" %") for value in values),
            f"{np.std(np.log(values), ddof=1):.2f}",
            f"{log_sigma(known.rows[team].merit):.2f}",
            over_seeds(values, merits[FLOAT_TWIN]) if team in SIZES else DASH,
        ]
        for team, values in merits.items()
    ]
    header = ("entry", "TPR [%] of each seed", "spread of ln", "of one card", f"by `{FLOAT_TWIN}`")
    return table(header, rows)


def log_sigma(cell: MeritCell | NotMeasured) -> float:
    """Return the standard deviation of the logarithm that a 95 % interval stands for."""
    if isinstance(cell, NotMeasured) or cell.lower is None or cell.upper is None:
        raise SystemExit("an entry whose seeds were measured has no interval")
    return float(np.log(cell.upper / cell.lower) / 2 / 1.96)


def over_seeds(merits: Sequence[float], of_twin: Sequence[float]) -> str:
    """Write the ratio of the geometric means over the seeds of two trainings (Welch's t, 95 %)."""
    from scipy import stats

    first, second = np.log(merits), np.log(of_twin)
    span = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    is_resolved = not span.low <= 0 <= span.high
    ratio, lower, upper = np.exp([first.mean() - second.mean(), span.low, span.high])
    return ratio_text(ratio, lower, upper, is_resolved=is_resolved)


def write_page(page: str, known: Baselines) -> str:
    """Return `page` with the tables of `known`."""
    trainings, spread = (
        json.loads(path.read_text(encoding="utf-8")) for path in (TRAININGS, SEED_SPREAD)
    )
    blocks = {
        "board": to_markdown(known.board),
        "rates": _rates(known),
        "ratios": _ratios(known),
        "areas": _areas(known),
        "costs": _costs(known, trainings),
        "sizes": _sizes(known),
        "pruning": _pruning(known),
        "reach": _reach(known),
        "seeds": _seeds(known, spread),
    }
    return fill(page, blocks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page's tables, or check them."""
    is_check = asks_for_check(__doc__, arguments)
    page = PAGE.read_text(encoding="utf-8")
    known = read_baselines(cards_of(page) if is_check else newest_cards())
    return write_or_check({PAGE: write_page(page, known)}, is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
