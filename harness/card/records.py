"""The score card: the one immutable record of a scoring, and all that it holds.

A card is read by the leaderboard, the ranking and the pull-request comment, so every figure
carries what is needed to judge it: an interval, an evidence, or the reason why it is missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from harness.card.figures import Band as Band
from harness.card.figures import Count as Count
from harness.card.figures import Interval as Interval
from harness.card.figures import NotMeasured as NotMeasured
from harness.card.figures import Probability as Probability
from harness.card.figures import Text as Text
from harness.card.figures import UnreachedWorkingPoint as UnreachedWorkingPoint
from harness.card.html import table_html
from harness.card.in_trigger import Drift, MenuGain, MenuSummary, Stability
from harness.card.mass import MassFigures
from harness.card.source import SourceCommit
from harness.challenge import (
    AnyTarget,
    Evidence,
    FirmwareChoices,
    Learning,
    Merit,
    Method,
    Name,
    Preselection,
    RankingRules,
    SignalsSeen,
    StatedTarget,
    Target,
    Utc,
    Value,
    input_rate_khz,
    instant,
    point_text,
    weakest,
)

SCHEMA_VERSION = 1
# Raised whenever the same scores would give other figures; only cards of one version are ranked
# together.
SCORER_VERSION = 1

Digest = Annotated[str, Field(pattern=r"^(sha256|md5):[0-9a-f]{32,64}$")]
IsolationKind = Literal["bwrap", "none"]
# How an entry is scored: a network with its firmware; any Python; or not at all, from a file.
Division = Literal["trigger", "open", "declared"]
DIVISIONS: tuple[Division, ...] = ("trigger", "open", "declared")


class Auc(Value):
    """Area under the ROC curve; tied scores count half."""

    value: Probability
    interval: Interval


class SignalRate(Value):
    """Signal efficiency at one working point.

    Attributes
    ----------
    tpr : float
        ``n_passing / n_events``: per preselected event.
    interval : Interval
        Holds the uncertainty of the threshold and that of the signal count.
    significance_improvement : float
        TPR / sqrt(FPR) at the working point's nominal FPR.
    """

    n_passing: Count
    n_events: Count
    tpr: Probability
    interval: Interval
    significance_improvement: float


class WorkingPoint(Value):
    """A threshold on the score, set on test background.

    An event passes if ``score >= threshold``, or ``score > threshold`` if `is_strict`.

    Attributes
    ----------
    fpr : float
        The false positive rate aimed at.
    n_allowed : int
        k = floor(fpr (N + 1)): background events that may pass.
    n_passing : int
        Background events that pass; at most k.
    is_low_statistics : bool
        k < 10: shown, never ranked.
    rates : mapping of signal to SignalRate
        What each signal keeps.
    """

    fpr: Probability
    threshold: float
    is_strict: bool
    n_allowed: Count
    n_passing: Count
    fpr_realised: Probability
    is_low_statistics: bool
    rates: dict[Name, SignalRate]


class RocPoints(Value):
    """Log-spaced points of a ROC curve: TPR at the tightest threshold that keeps each FPR."""

    fpr: tuple[Probability, ...]
    tpr: tuple[Probability, ...]


class Histogram(Value):
    """Counts of scores in common bins, for plots; `edges` has one entry more than counts."""

    edges: tuple[float, ...]
    counts: dict[Name, tuple[Count, ...]]


class SignalMerit(Value):
    """The figure of merit of one signal.

    Attributes
    ----------
    n_background, n_signal : int
        Events that pass the cut that it is measured at; of an AUC, all test events.
    is_low_statistics : bool
        Too few events decide it: shown, never ranked.
    """

    value: float
    interval: Interval
    n_background: Count
    n_signal: Count
    is_low_statistics: bool


class MeasuredMerit(Value):
    """The challenge's figures of merit, where they are no rates at its working point.

    Attributes
    ----------
    replicates : mapping of signal to tuple of float
        The figure in each of the keyed bootstrap replicates, as in `Physics`.
    """

    merit: Merit
    signals: dict[Name, SignalMerit | NotMeasured]
    replicates: dict[Name, tuple[float, ...]]


class Accuracy(Value):
    """Share of events on the right side of the best cut, for as many background as signal events.

    Attributes
    ----------
    interval : Interval
        For the cuts that were chosen.
    n_background, n_signal : int
        Events that were judged.
    """

    value: Probability
    interval: Interval
    n_background: Count
    n_signal: Count


class Physics(Value):
    """How well one set of scores tells signals from background.

    Attributes
    ----------
    arithmetic : str
        Whose scores these are: the ``float`` network's or the ``firmware``'s.
    replicates : mapping of signal to tuple of float
        TPR at the challenge's working point in each of the keyed bootstrap replicates; replicate
        i of two cards of one challenge weighs every event alike, so cards can be compared in
        pairs.
    merit : MeasuredMerit or None
        What the challenge ranks; None where that is what `working_points` and `replicates` hold.
    menu : MenuGain or None
        What the scores add to the menu of the trigger, where the challenge has one.
    stability : Stability or None
        The rates of the working points by run, pile-up and the like, where the challenge has them.
    mass : MassFigures or None
        What cuts on the score do to the mass of the events, where the challenge states one.
    accuracy : mapping of signal to Accuracy, or None
        Of a tagger, where the challenge ranks the rejection of background.
    """

    arithmetic: Literal["float", "firmware"]
    n_background: Count
    auc: dict[Name, Auc]
    working_points: tuple[WorkingPoint | UnreachedWorkingPoint, ...]
    replicates: dict[Name, tuple[Probability, ...]]
    roc: dict[Name, RocPoints]
    scores: Histogram | None = None
    merit: MeasuredMerit | None = Field(default=None, exclude_if=lambda merit: merit is None)
    menu: MenuGain | None = Field(default=None, exclude_if=lambda menu: menu is None)
    stability: Stability | None = Field(default=None, exclude_if=lambda found: found is None)
    mass: MassFigures | None = Field(default=None, exclude_if=lambda found: found is None)
    accuracy: dict[Name, Accuracy] | None = Field(
        default=None, exclude_if=lambda found: found is None
    )

    def at(self, fpr: float) -> WorkingPoint | UnreachedWorkingPoint:
        """Return the working point whose nominal FPR is `fpr`.

        Raises
        ------
        KeyError
            There is none.
        """
        for point in self.working_points:
            if point.fpr == fpr:
                return point
        raise KeyError(fpr)


class Compression(Value):
    """The weights that values are multiplied by (the kernels), after quantisation.

    Attributes
    ----------
    n_weights, n_zero : int
        All of them, and those that are zero.
    zero_share : float
        The second by the first.
    bits_per_weight : float
        Mean width of those that are not zero, sign bit included; 0 if all are zero.
    """

    n_weights: Count
    n_zero: Count
    zero_share: Probability
    bits_per_weight: float = Field(ge=0)


class Cost(Value):
    """What one event costs the network.

    Attributes
    ----------
    flops : int or NotMeasured
        Floating-point operations as TensorFlow's profiler counts them (MAC = 2).
    flops_on_weights : int
        Operations on weights alone, such as batch normalisation's scale: done once, not per
        event, and so not among `flops`; keras-flops's own total is the sum of both.
    uncounted_operations : mapping of str to int
        Graph operations that the profiler has no formula for, with the number of values that
        they give per event.
    bops : int or NotMeasured
        Bit operations: sum over multiplications of the product of the operands' widths.
    weight_bits : int
        Bits to store all weights at their own widths.
    compression : Compression, NotMeasured or None
        The zeros among the weights and the bits of the others. Older cards have none.
    """

    n_parameters: Count
    n_trainable: Count
    flops: Count | NotMeasured
    flops_by_operation: dict[str, Count] = Field(default_factory=dict)
    flops_on_weights: Count = 0
    uncounted_operations: dict[str, Count] = Field(default_factory=dict)
    macs: Count | NotMeasured
    bops: Count | NotMeasured
    weight_bits: Count | NotMeasured
    compression: Compression | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )


class ProcessorUse(Value):
    """What one event costs a processor, scored by itself.

    Attributes
    ----------
    time_ms, lowest_ms, highest_ms : float
        Processor time of one event: the median of `repeats` measurements, and the ends of all.
    reference_ms : float
        Processor time of a fixed calculation in the same minute, by which machines can be compared.
    peak_memory_mb : float
        Of the process that scores, in units of 2**20 bytes.
    wall_ms : float or None
        Time that passed for one event, by the median: whatever else ran on the machine is in it.
        Older cards have none.
    """

    time_ms: float = Field(ge=0)
    lowest_ms: float = Field(ge=0)
    highest_ms: float = Field(ge=0)
    repeats: Count
    n_events: Count
    reference_ms: float = Field(gt=0)
    peak_memory_mb: float = Field(ge=0)
    wall_ms: float | None = Field(default=None, ge=0, exclude_if=lambda wall: wall is None)

    @property
    def in_references(self) -> float:
        """Processor time of one event, in times of the fixed calculation."""
        return self.time_ms / self.reference_ms


Outcome = Literal["passed", "undecided", "failed"]


class Figure(Value):
    """A figure of the firmware with the kind of evidence behind it.

    Attributes
    ----------
    source : str
        The tool, its version and what it read the figure from.
    band : Band or None
        Of an estimate, if it is known; a figure without it is taken as it is.
    """

    value: float
    evidence: Evidence
    source: Text
    band: Band | None = Field(default=None, exclude_if=lambda band: band is None)

    def times(self, period: Figure, source: str | None = None) -> Figure:
        """Multiply cycles by their period; the evidence is the weaker one, the band the period's.

        Examples
        --------
        >>> cycles = Figure(value=3, evidence="rtl", source="simulation")
        >>> band = Band(lower=4, upper=6)
        >>> found = cycles.times(Figure(value=5, evidence="estimate", source="cells", band=band))
        >>> found.value, found.evidence, found.band.upper, found.compare(16), found.compare(18)
        (15.0, 'estimate', 18.0, 'undecided', 'passed')
        """
        band = period.band
        return Figure(
            value=self.value * period.value,
            evidence=weakest((self.evidence, period.evidence)),
            source=self.source if source is None else source,
            band=band and Band(lower=self.value * band.lower, upper=self.value * band.upper),
        )

    def compare(self, limit: float) -> Outcome:
        """Compare it with a limit: undecided if this lies within its band."""
        band = self.band or Band(lower=self.value, upper=self.value)
        if band.upper <= limit:
            return "passed"
        return "failed" if band.lower > limit else "undecided"


class Verdict(Value):
    """One requirement of the challenge compared with one figure.

    Attributes
    ----------
    is_undecided : bool
        The limit lies within the band of an estimate: then it is not passed.
    """

    requirement: Name
    limit: float
    value: float
    unit: str = Field(max_length=16)
    is_passed: bool
    is_undecided: bool = Field(default=False, exclude_if=lambda is_so: not is_so)
    evidence: Evidence


# The witness that is made by another translator than the netlist, and what a note says without it.
SECOND_TRANSLATOR = "hls4ml's compiled C simulation"
NO_SECOND_TRANSLATOR = "no second translator checked the scores"


class Agreement(Value):
    """Two witnesses that computed the scores of the same events, bit for bit."""

    witnesses: tuple[str, str]
    n_events: Count
    n_different: Count
    is_independent: bool
    note: Text = ""


class ScoreDifference(Value):
    """Scores of the same events in two arithmetics.

    Attributes
    ----------
    max_difference : float
        Largest difference of an event's two scores, in the units of the score.
    """

    n_events: Count
    n_different: Count
    max_difference: float = Field(ge=0)


class ComparedScores(Value):
    """The network's scores compared with the firmware's, over all events that were scored.

    Attributes
    ----------
    is_rounded : bool
        Whether the firmware is of a float network that was rounded to its declared precision. Then
        the scores differ by this rounding; otherwise the float32 of Keras is all that may differ.
    by_process : mapping of str to ScoreDifference
        ``background``, and each signal.
    """

    is_rounded: bool
    by_process: dict[Name, ScoreDifference]

    @property
    def explanation(self) -> str:
        """Why scores differ; empty if none does."""
        if not any(one.n_different for one in self.by_process.values()):
            return ""
        if self.is_rounded:
            return "the firmware is of the network rounded to its declared precision"
        return (
            "Keras rounds in float32: in float64 the events that differ most have the firmware's "
            "score"
        )


# Longer names of layers are cut.
MAX_STAGE_NAME = 200
StageName = Annotated[str, Field(max_length=MAX_STAGE_NAME)]


class FixedWidths(Value):
    """The fixed-point words to which a float network was rounded.

    Attributes
    ----------
    is_chosen : bool
        Whether the harness chose them by the ranges of training events (``precision: auto``).
    input : tuple of str
        One word for all inputs of the network, one for each feature, or one for each input.
    weights, activations : str
        Words of layers that have none of their own.
    layers : dict
        By the names of layers, their own ``weights`` and ``activations``.
    """

    is_chosen: bool
    input: tuple[str, ...] = Field(max_length=10_000)
    weights: str = Field(max_length=80)
    activations: str = Field(max_length=80)
    layers: dict[str, dict[Literal["weights", "activations"], str]] = Field(max_length=1_000)


class StageLatency(Value):
    """Clock cycles that one stage of the firmware takes; the stages of a network add up."""

    stage: StageName
    cycles: float = Field(ge=0)


class Artefact(Value):
    """A file kept beside the card."""

    name: str = Field(max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    n_bytes: Count


class TriedDepth(Value):
    """A pipeline of another depth, synthesised for the smallest latency in ns.

    Attributes
    ----------
    latency_cycles : int
        As the target counts them.
    clock_period_ns, latency_ns : float
        The shortest clock period of its netlist by estimate, and the latency at this clock.
    """

    latency_cycles: Count
    clock_period_ns: float = Field(gt=0)
    latency_ns: float = Field(gt=0)
    lut: Count
    ff: Count
    dsp: Count


class ScoreWord(Value):
    """The word of the score at the firmware's output.

    Attributes
    ----------
    word : str
        ``fixed<W,I>`` or ``ufixed<W,I>``.
    step : float
        Value of its lowest bit: the integer of the word times this is the score.
    """

    word: str = Field(max_length=80)
    step: float = Field(gt=0)


class Firmware(Value):
    """The firmware of a network: its timing and resources, each with its evidence.

    Attributes
    ----------
    score_word : ScoreWord or None
        Of firmware that was translated here; None in cards that do not say it.
    choices : FirmwareChoices or None
        What the participant chose of firmware that was made here; None in cards that do not say it.
    tried_depths : tuple of TriedDepth
        Pipelines of other depths, by their cycles, where the smallest latency was asked for. No
        other figure is of them, and none is ranked.
    unchecked : tuple of str or None
        Of reports that were handed in: what of them could not be compared with the submission.
    """

    backend: Name
    is_handed_in: bool = False
    target: Target
    latency_cycles: Figure | NotMeasured
    interval_cycles: Figure | NotMeasured
    clock_period_ns: Figure | NotMeasured
    latency_ns: Figure | NotMeasured
    lut: Figure | NotMeasured
    ff: Figure | NotMeasured
    dsp: Figure | NotMeasured
    bram18: Figure | NotMeasured
    other_cells: dict[str, Count] = Field(default_factory=dict)
    available: dict[Name, Count] = Field(default_factory=dict)
    input_bits: Count | NotMeasured
    output_bits: Count | NotMeasured
    score_word: ScoreWord | None = Field(default=None, exclude_if=lambda word: word is None)
    choices: FirmwareChoices | None = Field(default=None, exclude_if=lambda made: made is None)
    tried_depths: tuple[TriedDepth, ...] = Field(default=(), exclude_if=lambda tried: not tried)
    overflow: dict[str, Probability] = Field(default_factory=dict)
    stages: tuple[StageLatency, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    notes: tuple[Text, ...] = ()
    # None where the figures were made here, and in cards that do not say it.
    unchecked: tuple[Text, ...] | None = Field(default=None, exclude_if=lambda names: names is None)

    @property
    def is_within_target(self) -> bool:
        """Whether every requirement was measured and passed."""
        return bool(self.verdicts) and all(verdict.is_passed for verdict in self.verdicts)


class ChangedRate(Value):
    """TPR of signal events before and after they were changed, or of published and fresh ones.

    Attributes
    ----------
    difference : Interval
        Of after minus before: paired where the events are the same, else of two samples.
    """

    before: Probability
    after: Probability
    difference: Interval


class Check(Value):
    """One integrity check of the scores.

    Attributes
    ----------
    outcome : str
        ``same`` (bit for bit), ``noise`` (within the arithmetic's tolerance), ``leak`` (a score
        depends on more than its own event) or ``diagnostic`` (no verdict is drawn).
    max_difference : float
        Largest difference, in units of the spread of the scores, or of an event's distance from
        their median where that is larger.
    rates : mapping of signal to ChangedRate
        Of a diagnostic, at the challenge's working point if that was reached.
    """

    name: Name
    outcome: Literal["same", "noise", "leak", "diagnostic"]
    n_events: Count
    max_difference: float
    detail: Text = ""
    rates: dict[Name, ChangedRate] = Field(default_factory=dict)

    @property
    def is_of_other_events(self) -> bool:
        """Whether it needs a feature that these events have not: pages leave it out."""
        return not self.n_events and self.detail.startswith("not measured: the layout has no ")


class Distribution(Value):
    """Counts of events in bins of one observable; the outermost bins also hold what is beyond.

    Attributes
    ----------
    name, title, unit : str
        ``met``, "Missing transverse momentum", "GeV"; the unit of a count is empty.
    edges : tuple of float
        One more than there are bins.
    counts : mapping of process to tuple of int
        Events of each process in each bin.
    """

    name: Name
    title: str = Field(max_length=80)
    unit: str = Field(max_length=16)
    edges: tuple[float, ...]
    counts: dict[Name, tuple[Count, ...]]


class Share(Value):
    """How many events of one origin there are, and how many of them pass."""

    n_events: Count
    n_passing: Count


class Accepted(Value):
    """What the entry accepts at the challenge's working point.

    Attributes
    ----------
    arithmetic : str
        Whose scores chose the events.
    passing, every : tuple of Distribution
        The same observables of the events that pass and of every test event.
    composition : mapping of origin to Share, or NotMeasured
        Of which processes the accepted background is made, where the simulation knows it.
    """

    fpr: Probability
    arithmetic: Literal["float", "firmware"]
    passing: tuple[Distribution, ...]
    every: tuple[Distribution, ...]
    composition: dict[Name, Share] | NotMeasured


class Gain(Value):
    """TPR of the entry over that of today's cuts at the same rate; paired interval."""

    ratio: float = Field(ge=0)
    interval: Interval


