"""Write docs/baselines.md from score cards; the same cards give the same page.

python -m tools.baselines_page                   the newest card of each baseline
python -m tools.baselines_page --check           say whether the page is that of its own cards
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from harness.board.contest import Contest, Rulebook
from harness.board.entry import Entry, shown_physics
from harness.board.ranking import (
    Comparison,
    Ranked,
    Ranking,
    compare_merit,
    merit_of,
    merit_span,
    rank,
)
from harness.card.files import read_card
from harness.card.records import (
    Figure,
    Firmware,
    Interval,
    NotMeasured,
    Physics,
    ScoreCard,
    WorkingPoint,
)
from tools.baselines import SEED_SPREAD, SUBMISSIONS, TRAININGS, WHOLE_RUN

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "baselines.md"
RESULTS = ROOT / "results" / "sample"
_CARD = re.compile(r"\[card\]\(\.\./results/sample/([\w.+-]+)/([\w-]+)\.json\)")

# Method and source of each baseline, in the order of the page.
METHODS: Mapping[str, tuple[str, str]] = {
    "met_cut": ("cut on MET", "what a trigger has today"),
    "lepton_pt_cut": ("cut on the leading lepton", "what a trigger has today"),
    "ht_cut": ("cut on HT", "what a trigger has today"),
    "linear_pca": ("residual of a linear PCA", "textbook"),
    "covariance_met": ("covariance of the momenta, and MET", "our own"),
    "dense_ae": ("autoencoder, squared error", "arXiv:2108.03986"),
    "dense_vae_klz": ("VAE encoder, KL divergence", "arXiv:2108.03986"),
    "dense_vae_rz": ("VAE encoder, R_z", "arXiv:2108.03986"),
    "dense_vae_mu2": ("VAE encoder, sum of mu²", "as CMS AXOL1TL"),
    "dense_vae_mu2_w64": ("the same, 64-32", "size"),
    "dense_vae_mu2_b8": ("the same, 8-bit weights", "size"),
    "dense_vae_mu2_b3": ("the same, 3-bit weights", "size"),
    "dense_vae_mu2_w16": ("the same, 16-8", "size"),
    "dense_vae_mu2_w8": ("the same, 8", "size"),
    "dense_vae_mu2_w4": ("the same, 4, two means", "size"),
    "dense_vae_mu2_i8": ("the same, 32-16, not saturating", "size"),
    "dense_vae_mu2_w8_i8": ("the same, 8, not saturating", "size"),
    "team_x": ("VAE encoder, sum of mu², cut, not rounded", "the example entry"),
    "vae_mu2_float": ("`dense_vae_mu2` without quantisers (open)", "its float twin"),
    "cnn_vae": ("convolutional VAE encoder, sum of mu²", "arXiv:2108.03986"),
    "cnn_vae_small": ("the same, fewer filters", "size"),
    "cnn_ae": ("convolutional autoencoder, squared error", "arXiv:2108.03986"),
    "cnn_ae_small": ("the same, fewer filters", "size"),
    "contrastive": ("contrastive encoder, autoencoder on it", "arXiv:2301.04660"),
    "double_ae": ("two decorrelated autoencoders", "arXiv:2111.06417"),
    "flow_distilled": ("the flow, distilled", "arXiv:2110.08508"),
    "flow": ("normalising flow (open)", "arXiv:2110.08508"),
    "isolation_forest": ("isolation forest (open)", "doi:10.1109/ICDM.2008.17"),
    "control_random": ("hash of the event (open)", "control"),
    "control_supervised": ("classifier trained on signals", "control"),
}
CUTS = ("met_cut", "lepton_pt_cut", "ht_cut")
SIZES = tuple(team for team in METHODS if team.startswith("dense_vae_mu2"))
# The network of `dense_vae_mu2` without quantisers.
FLOAT_TWIN = "vae_mu2_float"
CONVOLUTIONS = ("cnn_vae", "cnn_vae_small", "cnn_ae", "cnn_ae_small")
# Of the whole VU9P (FACTS of the part: harness/firmware/parts.py).
AIM_LUT_SHARE, AIM_LATENCY_NS = 0.003, 40.0

# Published figures that were confirmed in their source, by the data that they were made on. The
# challenge's two versions of data give one method different figures, so they share no column.
PUBLISHED = (
    ("dense autoencoder", "v1", "AUC", ("0.954", "0.953", "0.873", "0.956")),
    ("convolutional autoencoder", "v1", "AUC", ("0.959", "0.941", "0.858", "0.948")),
    ("VAE 32-16-3", "v1", "TPR", ("3.8 %", "0.049 %", "0.083 %", "0.063 %")),
    ("VAE 512-256-48", "v1", "TPR", ("8.2 %", "0.14 %", "0.14 %", "0.12 %")),
    ("flow matching", "v2", "AUC", ("0.87 to 0.88", "0.80", "0.66 to 0.69", "0.85")),
    ("sparse autoencoder of pT, 19-24-12-8", "v2", "AUC", ("0.890", "0.814", "0.722", "0.899")),
    ("VAE, sum of mu²", "v2", "AUC", ("0.77", "", "", "")),
    ("VAE, reconstruction error", "v2", "AUC", ("0.889", "", "", "")),
    ("isolation forest", "v2", "AUC", ("0.871", "", "", "")),
)
PUBLISHED_SIGNALS = ("ato4l", "lq", "h0", "hplus")


@dataclass(frozen=True)
class Board:
    """The cards of the baselines, ranked."""

    entries: Mapping[str, Entry]

    @cached_property
    def contest(self) -> Contest:
        """Return what is ranked together."""
        return Rulebook().contest_of(tuple(self.entries.values()))

    @cached_property
    def ranking(self) -> Ranking:
        """Return the ranking of these cards alone."""
        return rank(tuple(self.entries.values()), self.contest)

    @cached_property
    def ranked(self) -> Mapping[str, Ranked]:
        """Return the ranked entries by team, best first."""
        return {item.entry.card.submission.team: item for item in self.ranking.ranked}

    def card(self, team: str) -> ScoreCard:
        """Return the card of `team`."""
        return self.entries[team].card

    def physics(self, team: str) -> Physics:
        """Return what is ranked: the firmware's scores, or the only ones that there are."""
        physics = shown_physics(self.card(team))
        if physics is None:
            raise SystemExit(f"{team}: the card has no physics")
        return physics

    def point(self, team: str) -> WorkingPoint:
        """Return the challenge's working point."""
        point = self.physics(team).at(self.contest.working_point)
        if not isinstance(point, WorkingPoint):
            raise SystemExit(f"{team}: the working point is not reached")
        return point

    def merit(self, team: str, physics: Physics | None = None) -> float:
        """Return the geometric mean of the TPRs, each counted as at least the FPR."""
        point = (physics or self.physics(team)).at(self.contest.working_point)
        if not isinstance(point, WorkingPoint):
            raise SystemExit(f"{team}: the working point is not reached")
        return merit_of({name: rate.tpr for name, rate in point.rates.items()}, self.contest)

    def title(self, signal: str) -> str:
        """Return how a signal is printed."""
        card = self.card(next(iter(self.entries)))
        return next(file.title for file in card.challenge.files if file.process == signal)


