"""Scan the autoencoders of jets: how many latent values, and how much signal among the training.

python -m tools.jets_study run FOLDER      train and score each setting; goes on where it stopped
python -m tools.jets_study report FOLDER   draw docs/images/jets-*.svg, print the tables

A setting is a copy of a shipped entry with another `size.json`, trained by its own `train.py` and
scored by `harness score`: one card in FOLDER/results. The signals among the training are tops of
`harness simulate jets` with a seed of their own, so none of the sample's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.formats import DASH
from harness.board.merit import compare_signal
from harness.card.figures import NotMeasured
from harness.card.files import read_card
from harness.card.physics import Auc, Physics
from harness.card.records import ScoreCard
from tools.pages import ROOT, table
from tools.sizes import SUBMISSIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = ROOT / "docs" / "images"
ANOMALY, INVERSE = "jets-anomaly-sample", "jets-inverse-sample"
# Mixed into the training; of each challenge, the signals that are drawn.
MIXED_IN, SEED = "anomaly_top", 90211
SIGNALS = {ANOMALY: ("anomaly_top", "anomaly_gluino"), INVERSE: ("anomaly_qcd",)}
TITLES = {"anomaly_top": "tops", "anomaly_gluino": "gluinos", "anomaly_qcd": "QCD (inverse task)"}
Areas = Mapping["Setting", Mapping[str, Auc]]
MODELS = {"pca": "PCA", "dense_ae": "dense AE"}
LATENT = 6
TICKS = (0, 1, 2, 4, 8, 16, 32, 64)
SHARES = (0.0, 0.01, 0.03, 0.1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One training.

    Attributes
    ----------
    model : str
        Which entry is copied, a name of `MODELS`.
    n_latent : int
        Principal components or values of the bottleneck.
    share : float
        Of tops among all jets that are trained on.
    """

    model: str
    challenge: str = ANOMALY
    n_latent: int = LATENT
    share: float = 0.0

    @property
    def base(self) -> str:
        """Return the entry that is copied."""
        return f"jets_{'inverse_' if self.challenge == INVERSE else ''}{self.model}"

    @property
    def team(self) -> str:
        """Return the name of the copy."""
        return f"{self.base}_d{self.n_latent:02d}_s{100 * self.share:02.0f}"

    def size(self) -> Mapping[str, JsonValue]:
        """Return what its `size.json` holds."""
        if self.model == "pca":
            return {"latent": self.n_latent}
        stated = json.loads((SUBMISSIONS / self.base / "size.json").read_text(encoding="utf-8"))
        first, _, last = stated["widths"]
        return {"widths": [first, self.n_latent, last]}


def latent_scan() -> list[Setting]:
    """Return the settings without signal among the training."""
    return [
        *(Setting(model="pca", n_latent=d) for d in (2, 4, 6, 10, 16, 32)),
        *(Setting(model="pca", challenge=INVERSE, n_latent=d) for d in (1, 2, 3, 4, 6, 16, 32, 64)),
        *(Setting(model="dense_ae", n_latent=d) for d in (2, 6, 16)),
    ]


def contamination_scan() -> list[Setting]:
    """Return the settings of six latent values with more and more tops among the training."""
    return [
        *(Setting(model="pca", share=share) for share in SHARES),
        *(Setting(model="dense_ae", share=share) for share in (0.0, 0.1)),
    ]


def settings() -> list[Setting]:
    """Return every setting once."""
    return list(dict.fromkeys([*contamination_scan(), *latent_scan()]))


# --- running --------------------------------------------------------------------------------------


def run(folder: Path, chosen: Iterable[Setting]) -> None:
    """Train and score what has no card yet."""
    for one in chosen:
        if card_of(folder, one) is None:
            print(f"== {one.team}", flush=True)
            entry = make_entry(folder, one)
            train(folder, entry, one)
            score(folder, entry, one)


def make_entry(folder: Path, one: Setting) -> Path:
    """Copy a shipped entry and change its size."""
    entries = folder / "entries"
    shutil.copytree(SUBMISSIONS / "_kit", entries / "_kit", dirs_exist_ok=True)
    entry = entries / one.team
    shutil.rmtree(entry, ignore_errors=True)
    shutil.copytree(SUBMISSIONS / one.base, entry, ignore=shutil.ignore_patterns("*.h5", "__*"))
    (entry / "size.json").write_text(json.dumps(one.size()) + "\n", encoding="utf-8")
    declaration = entry / "submission.yaml"
    stated = declaration.read_text(encoding="utf-8")
    named = stated.replace(f"team: {one.base}\n", f"team: {one.team}\n", 1)
    declaration.write_text(named, encoding="utf-8")
    return entry


def train(folder: Path, entry: Path, one: Setting) -> None:
    """Run the copy's ``train.py``."""
    command = [sys.executable, "train.py", "--challenge", one.challenge]
    if one.share:
        command += ["--mixed-in", str(signals(folder).resolve()), "--share", str(one.share)]
    subprocess.run(command, cwd=entry, check=True)


def signals(folder: Path) -> Path:
    """Return the file of jets to mix in; simulate it where it is missing (15 s)."""
    path = folder / f"{MIXED_IN}.h5"
    if not path.exists():
        what = ["simulate", "jets", MIXED_IN, "--events", "1000", "--seed", str(SEED)]
        subprocess.run([sys.executable, "-m", "harness.cli", *what, "--out", str(path)], check=True)
    return path


def score(folder: Path, entry: Path, one: Setting) -> None:
    """Score the copy into FOLDER/results."""
    what = ["score", str(entry), "--challenge", one.challenge, "--results", str(folder / "results")]
    subprocess.run(
        [sys.executable, "-m", "harness.cli", *what], check=True, stdout=subprocess.DEVNULL
    )