class TriggerCuts(Value):
    """What a trigger of simple cuts keeps at the same rate: any of its observables over its cut.

    Attributes
    ----------
    thresholds : mapping of observable to float
        The cuts [GeV], each passed by the same number of background events.
    point : WorkingPoint
        Rate and TPR of the cuts together.
    gain : mapping of signal to Gain or NotMeasured
        TPR of the entry divided by that of the cuts.
    """

    thresholds: dict[Name, float]
    point: WorkingPoint
    gain: dict[Name, Gain | NotMeasured]


class StressedRate(Value):
    """What a threshold that was set on nominal background lets pass of varied background.

    Attributes
    ----------
    fpr : float
        The nominal false positive rate of the working point.
    n_passing : int
        Varied events that pass.
    fpr_realised : float
        Per nominal event: events that the variation lost are among those counted.
    interval : Interval
        Of `fpr_realised`, for this threshold.
    ratio : float or NotMeasured
        `fpr_realised` over the rate that nominal background realises at this threshold.
    n_gained, n_lost : int or None
        Events that pass varied and not nominal, and the other way round; None where the varied
        events are others.
    drift : Drift, NotMeasured or None
        Of a second simulation: `ratio` minus 1 with its interval, which holds the uncertainty of
        the threshold.
    """

    fpr: Probability
    n_passing: Count
    fpr_realised: Probability
    interval: Interval
    ratio: float | NotMeasured
    n_gained: Count | None = None
    n_lost: Count | None = None
    drift: Drift | NotMeasured | None = Field(default=None, exclude_if=lambda one: one is None)