def newest_cards(results: Path = RESULTS) -> Mapping[str, Path]:
    """Return the newest card of each baseline that has one."""
    found = {team: sorted((results / team).glob("*.json")) for team in METHODS}
    return {team: paths[-1] for team, paths in found.items() if paths}


def cards_of(page: str, results: Path = RESULTS) -> Mapping[str, Path]:
    """Return the cards that a page was written from, as its links name them."""
    return {team: results / team / f"{stem}.json" for team, stem in _CARD.findall(page)}


def read_board(paths: Mapping[str, Path]) -> Board:
    """Read cards and put them together."""
    return Board(
        {
            team: Entry(card=read_card(paths[team]), key=f"{team}/{paths[team].stem}")
            for team in METHODS
            if team in paths
        }
    )


# --- figures --------------------------------------------------------------------------------------


def percent(value: float) -> str:
    """Write a share as per cent with three significant digits."""
    if not value:
        return "0"
    return f"{100 * value:#.3g}".rstrip(".") if value >= 1e-6 else f"{100 * value:.5f}"


def amount(figure: Figure | NotMeasured) -> str:
    """Write a figure of the firmware."""
    return "not measured" if isinstance(figure, NotMeasured) else f"{figure.value:,.0f}"


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, n_words: int = 1
) -> Iterator[str]:
    """Yield the lines of a table; all columns but the first `n_words` lie right."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * n_words + "--:|" * (len(header) - n_words)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _ranks(board: Board) -> Iterator[str]:
    def line(team: str) -> list[str]:
        item = board.ranked.get(team)
        method, source = METHODS[team]
        return [
            f"{item.rank} ({item.best_rank} to {item.worst_rank})" if item else "",
            f"`{team}`",
            method,
            source,
            _merit(board, team),
            f"[card](../results/sample/{board.entries[team].key}.json)",
        ]

    unranked = sorted(
        (team for team in board.entries if team not in board.ranked), key=board.merit, reverse=True
    )
    header = ("rank", "entry", "method", "source", "geometric mean TPR [%]", "")
    yield from table(header, [line(team) for team in (*board.ranked, *unranked)], n_words=4)
    missing = [f"`{team}`" for team in METHODS if team not in board.entries]
    if missing:
        yield f"Trained, and without a card as yet: {', '.join(missing)}."
        yield ""


def _merit(board: Board, team: str) -> str:
    """Write the figure of merit of an entry with its interval."""
    merit = board.merit(team)
    span = merit_span(board.physics(team), merit, board.contest)
    return f"{percent(merit)} [{percent(span.lower)}, {percent(span.upper)}]"


def _rates(board: Board) -> Iterator[str]:
    def cell(team: str, signal: str) -> str:
        rate = board.point(team).rates[signal]
        span = rate.interval
        return f"{percent(rate.tpr)} [{percent(span.lower)}, {percent(span.upper)}]"

    signals = board.contest.signals
    yield from table(
        ("entry", *(board.title(name) for name in signals)),
        [[f"`{team}`", *(cell(team, name) for name in signals)] for team in board.entries],
    )


def _areas(board: Board) -> Iterator[str]:
    def cell(team: str, signal: str) -> str:
        auc = board.physics(team).auc[signal]
        return f"{auc.value:.4f} [{auc.interval.lower:.4f}, {auc.interval.upper:.4f}]"

    signals = board.contest.signals
    yield from table(
        ("entry", *(board.title(name) for name in signals)),
        [[f"`{team}`", *(cell(team, name) for name in signals)] for team in board.entries],
    )


def _costs(
    board: Board, trainings: Mapping[str, Mapping[str, int]], whole: Mapping[str, int]
) -> Iterator[str]:
    rows = []
    for team in board.entries:
        card = board.card(team)
        if isinstance(card.firmware, NotMeasured) or isinstance(card.cost, NotMeasured):
            continue
        made = card.firmware
        took = trainings.get(team)
        lut = f"{amount(made.lut)} ({_share(made)})"
        cost = card.cost
        rows.append(
            [
                f"`{team}`",
                amount(made.latency_cycles),
                amount(made.latency_ns),
                amount(made.interval_cycles),
                lut,
                amount(made.ff),
                amount(made.dsp),
                f"{cost.flops:,}" if isinstance(cost.flops, int) else "not counted",
                f"{cost.bops:,}" if isinstance(cost.bops, int) else "not counted",
                f"{took['processor_s']}" if took else "none",
            ]
        )
    header = ("entry", "cycles", "ns", "II", "LUT", "FF", "DSP", "FLOPs", "BOPs", "training [s]")
    yield from table(header, rows)
    spent = sum(took["processor_s"] for took in trainings.values())
    yield (
        f"The {len(trainings)} trainings of the table together took {spent / 60:.0f} minutes of "
        "processor time."
    )
    if whole:
        yield (
            f"`make baselines` from nothing, {whole['n_trainings']} trainings with the start of "
            f"TensorFlow for each, took {whole['wall_s'] / 60:.0f} minutes on a machine\nof two "
            f"cores with other work, {whole['processor_s'] / 60:.0f} minutes of processor time."
        )
    yield ""


def _share(made: Firmware) -> str:
    whole = made.available.get("lut")
    if isinstance(made.lut, NotMeasured) or not whole:
        return "share not known"
    return f"{100 * made.lut.value / whole:.2f} %"


def _floats(board: Board) -> Iterator[str]:
    rows = []
    for team in board.entries:
        card = board.card(team)
        if isinstance(card.firmware, NotMeasured) or isinstance(card.float_physics, NotMeasured):
            continue
        compared = [
            f"{agreement.n_different:,} of {agreement.n_events:,}"
            for agreement in card.firmware.agreements
        ]
        rows.append(
            [
                f"`{team}`",
                percent(board.merit(team, card.float_physics)),
                percent(board.merit(team)),
                "; ".join(compared) or "not compared",
            ]
        )
    header = ("entry", "Keras [%]", "firmware [%]", "different scores, by pair of witnesses")
    yield from table(header, rows)


def _sizes(board: Board) -> Iterator[str]:
    rows = []
    for team in (team for team in SIZES if team in board.entries):
        card = board.card(team)
        made = card.firmware
        if isinstance(made, NotMeasured):
            continue
        size = json.loads((SUBMISSIONS / team / "size.json").read_text(encoding="utf-8"))
        layers = "-".join(map(str, (*size["hidden"], size["latent"])))
        item = board.ranked.get(team)
        rows.append(
            [
                f"`{team}`",
                layers,
                str(size["weight_bits"]),
                f"at least {size['min_integer_bits']}" if "min_integer_bits" in size else "trained",
                f"{amount(made.lut)} ({_share(made)})",
                amount(made.latency_ns),
                _merit(board, team),
                "yes" if item and item.is_pareto else "no",
            ]
        )
    header = (
        "entry",
        "layers",
        "weights [bit]",
        "integers [bit]",
        "LUT",
        "ns",
        "geometric mean TPR [%]",
        "on the front",
    )
    yield from table(header, rows)


def _aim(board: Board) -> Iterator[str]:
    small = [team for team in board.ranked if team not in CUTS and _is_small(board, team)]
    told = ", ".join(f"`{team}`" for team in small) if small else "no entry"
    yield (
        f"At most {100 * AIM_LUT_SHARE:.1f} % of the LUTs of a VU9P and at most "
        f"{AIM_LATENCY_NS:.0f} ns have, beside the cuts: {told}."
    )
    yield ""
    if FLOAT_TWIN in board.entries:
        yield from _against_twin(board, small)


def _against_twin(board: Board, small: Sequence[str]) -> Iterator[str]:
    """Compare each size with the float network, and say whether a small one holds its own."""
    yield (
        f"Against `{FLOAT_TWIN}`, the network of `dense_vae_mu2` trained and evaluated without any "
        f"quantiser ({percent(board.merit(FLOAT_TWIN))} %), by paired intervals:"
    )
    yield ""
    held, lowest = [], []
    for team in (team for team in SIZES if team in board.ranked):
        found = compare_merit(board.physics(team), board.physics(FLOAT_TWIN), board.contest)
        yield f"- `{team}`: {_told(found)}{', within both limits' if team in small else ''}."
        if team in small and (not found.is_resolved or found.ratio > 1):
            held.append(f"`{team}`")
            lowest.append(found.ratio_span.lower)
    yield ""
    aim = "Both limits kept with a TPR that is not resolved to be worse than the float network's: "
    if held:
        yield (
            f"{aim}{', '.join(held)}.\nNot resolved is not equal: the intervals leave room for a "
            f"ratio of {min(lowest):.2f}. Seeds are compared below."
        )
    else:
        yield f"{aim}no entry."
    yield ""


def _saturating(board: Board) -> Iterator[str]:
    """Compare sizes whose activations may saturate with those whose can't."""
    for team in (team for team in SIZES if {team, f"{team}_i8"} <= set(board.ranked)):
        wide = f"{team}_i8"
        found = compare_merit(board.physics(wide), board.physics(team), board.contest)
        yield f"- `{wide}` against `{team}`: {_told(found)}."
    yield ""


