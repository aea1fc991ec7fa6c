"""Write the tables of docs/suep.md: efficiencies of the sample, figures of the cards.

python -m tools.suep_page            from the newest card of each entry
python -m tools.suep_page --check    from the cards that the page links; only compare
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.board.formats import amount, percent
from harness.board.rows import SignalCell
from harness.card.costs import ProcessorUse
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from tools.baselines_page import Baselines, rate_text, read_baselines
from tools.pages import ROOT, asks_for_check, fill, table, write_or_check
from tools.suep_sample import efficiencies

PAGE = ROOT / "docs" / "suep.md"
RESULTS = ROOT / "results" / "hlt-suep-sample"
# As the published table has them: the heaviest first.
SIGNALS = ("suep_1000", "suep_700", "suep_400", "suep_125")
HEADER = (
    *("entry", "1000 GeV", "700 GeV", "400 GeV", "125 GeV", "geometric mean"),
    *("parameters", "ms", "fixed calculations"),
)
_CARD = re.compile(r"\]\(\.\./results/hlt-suep-sample/([\w.+-]+)/([\w-]+)\.json\)")


def newest_cards(results: Path = RESULTS) -> dict[str, Path]:
    """Return the newest card of each entry; their names begin with the time."""
    return {folder.name: max(folder.glob("*.json")) for folder in sorted(results.glob("suep_*"))}


def cards_of(page: str, results: Path = RESULTS) -> dict[str, Path]:
    """Return the cards that a page was written from, as its links name them."""
    return {team: results / team / f"{stem}.json" for team, stem in _CARD.findall(page)}


def results_table(paths: Mapping[str, Path]) -> str:
    """Write mistag and cost of each card, best first."""
    if not paths:
        return "No card is here yet."
    known = read_baselines(paths)
    lines = [_line(team, path, known) for team, path in _ordered(paths, known)]
    return table(HEADER, lines)


def _ordered(paths: Mapping[str, Path], known: Baselines) -> list[tuple[str, Path]]:
    return [(team, paths[team]) for team in known.rows if team in paths]


def _line(team: str, path: Path, known: Baselines) -> tuple[str, ...]:
    row, card = known.rows[team], known.cards[team]
    link = f"[`{team}`](../results/{RESULTS.name}/{team}/{path.name})"
    signals = (_mistag(row.merits.get(name)) for name in SIGNALS)
    return (link, *signals, rate_text(row.merit), *_cost(card))


def _mistag(cell: SignalCell | NotMeasured | None) -> str:
    if cell is None or isinstance(cell, NotMeasured):
        return "not measured"
    limits = (percent(one).removesuffix(" %") for one in (cell.value, cell.lower, cell.upper))
    text = "{} [{}, {}]".format(*limits)
    return f"{text}, few events" if cell.is_low_statistics else text


def _cost(card: ScoreCard) -> tuple[str, str, str]:
    cost, used = card.cost, card.processor
    n_parameters = None if isinstance(cost, NotMeasured) else cost.n_parameters
    known = "not measured" if n_parameters is None else amount(n_parameters)
    if not isinstance(used, ProcessorUse):
        return known, "not measured", "not measured"
    span = f"{used.time_ms:.2f} ({used.lowest_ms:.2f} to {used.highest_ms:.2f})"
    return known, span, f"{used.in_references:.3f}"


def page_of(page: str, paths: Mapping[str, Path]) -> str:
    """Return the page with its tables."""
    return fill(page, {"efficiencies": efficiencies(), "results": results_table(paths)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it."""
    is_check = asks_for_check(__doc__, arguments)
    page = PAGE.read_text(encoding="utf-8")
    paths = cards_of(page) if is_check else newest_cards()
    return write_or_check({PAGE: page_of(page, paths)}, is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