class ChangedArea(Value):
    """Area under the ROC curve with the nominal simulation, and with a second one."""

    before: Auc
    after: Auc


class Variation(Value):
    """Background, or a signal, as another detector or another simulation would give it.

    Attributes
    ----------
    n_events : int
        Nominal events that were varied, or events of the other simulation.
    n_selected : int
        Those of them that still pass the preselection of the data set.
    variation_of : str or None
        The process of which it is a second simulation, where the challenge says so.
    rates : tuple of StressedRate
        Of background.
    signal_rates : mapping of FPR, as text, to ChangedRate
        Of a second simulation of a signal: its TPR at the thresholds of nominal background.
    auc : mapping of signal to ChangedArea
        Of a second simulation; of a signal with that of the background, where there is one.
    """

    name: Name
    title: str = Field(max_length=80)
    what: Text
    n_events: Count
    n_selected: Count
    variation_of: Name | None = Field(default=None, exclude_if=lambda one: one is None)
    rates: tuple[StressedRate, ...]
    signal_rates: dict[str, ChangedRate] = Field(
        default_factory=dict, exclude_if=lambda found: not found
    )
    auc: dict[Name, ChangedArea] = Field(default_factory=dict, exclude_if=lambda one: not one)


class SkippedVariation(Value):
    """A variation that could not be made, with the reason."""

    name: Name
    title: str = Field(max_length=80)
    not_measured: Text