def _told(found: Comparison) -> str:
    span = found.ratio_span
    word = "resolved" if found.is_resolved else "not resolved"
    return f"ratio {found.ratio:.2f} [{span.lower:.2f}, {span.upper:.2f}], {word}"


def _is_small(board: Board, team: str) -> bool:
    made = board.card(team).firmware
    if isinstance(made, NotMeasured) or isinstance(made.lut, NotMeasured):
        return False
    share = made.lut.value / made.available.get("lut", 1)
    return share <= AIM_LUT_SHARE and board.ranked[team].latency_ns <= AIM_LATENCY_NS


def _convolutions(board: Board) -> Iterator[str]:
    rows = []
    for team in (team for team in CONVOLUTIONS if team in board.entries):
        made = board.card(team).firmware
        if isinstance(made, NotMeasured):
            continue
        size = json.loads((SUBMISSIONS / team / "size.json").read_text(encoding="utf-8"))
        rows.append(
            [
                f"`{team}`",
                " and ".join(map(str, size["filters"])),
                f"{amount(made.lut)} ({_share(made)})",
                amount(made.latency_ns),
                _merit(board, team),
            ]
        )
    yield from table(("entry", "filters", "LUT", "ns", "geometric mean TPR [%]"), rows)


def _against_cuts(board: Board) -> Iterator[str]:
    others = [team for team in board.ranked if team not in CUTS]
    if not others:
        return
    best = others[0]
    for cut in (cut for cut in CUTS if cut in board.entries):
        found = compare_merit(board.physics(best), board.physics(cut), board.contest)
        word = "resolved" if found.is_resolved else "**not resolved**"
        span = found.ratio_span
        yield (
            f"- `{best}` against `{cut}`: ratio {found.ratio:.2f} [{span.lower:.2f}, "
            f"{span.upper:.2f}], {word}."
        )
    yield ""
    better = {team: [cut for cut in CUTS if _is_better(board, team, cut)] for team in others}
    all_three = [f"`{team}`" for team, cuts in better.items() if len(cuts) == len(CUTS)]
    none = [f"`{team}`" for team, cuts in better.items() if not cuts]
    yield f"Resolved to be better than all three cuts: {', '.join(all_three) or 'none'}."
    yield f"Resolved to be better than none of them: {', '.join(none) or 'none'}."
    yield ""


