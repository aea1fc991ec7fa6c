"""The firmware's figures, each with its evidence, and how its scores agree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.card.figures import Band, Count, NotMeasured, Probability, Text
from harness.challenge import Evidence, FirmwareChoices, Name, Target, Value, weakest

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