class Stress(Value):
    """How stable the rate is: thresholds fixed on nominal background, background varied.

    Attributes
    ----------
    arithmetic : str
        Whose scores these are.
    """

    arithmetic: Literal["float", "firmware"]
    variations: tuple[Variation | SkippedVariation, ...]


class Submitted(Value):
    """What the participants say of their entry, and the digest of the folder that was scored.

    Attributes
    ----------
    learning, signals_seen, method : str or None
        None: not stated, as on all cards that were made before they could be.
    trained_on : tuple of str
        Kinds of data that the weights were made from; empty: not stated.
    received : str or None
        When the organiser received it, which counts for the deadline; None: when it was scored.
    source : SourceCommit or None
        Where the scored folder can be read; None where nobody knows a commit that holds it.
    """

    team: Name
    title: Text
    authors: tuple[Text, ...]
    division: Division
    description: Text
    method: Method | None = None
    method_detail: Text | None = None
    training_data: Text
    trained_on: tuple[Text, ...] = ()
    learning: Learning | None = None
    is_supervised: bool
    signals_seen: SignalsSeen | None = None
    references: tuple[Text, ...]
    licence: Text
    digest: Digest
    received: Utc | None = None
    source: SourceCommit | None = Field(default=None, exclude_if=lambda source: source is None)

    @property
    def stated_learning(self) -> Learning | None:
        """The kind of learning; None where all that was said is that it is not supervised."""
        return "supervised" if self.is_supervised else self.learning