def _is_better(board: Board, first: str, second: str) -> bool:
    found = compare_merit(board.physics(first), board.physics(second), board.contest)
    return found.is_resolved and found.ratio > 1


def _leaders(board: Board) -> Iterator[str]:
    """Yield which entry keeps most of each signal."""
    for signal in board.contest.signals:
        order = sorted(
            (team for team in board.entries if not board.card(team).submission.is_supervised),
            key=lambda team: -board.point(team).rates[signal].tpr,
        )
        told = ", ".join(
            f"`{team}` {percent(board.point(team).rates[signal].tpr)} %" for team in order[:3]
        )
        yield f"- {board.title(signal)}: {told}."
    yield ""


def _published(board: Board) -> Iterator[str]:
    titles = [board.title(name) for name in PUBLISHED_SIGNALS]
    yield from table(
        ("published method", "data", "figure", *titles),
        [[name, data, figure, *cells] for name, data, figure, cells in PUBLISHED],
    )


def _controls(board: Board) -> Iterator[str]:
    if "control_random" in board.entries:
        point, physics = board.point("control_random"), board.physics("control_random")
        rates = [rate.interval for rate in point.rates.values()]
        areas = [auc.interval for auc in physics.auc.values()]
        yield (
            f"- `control_random`, a hash of the event: {_holding(rates, point.fpr)} TPR intervals "
            f"hold the FPR of {point.fpr:g}, {_holding(areas, 0.5)} AUC intervals hold one half. "
            "Of four intervals of 95 % one misses the truth in one try out of five."
        )
    yield "- `control_constant`, the same score for every event: refused; it gets no card."
    if "control_supervised" in board.entries:
        yield (
            "- `control_supervised`, trained on signal events of another seed: "
            f"{percent(board.merit('control_supervised'))} %; declared as supervised and so never "
            "ranked. Labels alone make no ceiling: it is one small network for all four signals, "
            "trained for seconds with a loss that knows no working point."
        )
    else:
        yield "- `control_supervised`, trained on signal events of another seed: no card as yet."
    yield ""


