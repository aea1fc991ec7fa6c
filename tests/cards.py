"""Made-up score cards, for tests and benchmarks of the board only.

Nothing here was measured. Each card has the form and the arithmetic of a real one: counts, TPRs
and replicates are drawn from one model, so that paired comparisons, intervals and ranks behave as
those of scored cards do. Such cards are never written into `results/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.board.contest import Rulebook
from harness.card.accepted import Accepted, Distribution, Gain, Share, TriggerCuts
from harness.card.checks import Check
from harness.card.costs import Cost
from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.files import write_card
from harness.card.hardware import (
    Agreement,
    ComparedScores,
    Figure,
    Firmware,
    ScoreDifference,
    StageLatency,
    Verdict,
)
from harness.card.physics import Auc, Histogram, Physics, RocPoints, SignalRate, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.run import (
    Environment,
    IsolationRecord,
    ScoredChallenge,
    ScoredFile,
    StepUsage,
    Submitted,
)
from harness.card.stress import SkippedVariation, Stress, StressedRate, Variation
from harness.card.summary import DataSummary, EventObject, ExampleEvent, ProcessSummary
from harness.challenge import Budget, Evidence, RankingRules, StatedTarget, Target
from harness.data.manifest import load_manifest

N_BACKGROUND = 1_090_000
N_SIGNAL = 40_000
N_REPLICATES = 500
SIGNALS = {"ato4l": "A → 4ℓ", "lq": "LQ → bτ", "h0": "h⁰ → ττ", "hplus": "h⁺ → τν"}
FPRS = (1e-6, 1e-5, 1e-4, 1e-3)
WORKING_POINT = 1e-5
TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=394_080, ff=788_160, dsp=2_280, bram18=1_440),
)
AVAILABLE = {"lut": 1_182_240, "ff": 2_364_480, "dsp": 6_840, "bram18": 4_320}
TYPICAL_RATES = {"ato4l": 8e-4, "lq": 1.5e-4, "h0": 4e-4, "hplus": 6e-4}


def interval(lower: float, upper: float) -> Interval:
    return Interval(lower=lower, upper=upper, method="made up for tests")


def make_challenge(
    *,
    name: str = "sample",
    version: str = "1",
    rules: RankingRules | None = None,
    hidden: Sequence[str] = (),
    synthetic: bool = True,
) -> ScoredChallenge:
    files = [
        ScoredFile(
            name="background.h5",
            process="background",
            role="background",
            title="Background",
            checksum="sha256:" + hashlib.sha256(f"{name}{version}".encode()).hexdigest(),
            n_events=2_180_000,
            n_scored=N_BACKGROUND,
        )
    ]
    files += [
        ScoredFile(
            name=f"{signal}.h5",
            process=signal,
            role="hidden" if signal in hidden else "signal",
            title=title,
            checksum="sha256:" + hashlib.sha256(signal.encode()).hexdigest(),
            n_events=N_SIGNAL,
            n_scored=N_SIGNAL,
        )
        for signal, title in SIGNALS.items()
    ]
    return ScoredChallenge(
        name=name,
        title="Embedded sample (synthetic)" if synthetic else "ADC2021 (v2)",
        version=version,
        synthetic=synthetic,
        files=tuple(files),
        split_key="sample-1",
        split_fractions=(0.4, 0.1, 0.5),
        seed=20211,
        working_point=WORKING_POINT,
        target=TARGET,
        ranking=rules or RankingRules(),
        collision_rate_hz=40e6,
    )


def make_rulebook(*, target: Target = TARGET, **rules: object) -> Rulebook:
    """Make the rulebook of a manifest that gives the sample these ranking rules."""
    sample = load_manifest().challenge("sample")
    targets = (StatedTarget(name="fpga", gate=True, limits=target),)
    ruled = {"ranking": RankingRules.model_validate(rules), "targets": targets}
    return Rulebook(challenge=sample.model_copy(update=ruled))


def make_physics(
    rng: np.random.Generator,
    rates: Mapping[str, float] = TYPICAL_RATES,
    *,
    arithmetic: str = "firmware",
    aucs: Mapping[str, float] | None = None,
    n_background: int = N_BACKGROUND,
) -> Physics:
    """Draw the physics of an entry whose true TPRs at 1e-5 are `rates`.

    A quarter of the threshold's noise is shared by all entries, as where they accept the same
    background events.
    """
    aucs = aucs or {name: 0.75 + 0.04 * i for i, name in enumerate(rates)}
    n_allowed = int(WORKING_POINT * (n_background + 1))
    shared = np.random.default_rng(7).normal(size=N_REPLICATES)
    own = rng.normal(size=N_REPLICATES)
    shift = (0.5 * shared + np.sqrt(0.75) * own) / np.sqrt(max(n_allowed, 1))
    counts = {name: int(rng.poisson(rate * N_SIGNAL)) for name, rate in rates.items()}
    replicates = {
        name: tuple(np.minimum(rng.poisson(count * np.exp(0.7 * shift)) / N_SIGNAL, 1.0).tolist())
        for name, count in counts.items()
    }
    points = tuple(
        _working_point(fpr, counts, aucs, n_background)
        if fpr * (n_background + 1) >= 1
        else UnreachedWorkingPoint(fpr=fpr, not_measured="the test background is too small")
        for fpr in FPRS
    )
    return Physics(
        arithmetic=arithmetic,
        n_background=n_background,
        auc={
            name: Auc(value=value, interval=interval(value - 0.002, value + 0.002))
            for name, value in aucs.items()
        },
        working_points=points,
        replicates=replicates,
        roc={name: _roc(counts[name] / N_SIGNAL, aucs[name]) for name in rates},
        scores=_histogram(aucs, n_background),
    )


def _tpr_at(fpr: float, anchor: float, auc: float) -> float:
    """TPR on a smooth curve through the working point that ends at (1, 1)."""
    anchor = max(anchor, 1e-6)
    log_fpr = np.log(fpr) / np.log(WORKING_POINT)
    bend = 1.0 + 2.5 * (auc - 0.5)
    return float(min(1.0, np.exp(np.log(anchor) * np.clip(log_fpr, 0, 2) ** bend)))


def _working_point(
    fpr: float, counts: Mapping[str, int], aucs: Mapping[str, float], n_background: int
) -> WorkingPoint:
    n_allowed = int(fpr * (n_background + 1))
    rates = {}
    for name, count in counts.items():
        passing = (
            count
            if fpr == WORKING_POINT
            else round(_tpr_at(fpr, count / N_SIGNAL, aucs[name]) * N_SIGNAL)
        )
        tpr = passing / N_SIGNAL
        spread = tpr * 2 * np.sqrt(1 / max(passing, 1) + 0.5 / max(n_allowed, 1))
        rates[name] = SignalRate(
            n_passing=passing,
            n_events=N_SIGNAL,
            tpr=tpr,
            interval=interval(max(0.0, tpr - spread), min(1.0, tpr + spread + 1 / N_SIGNAL)),
            significance_improvement=tpr / np.sqrt(fpr),
        )
    return WorkingPoint(
        fpr=fpr,
        threshold=3.0 - np.log10(fpr),
        is_strict=False,
        n_allowed=n_allowed,
        n_passing=n_allowed,
        fpr_realised=n_allowed / n_background,
        is_low_statistics=n_allowed < 10,
        rates=rates,
    )


def _roc(anchor: float, auc: float) -> RocPoints:
    fpr = np.geomspace(1e-6, 1.0, 61)
    tpr = np.maximum.accumulate([_tpr_at(value, anchor, auc) for value in fpr])
    return RocPoints(fpr=tuple(fpr.tolist()), tpr=tuple(tpr.tolist()))


def _histogram(aucs: Mapping[str, float], n_background: int) -> Histogram:
    edges = np.linspace(-4, 12, 81)
    centres = (edges[1:] + edges[:-1]) / 2

    def bell(mean: float, width: float, n: int) -> tuple[int, ...]:
        shape = np.exp(-0.5 * ((centres - mean) / width) ** 2)
        return tuple(np.round(n * shape / shape.sum()).astype(int).tolist())

    counts = {"background": bell(0.0, 1.2, n_background)}
    counts |= {name: bell(6 * (auc - 0.5), 1.7, N_SIGNAL) for name, auc in aucs.items()}
    return Histogram(edges=tuple(edges.tolist()), counts=counts)


def make_firmware(
    *,
    cycles: int = 6,
    lut: float = 3_200,
    ff: float = 2_100,
    dsp: float = 0,
    bram18: float = 0,
    interval_cycles: int = 1,
    evidence: Evidence = "rtl",
    target: Target = TARGET,
) -> Firmware:
    def figure(value: float, grade: Evidence = evidence) -> Figure:
        return Figure(value=value, evidence=grade, source="made up for tests")

    latency = cycles * target.clock_period_ns
    # Only place and route says what the clock can be.
    timing: Evidence = evidence if evidence == "post_route" else "estimate"
    return Firmware(
        backend="rtl",
        target=target,
        latency_cycles=figure(cycles),
        interval_cycles=figure(interval_cycles),
        clock_period_ns=figure(target.clock_period_ns, timing),
        latency_ns=figure(latency, timing),
        lut=figure(lut),
        ff=figure(ff),
        dsp=figure(dsp),
        bram18=figure(bram18),
        available=AVAILABLE,
        input_bits=57 * 14,
        output_bits=20,
        overflow={"background": 1e-4},
        stages=tuple(StageLatency(stage=f"stage {i}", cycles=1) for i in range(min(cycles, 12))),
        agreements=(
            Agreement(
                witnesses=("HGQ2", "Verilog simulation"),
                n_events=10_000,
                n_different=0,
                is_independent=True,
            ),
        ),
        verdicts=(
            Verdict(
                requirement="latency_ns",
                limit=target.max_latency_ns,
                value=latency,
                unit="ns",
                is_passed=latency <= target.max_latency_ns,
                evidence=evidence,
            ),
            Verdict(
                requirement="lut",
                limit=float(target.budget.lut or 1),
                value=lut,
                unit="",
                is_passed=lut <= (target.budget.lut or lut),
                evidence=evidence,
            ),
        ),
    )


def make_card(
    team: str = "team_x",
    *,
    seed: int = 1,
    rates: Mapping[str, float] = TYPICAL_RATES,
    created: str = "2026-03-01T12:00:00Z",
    title: str = "Variational encoder 57-32-16-3",
    division: str = "trigger",
    challenge: ScoredChallenge | None = None,
    firmware: Firmware | NotMeasured | None = None,
    **changes: object,
) -> ScoreCard:
    """Make a card; `changes` replace fields of it."""
    rng = np.random.default_rng(seed)
    is_open = division == "open"
    physics = make_physics(rng, rates)
    float_rates = {name: min(1.0, rate * 1.06) for name, rate in rates.items()}
    not_for_open = NotMeasured(not_measured="the open division has no firmware")
    fields: dict[str, object] = {
        "created": created,
        "is_official": True,
        "submission": Submitted(
            team=team,
            title=title,
            authors=("A. Physicist", "B. Physicist"),
            division=division,
            description="A small trained network; made up for tests.",
            training_data="the challenge's training background",
            is_supervised=False,
            references=("arXiv:2108.03986",),
            licence="Apache-2.0",
            digest="sha256:" + hashlib.sha256(f"{team}{seed}".encode()).hexdigest(),
        ),
        "challenge": challenge or make_challenge(),
        "model_digest": "sha256:" + hashlib.sha256(f"model{team}{seed}".encode()).hexdigest(),
        "float_physics": make_physics(rng, float_rates, arithmetic="float"),
        "firmware_physics": not_for_open if is_open else physics,
        "cost": not_for_open
        if is_open
        else Cost(
            n_parameters=2_419,
            n_trainable=2_419,
            flops=4_800 + 37 * seed,
            macs=2_384,
            bops=150_000 + 900 * seed,
            weight_bits=14_304,
        ),
        "firmware": not_for_open if is_open else (firmware or make_firmware()),
        "checks": (
            Check(name="batch_size", outcome="same", n_events=10_000, max_difference=0.0),
            Check(name="order", outcome="noise", n_events=10_000, max_difference=1e-6),
        ),
        "isolation": IsolationRecord(kind="bwrap"),
        "usage": {"score": StepUsage(wall_s=4.2, cpu_s=7.9, peak_memory_bytes=812 * 2**20)},
        "environment": Environment(
            harness="0.1.0",
            git_revision="0" * 40,
            python="3.11.9",
            platform="Linux-x86_64",
            processor="test",
            n_cores=2,
            packages={"numpy": "2.4.0"},
        ),
        "scores": NotMeasured(not_measured="not kept"),
        "accepted": make_accepted(rng, physics),
        "cuts": make_cuts(physics, rng),
        "stress": make_stress(),
        "compared": not_for_open if is_open else make_compared(),
    }
    return ScoreCard.model_validate(fields | changes)


def make_compared() -> ComparedScores:
    """Every score of the background the same; three of the first signal differ."""

    def difference(n_events: int, n_different: int) -> ScoreDifference:
        largest = 0.0625 if n_different else 0.0
        return ScoreDifference(n_events=n_events, n_different=n_different, max_difference=largest)

    signals = {name: difference(N_SIGNAL, 0) for name in SIGNALS}
    first = {next(iter(SIGNALS)): difference(N_SIGNAL, 3)}
    return ComparedScores(
        is_rounded=False, by_process={"background": difference(N_BACKGROUND, 0), **signals, **first}
    )


def make_accepted(rng: np.random.Generator, physics: Physics) -> Accepted:
    point = physics.at(WORKING_POINT)
    assert isinstance(point, WorkingPoint)
    passing = {"background": point.n_passing}
    passing |= {name: rate.n_passing for name, rate in point.rates.items()}
    every = {"background": N_BACKGROUND, **dict.fromkeys(SIGNALS, N_SIGNAL)}
    return Accepted(
        fpr=WORKING_POINT,
        arithmetic="firmware",
        passing=_distributions(rng, passing, scale=2.5),
        every=_distributions(np.random.default_rng(11), every, scale=1.0),
        composition={
            "w": Share(n_events=645_000, n_passing=4),
            "qcd": Share(n_events=368_000, n_passing=5),
            "z": Share(n_events=73_000, n_passing=1),
            "ttbar": Share(n_events=4_000, n_passing=0),
        },
    )


def _distributions(
    rng: np.random.Generator, n_events: Mapping[str, int], *, scale: float
) -> tuple[Distribution, ...]:
    def exponential(mean: float, edges: NDArray[np.float64]) -> dict[str, tuple[int, ...]]:
        counts = {}
        for i, (name, n) in enumerate(n_events.items()):
            cumulated = 1 - np.exp(-edges / (mean * scale * (1 + 0.2 * i)))
            shares = np.diff(cumulated)
            counts[name] = tuple(rng.multinomial(n, shares / shares.sum()).tolist())
        return counts

    observables = (
        ("met", "Missing transverse momentum", "GeV", 35.0, np.linspace(0, 250, 26)),
        ("lepton_pt", "Leading lepton pT", "GeV", 30.0, np.linspace(0, 200, 26)),
        ("ht", "HT: sum of the jets' pT", "GeV", 70.0, np.linspace(0, 600, 26)),
        ("n_jet", "Jets", "", 1.0, np.arange(0, 12).astype(float)),
    )
    return tuple(
        Distribution(
            name=name,
            title=title,
            unit=unit,
            edges=tuple(edges.tolist()),
            counts=exponential(mean, edges),
        )
        for name, title, unit, mean, edges in observables
    )


def make_stress() -> Stress:
    """Two variations and one that could not be made; 10 nominal events pass at 1e-5."""

    def rate(fpr: float, n_passing: int, n_gained: int, n_lost: int) -> StressedRate:
        realised = n_passing / N_BACKGROUND
        return StressedRate(
            fpr=fpr,
            n_passing=n_passing,
            fpr_realised=realised,
            interval=interval(0.5 * realised, 2 * realised),
            ratio=realised / (int(fpr * N_BACKGROUND) / N_BACKGROUND),
            n_gained=n_gained,
            n_lost=n_lost,
        )

    made = [
        Variation(
            name=name,
            title=title,
            what="made up for tests",
            n_events=N_BACKGROUND,
            n_selected=n_selected,
            rates=(rate(1e-5, n_passing, 6, 3), rate(1e-3, 100 * n_passing, 300, 90)),
        )
        for name, title, n_selected, n_passing in (
            ("jet_scale_up", "jet energy scale +5 %", N_BACKGROUND, 13),
            ("electron_loss", "electron efficiency −10 %", 1_030_000, 9),
        )
    ]
    skipped = SkippedVariation(
        name="other_tune", title="Other tune", not_measured="tune.h5 is not here"
    )
    return Stress(arithmetic="firmware", variations=(*made, skipped))


def make_cuts(physics: Physics, rng: np.random.Generator) -> TriggerCuts:
    point = make_physics(rng, dict.fromkeys(SIGNALS, 3e-4)).at(WORKING_POINT)
    own = physics.at(WORKING_POINT)
    assert isinstance(point, WorkingPoint)
    assert isinstance(own, WorkingPoint)
    gains: dict[str, Gain | NotMeasured] = {}
    for name, rate in point.rates.items():
        if rate.n_passing == 0:
            gains[name] = NotMeasured(not_measured="the cuts accept no event")
            continue
        ratio = own.rates[name].tpr / rate.tpr
        gains[name] = Gain(ratio=ratio, interval=interval(ratio * 0.6, ratio * 1.6))
    return TriggerCuts(
        thresholds={"lepton_pt": 120.0, "met": 230.0, "ht": 610.0}, point=point, gain=gains
    )


def make_board(
    n_cards: int, *, n_teams: int | None = None, seed: int = 5, n_open: int = 2
) -> list[ScoreCard]:
    """Make cards of several teams: of all sizes and speeds, some over budget, some open."""
    rng = np.random.default_rng(seed)
    n_teams = n_teams or n_cards
    cards = []
    for i in range(n_cards):
        team = i % n_teams
        quality = 10 ** rng.normal(0.0, 0.35)
        rates = {
            name: min(0.5, rate * quality * 10 ** rng.normal(0.0, 0.2))
            for name, rate in TYPICAL_RATES.items()
        }
        lut = float(round(10 ** rng.uniform(2.5, 5.4)))
        day = 1 + i // n_teams
        cards.append(
            make_card(
                f"team_{team:03d}",
                seed=seed * 1000 + i,
                rates=rates,
                created=f"2026-03-{min(day, 28):02d}T{i % 24:02d}:{i % 60:02d}:00Z",
                title=f"Encoder number {i} of {n_cards}",
                division="open" if team < n_open else "trigger",
                firmware=make_firmware(
                    cycles=int(rng.integers(2, 30)) if team % 11 else 240,
                    lut=lut,
                    ff=float(round(lut * rng.uniform(0.3, 1.5))),
                    dsp=float(rng.integers(0, 40)),
                ),
            )
        )
    return cards


def write_board(cards: Sequence[ScoreCard], results: Path) -> list[Path]:
    return [write_card(card, results) for card in cards]


def make_summary(seed: int = 3) -> DataSummary:
    rng = np.random.default_rng(seed)
    n_events = {"background": 2_180_000, **dict.fromkeys(SIGNALS, N_SIGNAL)}
    titles = {"background": "Background", **SIGNALS}
    processes = tuple(
        ProcessSummary(
            process=name,
            title=titles[name],
            role="background" if name == "background" else "signal",
            n_events=n,
            occupancy={
                "met": (1.0,),
                "electron": (0.54, 0.04, 0.002, 0.0001),
                "muon": (0.47, 0.035, 0.001, 0.0),
                "jet": tuple((0.64 * 0.5**i) for i in range(10)),
            },
        )
        for name, n in n_events.items()
    )
    examples = tuple(
        ExampleEvent(process=name, objects=tuple(_event(rng)))
        for name in n_events
        for _ in range(3)
    )
    return DataSummary(
        challenge="sample",
        title="Embedded sample (synthetic)",
        version="1",
        synthetic=True,
        processes=processes,
        distributions=_distributions(rng, n_events, scale=1.0),
        examples=examples,
    )


def _event(rng: np.random.Generator) -> list[EventObject]:
    kinds = ["met", "electron", "muon", *["jet"] * int(rng.integers(1, 6))]
    return [
        EventObject(
            kind=kind,
            pt=float(5 + rng.exponential(30)),
            eta=0.0 if kind == "met" else float(rng.uniform(-3, 3)),
            phi=float(rng.uniform(-np.pi, np.pi)),
        )
        for kind in kinds
    ]