class ScoredFile(Value):
    """A data file that took part, as it was found.

    Attributes
    ----------
    role : str or None
        As in the manifest; figures of a ``hidden`` signal are never shown to the public.
    title : str
        How the process is printed; empty: by its name.
    """

    name: str = Field(max_length=200)
    process: Name
    role: Literal["background", "signal", "hidden", "blackbox"] | None = None
    title: str = Field(default="", max_length=80)
    checksum: Digest
    n_events: Count
    n_scored: Count


def _without_impossible_deadline(rules: object) -> object:
    """Leave out a deadline that is no time: harness once wrote such, and cards load for ever."""
    if isinstance(rules, dict) and isinstance(deadline := rules.get("deadline"), str):
        try:
            instant(deadline)
        except ValueError:
            return {**rules, "deadline": None}
    return rules


class ScoredChallenge(Value):
    """The data and the rules that the scores were made with.

    Attributes
    ----------
    ranking : RankingRules
        The rules as they stood; a board ranks by those of its newest card, or by the manifest's.
    merit : Merit or None
        What is ranked; None: the TPR at the working point.
    target : Target, CpuTarget or NoTarget
        The gate: what does not keep its limits is not ranked.
    split_key : str
        Digest of the split's key, see `harness.challenge.digest_of_key`; old cards hold the key.
    preselection : Preselection or None
        What every event passed; old cards do not say it.
    collision_rate_hz : float or None
        Collisions that the trigger sees; turns a false positive rate into a rate in Hz.
    """

    name: Name
    title: Text
    version: str
    synthetic: bool
    files: tuple[ScoredFile, ...]
    split_key: str
    split_fractions: tuple[Probability, Probability, Probability]
    seed: int
    working_point: Probability
    merit: Merit | None = Field(default=None, exclude_if=lambda merit: merit is None)
    target: AnyTarget
    other_targets: tuple[StatedTarget, ...] = Field(default=(), exclude_if=lambda found: not found)
    ranking: Annotated[RankingRules, BeforeValidator(_without_impossible_deadline)] = Field(
        default_factory=RankingRules
    )
    preselection: Preselection | None = Field(default=None, exclude_if=lambda one: one is None)
    collision_rate_hz: float | None = Field(default=None, gt=0)

    @property
    def is_of_collisions(self) -> bool:
        """Whether the events are collisions, as those of ADC2021 are: texts speak of them then.

        Events whose own rate the merit states were not chosen from collisions.
        """
        is_all = input_rate_khz(self.merit) is not None
        has_rate = self.collision_rate_hz is not None and not is_all
        return has_rate or self.preselection is not None