def _holding(intervals: Sequence[Interval], truth: float) -> str:
    n_holding = sum(span.lower <= truth <= span.upper for span in intervals)
    return f"{n_holding} of {len(intervals)}"


def _closure() -> Iterator[str]:
    path = SUBMISSIONS / "double_ae" / "closure.json"
    if not path.exists():
        yield "Not measured: `double_ae` was not trained."
        yield ""
        return
    told = json.loads(path.read_text(encoding="utf-8"))
    yield (
        f"On {told['n_events']:,} background events of the validation part, with two cuts that\n"
        "each keep at most the same share of it (less where quantised errors tie at the cut):"
    )
    yield ""
    header = ("beyond each cut, at most", "events in A", "estimate B C / D", "estimate over count")
    yield from table(
        header,
        [
            [
                f"{100 * row['share']:g} %",
                f"{row['observed']:,}",
                f"{row['estimated']:,.1f}",
                f"{row['ratio']:.3f} ± {row['uncertainty']:.3f}",
            ]
            for row in told["regions"]
        ],
    )


def _seeds(board: Board, spread: Mapping[str, JsonValue]) -> Iterator[str]:
    if not spread:
        yield "Not measured yet: `python -m tools.baselines seeds TEAM...` measures it."
        yield ""
        return
    rows, wider = [], 0
    scattered: dict[str, list[float]] = {}
    for team, found in spread.items():
        if team not in board.entries or not isinstance(found, list):
            continue
        logs = [float(np.log(merit_of(_tpr(item), board.contest))) for item in found]
        scattered[team] = logs
        span = merit_span(board.physics(team), board.merit(team), board.contest)
        width = np.log(span.upper / span.lower) / 2 / 1.96
        rows.append(
            [
                f"`{team}`",
                str(len(found)),
                ", ".join(percent(float(np.exp(value))) for value in logs),
                f"{float(np.std(logs, ddof=1)):.2f}",
                f"{width:.2f}",
            ]
        )
        wider += float(np.std(logs, ddof=1)) > width
    header = (
        "entry",
        "seeds",
        "geometric mean TPR [%] of each",
        "spread of its logarithm",
        "statistical",
    )
    yield from table(header, rows)
    yield (
        f"More from seed to seed than the interval of a card says scatter {wider} of "
        f"{len(rows)} entries;\na rank is that of a training, not of a method."
    )
    yield ""
    if FLOAT_TWIN in scattered:
        others = [team for team in SIZES if team in scattered]
        yield from (_over_seeds(team, scattered[team], scattered[FLOAT_TWIN]) for team in others)
        yield ""


