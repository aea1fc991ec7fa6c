"""Made-up cards of a challenge with a menu, two runs, pile-up and many signals.

Their figures are computed as those of a scoring are, from scores that are drawn.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from harness.card.figures import Interval, NotMeasured
from harness.card.in_trigger import AcceptedShare, MenuRow, MenuSummary
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import ScoredFile
from harness.card.summary import DataSummary
from harness.challenge import Condition, EfficiencyAtRate, NoTarget
from harness.metrics.evaluate import evaluate
from tests.cards import make_card, make_challenge, make_summary

NAME = "menu-2026"
MERIT = EfficiencyAtRate(rate_khz=10.0, input_rate_khz=1000.0)
FPRS = (1e-4, 1e-2, 5e-2)
SIGNALS = tuple(f"signal{i:02}" for i in range(20))
CONDITIONS = (
    Condition(name="run", title="Run", column="run"),
    Condition(name="pile_up", title="Pile-up", column="nPV", edges=(20, 40, 60, 80)),
)
N_BACKGROUND, N_SIGNAL = 4000, 300


@cache
def trigger_physics(
    strength: float = 1.0, *, slope: float = 0.0, n_signals: int = 20, seed: int = 1
) -> Physics:
    """Return the physics of an entry; its scores move with the pile-up by `slope`."""
    generator = np.random.default_rng(seed)
    pile_up = generator.uniform(20.0, 80.0, N_BACKGROUND)
    background = generator.standard_normal(N_BACKGROUND) + slope * (pile_up - 50.0)
    shifts = np.random.default_rng(9).permutation(np.linspace(0.2, 3.0, 20)) * strength
    scores = {
        name: generator.standard_normal(N_SIGNAL) + shift
        for name, shift in zip(SIGNALS[:n_signals], shifts, strict=False)
    }
    every = {"background": background, **scores}
    menu = {name: generator.random(len(one)) < 0.2 for name, one in every.items()}
    hashes = {name: np.arange(len(one), dtype=np.uint64) * 7 for name, one in every.items()}
    return evaluate(
        background,
        scores,
        background_hashes=hashes["background"],
        signal_hashes={name: hashes[name] for name in scores},
        false_positive_rates=FPRS,
        working_point=1e-2,
        seed=3,
        arithmetic="float",
        accepted=menu,
        conditions=CONDITIONS,
        values={"run": np.where(pile_up < 45, 396102.0, 398183.0), "pile_up": pile_up},
    )


def trigger_card(
    team: str = "team_x",
    strength: float = 1.0,
    *,
    slope: float = 0.0,
    n_signals: int = 20,
    hidden: tuple[str, ...] = (),
    seed: int = 1,
) -> ScoreCard:
    """Return a card of the challenge, scored by the entry's own scores."""
    made = make_challenge(name=NAME)
    (background, *_) = made.files
    files = [
        ScoredFile(
            name=f"{name}.h5",
            process=name,
            role="hidden" if name in hidden else "signal",
            title=f"H → {name}",
            checksum="sha256:" + hashlib.sha256(name.encode()).hexdigest(),
            n_events=N_SIGNAL,
            n_scored=N_SIGNAL,
        )
        for name in SIGNALS[:n_signals]
    ]
    challenge = made.model_copy(
        update={
            "files": (background, *files),
            "merit": MERIT,
            "working_point": 1e-2,
            "target": NoTarget(),
            "collision_rate_hz": None,
        }
    )
    nothing = NotMeasured(not_measured="made up for tests")
    return make_card(
        team,
        division="open",
        challenge=challenge,
        seed=seed,
        float_physics=trigger_physics(strength, slope=slope, n_signals=n_signals, seed=seed),
        accepted=nothing,
        cuts=nothing,
        stress=nothing,
        compared=nothing,
    )


def trigger_summary() -> DataSummary:
    """Return a summary whose menu has three algorithms."""

    def row(title: str, n: int, *, alone: bool = True) -> MenuRow:
        interval = Interval(lower=0.0, upper=1.0, method="made up")
        shares = {
            name: AcceptedShare(n_accepted=n, n_events=1000, value=n / 1000, interval=interval)
            for name in ("background", *SIGNALS)
        }
        return MenuRow(title=title, shares=shares, n_alone={"background": 3} if alone else {})

    algorithms = tuple(row(f"L1_Single{n}", n) for n in (90, 30, 10))
    menu = MenuSummary(
        input_rate_khz=1000.0, menu=row("menu", 110, alone=False), algorithms=algorithms
    )
    made = make_summary()
    one = made.processes[-1]
    signals = tuple(one.model_copy(update={"process": name, "title": name}) for name in SIGNALS)
    drawn = tuple(
        each.model_copy(
            update={
                "counts": {
                    "background": each.counts["background"],
                    **dict.fromkeys(SIGNALS, each.counts["background"]),
                }
            }
        )
        for each in made.distributions
    )
    return made.model_copy(
        update={
            "challenge": NAME,
            "menu": menu,
            "processes": (made.processes[0], *signals),
            "distributions": drawn,
            "examples": (),
        }
    )