class IsolationTrial(Value):
    """What was tried of the sandbox on this machine, within a day before the scoring.

    A card is written only where every guard holds.

    Attributes
    ----------
    tried : str
        When, in UTC.
    guards : mapping of str to str
        The guards that were tried, and what each of them was found to keep; after "not tried", a
        part of it that this machine does not let anyone try.
    """

    tried: Utc
    guards: dict[Name, Text]


class IsolationRecord(Value):
    """How untrusted code was kept apart: ``bwrap``, or ``none`` after an explicit ``--unsafe``."""

    kind: IsolationKind
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    trial: IsolationTrial | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")

    @property
    def summary(self) -> str:
        """The kind, whether its guards were tried, and who counted the memory."""
        if isinstance(self.trial, NotMeasured):
            guards = f"guards not tried: {self.trial.not_measured}"
        else:
            guards = f"{len(self.trial.guards)} guards tried at {self.trial.tried}, all hold"
        memory = self.detail.get("memory")
        counted = [f"memory {memory}"] if isinstance(memory, str) else []
        return "; ".join([self.kind, guards, *counted])


class StepUsage(Value):
    """What a stage used."""

    wall_s: float = Field(ge=0)
    cpu_s: float = Field(ge=0)
    peak_memory_bytes: Count


class Environment(Value):
    """What the scorer ran on."""

    harness: str
    git_revision: str | NotMeasured
    python: str
    platform: str
    processor: str
    n_cores: Count
    packages: dict[str, str]