def card_of(folder: Path, one: Setting) -> ScoreCard | None:
    """Return the card of a setting; None where it was not scored yet."""
    paths = sorted((folder / "results" / one.challenge / one.team).glob("*.json"))
    return read_card(paths[-1]) if paths else None


# --- reporting ------------------------------------------------------------------------------------


def read_cards(folder: Path, chosen: Sequence[Setting]) -> dict[Setting, ScoreCard]:
    """Return the cards of settings.

    Raises
    ------
    SystemExit
        Some are missing.
    """
    found = {one: card_of(folder, one) for one in chosen}
    cards = {one: card for one, card in found.items() if card is not None}
    if missing := [one.team for one in found if one not in cards]:
        raise SystemExit(f"no card of {', '.join(missing)}: `make jets-study` first")
    return cards


def physics_of(card: ScoreCard) -> Physics:
    """Return the physics of a scored setting."""
    physics = card.float_physics
    if isinstance(physics, NotMeasured):
        raise SystemExit(f"{card.submission.team}: {physics.not_measured}")
    return physics


def auc_text(auc: Auc) -> str:
    """Write an AUC with its 95 % interval."""
    return f"{auc.value:.3f} ({auc.interval.lower:.3f} to {auc.interval.upper:.3f})"


def latent_table(cards: Mapping[Setting, ScoreCard]) -> str:
    """Return the AUC by the number of latent values, in Markdown."""
    rows = []
    for one, card in cards.items():
        areas = physics_of(card).auc
        shown = [auc_text(areas[name]) if name in areas else DASH for name in TITLES]
        rows.append((MODELS[one.model], str(one.n_latent), *shown))
    return table(("model", "d", *TITLES.values()), rows)


def contamination_table(cards: Mapping[Setting, ScoreCard]) -> str:
    """Return the AUC by the share of tops, and its paired difference from none, in Markdown."""
    rows = []
    for one, card in cards.items():
        physics = physics_of(card)
        row = [MODELS[one.model], f"{100 * one.share:g} %"]
        for name in SIGNALS[ANOMALY]:
            row.append(auc_text(physics.auc[name]))
            row.append(difference_text(one, cards, name) if one.share else DASH)
        rows.append(row)
    heads = [text for name in SIGNALS[ANOMALY] for text in (TITLES[name], "minus that of 0 %")]
    return table(("model", "tops in training", *heads), rows)


def difference_text(one: Setting, cards: Mapping[Setting, ScoreCard], signal: str) -> str:
    """Write the AUC minus that of the training without tops, over paired replicates."""
    pure = cards[Setting(model=one.model)]
    entries = [Entry(key=card.submission.team, card=card) for card in (cards[one], pure)]
    contest = Rulebook().contest_of(entries)
    found = compare_signal(physics_of(cards[one]), physics_of(pure), signal, contest)
    span = found.difference_span
    return f"{found.difference:+.4f} ({span.lower:+.4f} to {span.upper:+.4f})"


def draw(found: Areas, axes: Axes, of: str, label: str, *, factor: float = 1.0) -> None:
    """Draw the AUC of each signal with its interval against an attribute of the settings."""
    from harness.plots.style import colour

    lines = sorted({(one.challenge, one.model) for one in found})
    names = list(TITLES)
    for challenge, model in lines:
        chosen = [one for one in found if (one.challenge, one.model) == (challenge, model)]
        places = factor * np.array([getattr(one, of) for one in chosen], float)
        for name in SIGNALS[challenge]:
            areas = [found[one][name] for one in chosen]
            values = np.array([area.value for area in areas])
            ends = np.array([(area.interval.lower, area.interval.upper) for area in areas])
            axes.errorbar(
                places,
                values,
                yerr=np.abs(ends.T - values),
                color=colour(names.index(name)),
                linestyle="-" if model == "pca" else "--",
                marker="o" if model == "pca" else "s",
                markersize=4,
                linewidth=1.2,
                label=f"{MODELS[model]}, {TITLES[name]}",
            )
    axes.set(xlabel=label, ylabel="AUC")
    axes.legend(fontsize="x-small")


def report(folder: Path, images: Path = IMAGES) -> str:
    """Draw the two figures; return the tables in Markdown."""
    latent, mixed = (read_cards(folder, scan) for scan in (latent_scan(), contamination_scan()))
    of_latent, of_mixed = (
        {one: physics_of(card).auc for one, card in scan.items()} for scan in (latent, mixed)
    )
    draw_both(of_latent, of_mixed, images)
    return f"{latent_table(latent)}\n{contamination_table(mixed)}"


def draw_both(latent: Areas, mixed: Areas, images: Path) -> None:
    """Write the figures of the two scans."""
    from harness.plots import save
    from harness.plots.style import new_axes, paper_style

    with paper_style({"figure.figsize": (7, 5), "font.size": 14}):
        axes = new_axes()
        draw(latent, axes, "n_latent", "latent values")
        axes.axhline(0.5, color="0.7", linewidth=1, zorder=0)
        axes.set_xscale("symlog", base=2, linthresh=1)
        axes.set_xlim(-0.25, 85)
        axes.set_xticks(TICKS, [str(n) for n in TICKS])
        save(axes, images / "jets-latent.svg")
        axes = new_axes()
        draw(mixed, axes, "share", "tops among the training [%]", factor=100)
        save(axes, images / "jets-contamination.svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("run", "report"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    if options.what == "run":
        options.folder.mkdir(parents=True, exist_ok=True)
        run(options.folder, settings())
    else:
        print(report(options.folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
