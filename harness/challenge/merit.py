"""What is ranked: the figure of merit of one signal, and how those of all signals become one.

A merit is a value of the manifest; how it is measured is in `harness/metrics/merits.py`, which has
one function for each kind. All that tables and sentences need to know of a kind stands here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.challenge.values import Positive, Value

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


def fpr_text(value: float) -> str:
    """Write a false positive rate as a power of ten.

    Examples
    --------
    >>> fpr_text(1e-5), fpr_text(3e-4), fpr_text(2.5e-5)
    ('1e-5', '3e-4', '2.5e-5')
    """
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def one_in(share: float) -> str:
    """Write a small share as one in so many, to three digits.

    Examples
    --------
    >>> one_in(1e-5), one_in(3.4954e-5), one_in(0)
    ('1 in 100,000', '1 in 28,600', 'none of the')
    """
    return f"1 in {float(f'{1 / share:.3g}'):,.0f}" if share > 0 else "none of the"


class _Kind(Value):
    """What all kinds of merit have in common.

    Attributes
    ----------
    name : str
        In the names of columns and aggregates, such as ``tpr``.
    title : str
        As printed.
    is_share : bool
        It is printed in per cent.
    smaller_is_better : bool
    at_working_point : bool
        It is a rate that the card holds for every working point.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    is_share: ClassVar[bool] = True
    smaller_is_better: ClassVar[bool] = False
    at_working_point: ClassVar[bool] = False

    def describe(self) -> str:
        """Say in a few words what is measured."""
        return self.title

    def in_words(self) -> tuple[str, str]:
        """Say what is ranked, and where, to who does not know the terms: both without a full stop.

        The second is empty where the first says it all.
        """
        return self.describe(), ""

    @property
    def by_chance(self) -> float:
        """What a score that knows nothing earns: no signal counts for less."""
        raise NotImplementedError

    @property
    def sign(self) -> int:
        """What makes larger better of a figure: -1 where smaller is better."""
        return -1 if self.smaller_is_better else 1


class TprAtFpr(_Kind):
    """True positive rate at a false positive rate, the challenge's working point.

    Examples
    --------
    >>> TprAtFpr(fpr=1e-5).describe()
    'TPR at FPR 1e-5'
    """

    name, title, at_working_point = "tpr", "TPR", True

    kind: Literal["tpr_at_fpr"] = "tpr_at_fpr"
    fpr: float = Field(ge=0.0, le=1.0)

    def describe(self) -> str:
        """Say what is measured."""
        return self.describe_at(self.fpr)

    def describe_at(self, fpr: float) -> str:
        """Say what is measured at another working point."""
        return f"{self.title} at FPR {fpr_text(fpr)}"

    def in_words(self) -> tuple[str, str]:
        """Say it without the terms.

        Examples
        --------
        >>> TprAtFpr(fpr=1e-5).in_words()
        ('share of new-physics events kept', 'while keeping 1 in 100,000 ordinary ones')
        """
        return "share of new-physics events kept", f"while keeping {one_in(self.fpr)} ordinary ones"

    @property
    def by_chance(self) -> float:
        """The FPR itself."""
        return self.fpr


class _AtRate(_Kind):
    """Measured at a fixed rate of the trigger.

    Attributes
    ----------
    rate_khz : float
        Rate at which the anomaly trigger may accept background.
    input_rate_khz : float
        Rate of the events that it sees.
    """

    rate_khz: Positive
    input_rate_khz: Positive

    @model_validator(mode="after")
    def _rate_is_less(self) -> Self:
        if self.rate_khz >= self.input_rate_khz:
            raise ValueError(
                f"rate_khz {self.rate_khz:g} is not below input_rate_khz {self.input_rate_khz:g}"
            )
        return self

    @property
    def fpr(self) -> float:
        """The false positive rate that the rate stands for."""
        return self.rate_khz / self.input_rate_khz

    def describe(self) -> str:
        """Say what is measured."""
        return self.describe_at(self.fpr)

    def describe_at(self, fpr: float) -> str:
        """Say what is measured at another working point."""
        return f"{self.title} at {self.rate_text(fpr)}"

    def rate_text(self, fpr: float) -> str:
        """Write a false positive rate as the rate that it stands for, with itself beside."""
        return f"{self.khz_text(fpr)} (FPR {fpr_text(float(f'{fpr:.3g}'))})"

    def khz_text(self, fpr: float) -> str:
        """Write the rate that a false positive rate stands for."""
        return f"{fpr * self.input_rate_khz:.6g} kHz"

    @property
    def by_chance(self) -> float:
        """The false positive rate."""
        return self.fpr


class EfficiencyAtRate(_AtRate):
    """Signal efficiency at a fixed rate: the TPR at the FPR ``rate_khz / input_rate_khz``.

    Examples
    --------
    >>> EfficiencyAtRate(rate_khz=1, input_rate_khz=28_608.8064).describe()
    'Efficiency at 1 kHz (FPR 3.5e-5)'
    """

    name, title, at_working_point = "efficiency", "Efficiency", True

    kind: Literal["efficiency_at_rate"] = "efficiency_at_rate"

    def in_words(self) -> tuple[str, str]:
        """Say it without the terms."""
        rate = f"{self.rate_khz:g} kHz, {one_in(self.fpr)}"
        return "share of new-physics events kept", f"while keeping {rate} ordinary ones"