def _over_seeds(team: str, logs: Sequence[float], of_twin: Sequence[float]) -> str:
    """Compare the means over seeds of two trainings (Welch)."""
    from scipy import stats

    found = stats.ttest_ind(logs, of_twin, equal_var=False)
    span = found.confidence_interval(0.95)
    ratio = np.exp(np.mean(logs) - np.mean(of_twin))
    word = "not resolved" if span.low <= 0 <= span.high else "resolved"
    return (
        f"- `{team}` against `{FLOAT_TWIN}`, mean over the seeds of each: ratio {ratio:.2f} "
        f"[{np.exp(span.low):.2f}, {np.exp(span.high):.2f}] (Welch's t, 95 %), {word}."
    )


def _tpr(item: JsonValue) -> dict[str, float]:
    if not isinstance(item, dict) or not isinstance(item["tpr"], dict):
        raise SystemExit(f"{SEED_SPREAD}: not the table that tools/baselines.py writes")
    return {name: float(str(value)) for name, value in item["tpr"].items()}


# --- the page -------------------------------------------------------------------------------------

_HEAD = """\
<!-- Written by tools/baselines_page.py (`make docs-baselines`) from the cards that it links. -->
# Baselines

Known methods as ordinary entries of `submissions/`, trained on background alone and scored by the
harness like any other. All figures of this page but the published ones are read from score cards of
the embedded **sample**, whose events are synthetic: they compare methods with each other and
predict nothing on the challenge's data.

```sh
make baselines                 # train all of them from nothing
make baselines TEAM=dense_ae   # one of them
harness score submissions/dense_ae
make docs-baselines            # this page, from the newest cards
```

On real data: `harness fetch adc2021`, then `make baselines CHALLENGE=adc2021`. A training reads at
most the number of events that its `train.py` names, whatever the file holds, so it takes as long as
on the sample. `submissions/_kit/kit.py` is the training kit: one file to read and to copy.
"""
_TEXTS: Mapping[str, str] = {
    "ranks": """\
## Ranking

At FPR {fpr:g}, of the firmware's scores. Geometric mean over the signals of the TPR, each counted
as at least the FPR. An entry without a rank is open, supervised or a control. Intervals are 95 %.
""",
    "against": """\
## Against what a trigger has today

Paired intervals of the ratio of geometric means, at equal rate:
""",
    "leaders": """\
The three entries, open ones and controls among them, that keep most of each signal; they are points
without a claim that the intervals resolve their order:
""",
    "rates": """\
## TPR

In per cent at FPR {fpr:g} with 95 % intervals, which hold the uncertainty of the threshold.
""",
    "areas": """\
## AUC

With 95 % intervals.
""",
    "costs": """\
## Cost

Cycles, II, LUT, FF and DSP are those of the simulated and synthesised netlist (`rtl`); nanoseconds
are cycles times the clock period, the challenge's or the longer one that a netlist was estimated to
need, and so an estimate. LUT also as a share of the part.
Training is processor time on one core, without the start of TensorFlow; a cut has none.
""",
    "sizes": """\
## What width and bits buy

`dense_vae_mu2` in several sizes. Their `model.py` and `train.py` are the same files; `size.json`
alone differs. "Weights": bits that training starts from; "integers": whether training may take
integer bits off activations. "On the front": no other ranked entry is at least as good in TPR,
latency and LUT and better in one.
""",
    "saturating": """\
Left alone, training takes integer bits off activations, as large values are rare and their loss is
cheap on average; but they are the tail that a trigger cuts on. The least number was set after the
sizes had been held against their float twin on signals of the sample's first version, where the
second pair below had a ratio of 5.2 [2.0, 10.2]. On this version, with and without it:
""",
    "convolutions": """\
## What a convolution costs

At an initiation interval of 1 every position of a filter has multipliers of its own, so the netlist
of a convolution is that of a dense layer with as many products. Quantised, the whole of it fits:
`cnn_vae` and `cnn_ae` have the publication's 16 and 32 filters (with strides for its pooling, and
dense layers for its decoder), their siblings are the same files with fewer.
""",
    "floats": """\
## Keras against firmware

Geometric mean TPR of the scores that Keras computes and of those that the netlist computes. Every
baseline of the trigger division is quantised from the start or has fixed constants, so the two are
the same numbers; what quantisation costs against a float network is told above.
""",
    "published": """\
## Published figures

Confirmed in public sources; the data version is that of the challenge's files, v1 of 2021 or v2 of
2022. TPR at FPR 1e-5. **None of them was made on the sample**, so no figure above is to be held
against one of these; what can be compared is which method is ahead of which.
""",
    "reading": """\
What agrees with the literature: for `flow` the order of the signals in AUC is the one published on
v2 for a flow (A → 4ℓ, h⁺, LQ, h⁰); `dense_ae` has h⁺ a hundredth ahead of A → 4ℓ, as the published
sparse autoencoder has; and on A → 4ℓ both are ahead of the encoders' latent scores, as in the
publications. What does not: the networks published on v1 keep per cents of A → 4ℓ at FPR 1e-5, the
small quantised dense ones here a few tenths of a per cent or less. Other data, other widths and
trainings of a minute stand between the two, and these cards cannot tell them apart.

AUC says little about the working point: `dense_ae` has a better AUC than `covariance_met` on
{n_better_auc} signals of {n_signals}, and {merit_share:.2f} of its geometric mean TPR at that FPR.
It is set by momenta of hundreds of GeV (a cut on MET lies at {met_threshold:.0f} GeV), so a network
whose words saturate below can't order the events that decide; and one number has to weigh a rare
lepton against a large momentum: `covariance_met` puts both on the scale of -ln of the share of
background beyond. Its two terms were chosen with signals of the sample's first version in view (its
`submission.yaml` says how often), which are of the same processes, so it is a par for others, no
evidence of what the method does on signals that nobody has seen.

The penalty on the distance correlation did not make the two errors of `double_ae` independent: they
come together in the tail, so the estimate of its background fails where a trigger would need it.
""",
    "seeds": """\
## Seeds

The same training with five seeds, evaluated on the same events without firmware: the spread of the
logarithm of the geometric mean from seed to seed, and the statistical one of a single card. Only
entries of the table were measured.
""",
    "closure": """\
## ABCD closure of `double_ae`

If the two errors were independent on background, the events that both cuts keep (A) would number
B C / D, where B and C pass one of the cuts and D neither.
""",
    "controls": """\
## Controls
""",
}