def _edges(interval: Interval) -> str:
    return f"[{interval.lower:.3g}, {interval.upper:.3g}]"


class ImageSquares(Value):
    """One channel of an image, summed over squares: those that are not zero.

    Attributes
    ----------
    row, column : tuple of int
        Of each square.
    value : tuple of float
        Sum of its pixels.
    """

    channel: Name
    row: tuple[Count, ...]
    column: tuple[Count, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _has_as_many(self) -> ImageSquares:
        if not len(self.row) == len(self.column) == len(self.value):
            raise ValueError("rows, columns and values are not equally many")
        return self


class ExampleImage(Value):
    """An image for the event display.

    Attributes
    ----------
    side : int
        Pixels along a square.
    n_rows, n_columns : int
        Squares.
    """

    side: int = Field(ge=1)
    n_rows: int = Field(ge=1)
    n_columns: int = Field(ge=1)
    channels: tuple[ImageSquares, ...]


class ReconstructedImage(Value):
    """An image, and what an autoencoder makes of it."""

    process: Name
    image: ExampleImage
    again: ExampleImage


class Reconstruction(Value):
    """What an autoencoder makes of images.

    Attributes
    ----------
    sums : mapping of process to tuple of pairs
        Sum over the image and over its reconstruction, of some events.
    """

    sums: dict[Name, tuple[tuple[float, float], ...]]
    examples: tuple[ReconstructedImage, ...]


class ScoreCard(Value):
    """The record of one scoring.

    Attributes
    ----------
    scorer_version : int
        Cards of different scorer versions are never ranked together.
    sequence : int or None
        Counts the cards of a challenge in the order in which one folder of results got them; of two
        cards there, that of the higher number is the later, whatever the clock said. Cards of
        earlier harnesses have none.
    is_official : bool
        Whether the whole data set was scored in isolation with every stage that the division
        asks for; why not is in `unofficial_because`.
    """

    schema_version: Literal[1] = 1
    scorer_version: int = SCORER_VERSION
    created: Utc
    sequence: Annotated[int, Field(ge=1, le=2**53)] | None = None
    is_official: bool
    unofficial_because: tuple[Text, ...] = ()
    submission: Submitted
    challenge: ScoredChallenge
    model_digest: Digest | NotMeasured
    float_physics: Physics | NotMeasured
    firmware_physics: Physics | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    checks: tuple[Check, ...] | NotMeasured
    isolation: IsolationRecord
    usage: dict[Name, StepUsage]
    environment: Environment
    scores: Artefact | NotMeasured
    accepted: Accepted | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    cuts: TriggerCuts | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    stress: Stress | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    processor: ProcessorUse | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )
    reconstruction: Reconstruction | None = Field(default=None, exclude_if=lambda one: one is None)
    precision: FixedWidths | None = Field(default=None, exclude_if=lambda one: one is None)
    rounded_physics: Physics | None = Field(default=None, exclude_if=lambda one: one is None)
    unrounded_physics: Physics | None = Field(default=None, exclude_if=lambda one: one is None)
    compared: ComparedScores | NotMeasured = NotMeasured(
        not_measured="not recorded by this scoring"
    )
    warnings: tuple[Text, ...] = ()

    def __repr__(self) -> str:
        """Say in a line whose card this is: its fields hold thousands of numbers."""
        kind = "official" if self.is_official else "unofficial"
        return (
            f"<ScoreCard of {self.submission.team} on {self.challenge.name}, {kind}, "
            f"{self.created}; `harness show FILE` prints it>"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Show the figures that count in a notebook; text of the team is made harmless."""
        shown = [self.firmware_physics, self.float_physics]
        physics = next((one for one in shown if isinstance(one, Physics)), None)
        said, about = self.submission, self.challenge
        header, rows, notes = ["signal", "AUC"], [], [f"{said.division} division, {self.created}"]
        if not self.is_official:
            notes.append("unofficial: " + "; ".join(self.unofficial_because))
        if physics is not None:
            points = [one for one in physics.working_points if isinstance(one, WorkingPoint)]
            header += [f"TPR at {point_text(about.merit, point.fpr)}" for point in points]
            for name, auc in physics.auc.items():
                rates = [point.rates[name] for point in points]
                cells = [f"{one.tpr:.3g} {_edges(one.interval)}" for one in rates]
                rows.append([name, f"{auc.value:.4f} {_edges(auc.interval)}", *cells])
            notes.append(f"scores: {physics.arithmetic}; 95 % intervals")
        if isinstance(self.firmware, Firmware):
            figures = {"latency [ns]": self.firmware.latency_ns, "LUT": self.firmware.lut}
            found = [f"{k} {v.value:,.6g}" for k, v in figures.items() if isinstance(v, Figure)]
            notes.append(", ".join(found))
        return table_html(f"{said.team}: {said.title} ({about.title})", header, rows, notes=notes)

    @property
    def created_at(self) -> datetime:
        """The instant of `created`."""
        return instant(self.created)

    @property
    def order(self) -> tuple[int, datetime]:
        """What says which of two cards is the later: the counter, then the clock."""
        return self.sequence or 0, self.created_at

    @property
    def received_at(self) -> datetime:
        """When it was handed in, which counts for the deadline; else when it was scored."""
        return instant(self.submission.received or self.created)


class ProcessSummary(Value):
    """One process of a challenge.

    Attributes
    ----------
    occupancy : mapping of object to tuple of float
        Fraction of events that fill each slot of the object, in the order of the slots.
    """

    process: Name
    title: str = Field(max_length=80)
    role: Literal["background", "signal", "blackbox"]
    n_events: Count
    occupancy: dict[Name, tuple[Probability, ...]]


class EventObject(Value):
    """One reconstructed object: transverse momentum [GeV], pseudorapidity, azimuth [rad]."""

    kind: Name
    pt: float
    eta: float
    phi: float


class ExampleEvent(Value):
    """One event for the event display: objects, or an image."""

    process: Name
    objects: tuple[EventObject, ...]
    image: ExampleImage | None = Field(default=None, exclude_if=lambda image: image is None)


class DataSummary(Value):
    """What the events of a challenge are, small enough for a page; written beside the cards.

    Hidden signals are never in it.

    Attributes
    ----------
    menu : MenuSummary or None
        What the trigger has today, where the challenge has a menu.
    """

    schema_version: Literal[1] = 1
    challenge: Name
    title: Text
    version: str
    synthetic: bool
    processes: tuple[ProcessSummary, ...]
    distributions: tuple[Distribution, ...]
    examples: tuple[ExampleEvent, ...]
    menu: MenuSummary | None = Field(default=None, exclude_if=lambda menu: menu is None)
