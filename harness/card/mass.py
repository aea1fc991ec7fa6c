"""What a cut on the score does to the mass of the events: its spectrum, and a bump hunt in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.card.figures import Count, Interval, NotMeasured, Probability, Text
from harness.challenge import Name, Value


class MeanMass(Value):
    """The mean mass of background in one bin of the score.

    Attributes
    ----------
    loose, tight : float
        Shares of all background that score at least as high as the bin's lower and upper end.
    mean, interval
        In the unit of the mass; NotMeasured of fewer events than an interval needs.
    """

    loose: Probability
    tight: Probability
    n_events: Count
    mean: float | NotMeasured
    interval: Interval | None = None


class Distance(Value):
    """Jensen-Shannon distance of a spectrum to that without a cut: 0 if alike, 1 if apart.

    Attributes
    ----------
    found : float
        As it is counted, which is above zero even for a cut that knows nothing of the mass.
    by_chance : Interval
        Of 95 % of cuts of the same size that know nothing of the mass.
    mean_by_chance : float
        Their mean.
    p_value : float
        Share of such cuts that are at least as far.
    value : float
        Without what chance adds.
    interval : Interval
        Of `value`.
    """

    found: Probability
    by_chance: Interval
    mean_by_chance: Probability
    p_value: Probability
    value: Probability
    interval: Interval


class Spectrum(Value):
    """The spectrum of the mass behind one cut on the score.

    Attributes
    ----------
    background_efficiency : float
        Share of background that the cut aims at; 1: no cut.
    n_passing : int
        Background events that pass.
    counts : mapping of process to tuple of int
        In the bins of `MassFigures.edges`, ``background`` first.
    beyond : mapping of process to tuple of two int
        Events below and above the spectrum.
    distance : Distance or NotMeasured
        To the spectrum without a cut.
    """

    background_efficiency: Probability
    n_passing: Count
    counts: dict[Name, tuple[Count, ...]]
    beyond: dict[Name, tuple[Count, Count]]
    distance: Distance | NotMeasured


class SicPoints(Value):
    """Significance improvement TPR / sqrt(FPR) at cuts of falling rate.

    Attributes
    ----------
    fpr, tpr : tuple of float
        At each cut, FPR rising.
    value : tuple of float
        TPR over the square root of the FPR.
    lower, upper : tuple of float
        95 % interval of `value`, at each FPR by itself.
    """

    fpr: tuple[Probability, ...]
    tpr: tuple[Probability, ...]
    value: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


class SicAt(Value):
    """Significance improvement at one FPR."""

    fpr: Probability
    value: float
    interval: Interval
    n_background: Count
    n_signal: Count
    is_low_statistics: bool


class RegionSignal(Value):
    """One signal in a region of the mass.

    Attributes
    ----------
    n_events : int
        Test events of the signal in the region; too few: there are no figures.
    largest : SicAt or NotMeasured
        The largest SIC with enough background.
    """

    n_events: Count
    auc: float | NotMeasured
    auc_interval: Interval | None = None
    at: tuple[SicAt, ...] = ()
    largest: SicAt | NotMeasured
    sic: SicPoints | None = None


class Region(Value):
    """What the scores are worth among the events of a region of the mass.

    Attributes
    ----------
    name : str
        ``all``, ``inside`` or ``outside`` the window. Cuts are set on the background of the region.
    """

    name: Name
    n_background: Count
    min_background: Count
    signals: dict[Name, RegionSignal]


class WindowCount(Value):
    """What was counted in one window, and what the smooth fit of the rest expects there.

    Attributes
    ----------
    expected, uncertainty : float
        Background events, with the standard deviation of the fit.
    z, p_value : float
        Local significance, and the probability of as much from background alone.
    """

    lower: float
    upper: float
    n_observed: Count
    expected: float
    uncertainty: float
    z: float
    p_value: Probability


class Scan(Value):
    """A search for a bump in one spectrum.

    Attributes
    ----------
    n_parameters : int
        Of the smooth function, chosen by the bins outside the window.
    goodness : float
        Share of toys that their fit describes worse: near zero, the smooth function does not fit.
    fitted : tuple of float
        Background in each bin, from the fit outside the stated window.
    stated : WindowCount
        In the window of the challenge.
    largest : WindowCount
        In that window of the same number of bins, anywhere, which has the largest significance.
    global_p : float
        Probability that background alone has as large a significance in any window.
    global_interval : Interval
        Of `global_p`: of the number of toys, or of the extrapolation from them.
    global_z : float
        The same as a significance.
    """

    n_events: Count
    n_parameters: Count
    goodness: Probability
    fitted: tuple[float, ...]
    stated: WindowCount
    largest: WindowCount
    global_p: Probability
    global_interval: Interval
    global_z: float


class InjectedScan(Value):
    """The search with a signal in the data.

    Attributes
    ----------
    n_injected : int
        Signal events among the data before the cut.
    n_signal, n_background : int
        Events of each in the window behind the cut.
    signal_to_background, interval
        Expected S/B in the window behind the cut, from all test events of the signal.
    expected_z : float
        Asimov significance in the window of as much signal as is expected.
    counts : tuple of int
        The spectrum with the signal.
    """

    n_injected: Count
    n_signal: Count
    n_background: Count
    signal_to_background: float | NotMeasured
    interval: Interval | None = None
    expected_z: float
    counts: tuple[Count, ...]
    scan: Scan


class HuntAtCut(Value):
    """The bump hunt behind one cut: on background alone, and with each signal."""

    background_efficiency: Probability
    background: Scan | NotMeasured
    injected: dict[Name, InjectedScan | NotMeasured]


class MassFigures(Value):
    """All figures of the mass.

    Attributes
    ----------
    edges : tuple of float
        Of the bins of spectra; one more than there are bins.
    overall : MeanMass
        Of all background.
    profile : tuple of MeanMass
        From the lowest scores to the highest.
    spectra : tuple of Spectrum
        Without a cut, then behind tighter and tighter ones.
    injected : mapping of signal to float
        S/B before any cut, as the challenge states it.
    """

    title: Annotated[str, Field(max_length=40)]
    unit: Annotated[str, Field(max_length=16)]
    edges: tuple[float, ...]
    window: tuple[float, float] | None = None
    overall: MeanMass
    profile: tuple[MeanMass, ...]
    spectra: tuple[Spectrum, ...]
    regions: tuple[Region, ...]
    injected: dict[Name, float] = Field(default_factory=dict)
    hunts: tuple[HuntAtCut, ...] = ()
    without_mass: dict[Name, Count] = Field(default_factory=dict, exclude_if=lambda one: not one)
    note: Text = ""