def write_page(board: Board) -> str:
    """Return the page."""
    trainings, spread, whole = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for path in (TRAININGS, SEED_SPREAD, WHOLE_RUN)
    )
    told = {
        "fpr": board.contest.working_point,
        "met_threshold": board.point("met_cut").threshold,
        "n_signals": len(board.contest.signals),
        "n_better_auc": sum(
            auc.value > board.physics("covariance_met").auc[signal].value
            for signal, auc in board.physics("dense_ae").auc.items()
        ),
        "merit_share": board.merit("dense_ae") / board.merit("covariance_met"),
    }
    text = {name: part.format(**told) for name, part in _TEXTS.items()}
    lines = [
        _HEAD,
        text["ranks"],
        *_ranks(board),
        text["against"],
        *_against_cuts(board),
        text["leaders"],
        *_leaders(board),
        text["rates"],
        *_rates(board),
        text["areas"],
        *_areas(board),
        text["costs"],
        *_costs(board, trainings, whole),
        text["sizes"],
        *_sizes(board),
        *_aim(board),
        text["saturating"],
        *_saturating(board),
        text["convolutions"],
        *_convolutions(board),
        text["floats"],
        *_floats(board),
        text["seeds"],
        *_seeds(board, spread),
        text["closure"],
        *_closure(),
        text["controls"],
        *_controls(board),
        text["published"],
        *_published(board),
        text["reading"],
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args(arguments)
    if told.check:
        page = PAGE.read_text(encoding="utf-8")
        if write_page(read_board(cards_of(page))) != page:
            print(f"{PAGE} is not that of its cards: run `make docs-baselines`", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(write_page(read_board(newest_cards())), encoding="utf-8")
    print(f"wrote {PAGE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