class AddedEfficiencyAtRate(_AtRate):
    """What an anomaly trigger adds to the menu of a trigger, at the rate that it adds.

    Only events that the menu does not accept count: background for the rate, signal for the
    efficiency. Both are shares of all events.

    Attributes
    ----------
    fixed : str
        Which rate of background `rate_khz` is: ``added``, of what the menu does not accept, or
        ``total``, of all that the anomaly trigger accepts.

    Examples
    --------
    >>> AddedEfficiencyAtRate(rate_khz=1, input_rate_khz=10_000, fixed="total").describe()
    'Added efficiency at a total of 1 kHz (FPR 1e-4)'
    """

    name, title = "added_efficiency", "Added efficiency"

    kind: Literal["added_efficiency_at_rate"] = "added_efficiency_at_rate"
    fixed: Literal["added", "total"] = Field(
        default="added", exclude_if=lambda fixed: fixed == "added"
    )

    def describe_at(self, fpr: float) -> str:
        """Say what is measured at another working point."""
        whole = "a total of " if self.fixed == "total" else ""
        return f"{self.title} at {whole}{self.rate_text(fpr)}"

    def in_words(self) -> tuple[str, str]:
        """Say it without the terms."""
        what = "share of new-physics events kept that today's trigger loses"
        return what, f"while keeping {self.rate_khz:g} kHz of ordinary ones"


class _AtTpr(_Kind):
    """Measured at a fixed signal efficiency, `tpr`."""

    tpr: Share

    def describe(self) -> str:
        """Say what is measured."""
        return f"{self.title} at TPR {self.tpr:g}"


class MistagAtTpr(_AtTpr):
    """False positive rate at a fixed signal efficiency; smaller is better.

    Examples
    --------
    >>> MistagAtTpr(tpr=0.4).describe()
    'Mistag at TPR 0.4'
    """

    name, title, smaller_is_better = "mistag", "Mistag", True

    kind: Literal["mistag_at_tpr"] = "mistag_at_tpr"

    @property
    def by_chance(self) -> float:
        """The efficiency: chance keeps as much background as signal."""
        return self.tpr


class RejectionAtTpr(_AtTpr):
    """Background rejection, one over the false positive rate, at a fixed signal efficiency."""

    name, title, is_share = "rejection", "Rejection 1/ε_B", False

    kind: Literal["rejection_at_tpr"] = "rejection_at_tpr"

    @property
    def by_chance(self) -> float:
        """One over the efficiency."""
        return 1 / self.tpr


class MaxSic(_Kind):
    """Largest significance improvement: TPR over the square root of the FPR, at any threshold.

    Attributes
    ----------
    min_background : int
        Background events that must pass: a maximum over fewer is luck. Half of them in each half
        of the events, of which one chooses the cut and the other measures it.

    Examples
    --------
    >>> MaxSic().describe()
    'Max SIC with at least 100 background events'
    """

    name, title, is_share = "max_sic", "Max SIC", False

    kind: Literal["max_sic"] = "max_sic"
    min_background: int = Field(default=100, ge=10)

    def describe(self) -> str:
        """Say what is measured."""
        return f"{self.title} with at least {self.min_background:,} background events"

    @property
    def by_chance(self) -> float:
        """One: that of a cut which everything passes."""
        return 1.0


class AreaUnderCurve(_Kind):
    """Area under the ROC curve."""

    name, title, is_share = "auc", "AUC", False

    kind: Literal["auc"] = "auc"

    @property
    def by_chance(self) -> float:
        """One half."""
        return 0.5


Merit = Annotated[
    TprAtFpr
    | EfficiencyAtRate
    | AddedEfficiencyAtRate
    | MistagAtTpr
    | RejectionAtTpr
    | MaxSic
    | AreaUnderCurve,
    Field(discriminator="kind"),
]

MERIT_KINDS: tuple[type[_Kind], ...] = (
    TprAtFpr,
    EfficiencyAtRate,
    AddedEfficiencyAtRate,
    MistagAtTpr,
    RejectionAtTpr,
    MaxSic,
    AreaUnderCurve,
)


def input_rate_khz(merit: Merit | None) -> float | None:
    """Return the rate of background that the working points of a challenge are shares of, if any.

    Examples
    --------
    >>> input_rate_khz(EfficiencyAtRate(rate_khz=1, input_rate_khz=28_608.8064))
    28608.8064
    """
    return merit.input_rate_khz if isinstance(merit, _AtRate) else None


def point_text(merit: Merit | None, fpr: float) -> str:
    """Write a working point as a challenge states it: as a rate in kHz, or as an FPR.

    Parameters
    ----------
    merit : Merit or None
        What the challenge ranks; None: the TPR at its working point.

    Examples
    --------
    >>> point_text(EfficiencyAtRate(rate_khz=1, input_rate_khz=28_608.8064), 1e-5)
    '0.286088 kHz (FPR 1e-5)'
    >>> point_text(None, 1e-5)
    'FPR 1e-5'
    """
    return merit.rate_text(fpr) if isinstance(merit, _AtRate) else f"FPR {fpr_text(fpr)}"


Aggregate = Literal["geometric_mean", "mean", "median", "worst_quarter", "worst", "single"]
# How an aggregate over the signals is printed before the title of the merit.
AGGREGATE_TITLES: dict[Aggregate, str] = {
    "geometric_mean": "Geometric mean",
    "mean": "Mean",
    "median": "Median",
    "worst_quarter": "Worst-quarter mean",
    "worst": "Worst",
    "single": "",
}


def without_last_digits(value: float) -> float:
    """Round to 12 digits: the last of 17 hang on the processor's logarithms and exponentials."""
    return float(f"{value:.12g}")
