"""The mass of an event: what it is, how its spectrum is drawn, and which bump is hunted in it.

It stands beside the events, for background and signals alike, and is never an input of a step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.challenge.values import Column, Name, Positive, Value, ascending

Share = Annotated[float, Field(gt=0.0, lt=1.0)]

# The condition of the cache that holds a mass which a dataset of the files states.
MASS = "mass"


class SmoothFit(Value):
    """The smooth function that the background's spectrum is fitted with.

    Attributes
    ----------
    kind : str
        ``dijet``: ``p0 (1 - x)^p1 / x^(p2 + p3 ln x)`` with ``x = m / collision_energy``, the
        function of searches in the dijet mass (ATLAS, arXiv:1910.08447; CMS, arXiv:1911.03947).
        ``polynomial``: the exponential of a polynomial in ``ln m``.
    max_parameters : int
        The data choose how many are fitted, at most so many.
    collision_energy : float or None
        In the unit of the mass; of ``dijet`` alone.
    """

    kind: Literal["dijet", "polynomial"] = "polynomial"
    max_parameters: int = Field(default=5, ge=2, le=8)
    collision_energy: Positive | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> SmoothFit:
        if (self.kind == "dijet") != (self.collision_energy is not None):
            raise ValueError("collision_energy belongs to a fit of the kind dijet")
        return self

    @property
    def parameters(self) -> tuple[int, ...]:
        """Numbers of parameters that may be fitted, rising."""
        fewest, most = (
            (3, min(self.max_parameters, 4)) if self.kind == "dijet" else (4, self.max_parameters)
        )
        return tuple(range(min(fewest, most), most + 1))


class BumpHunt(Value):
    """Which signals are injected into the test background, and how many events of them.

    Attributes
    ----------
    injected : mapping of signal to float
        S/B: signal events for each event of the test background, before any cut.
    fit : SmoothFit
        Of the background outside the window.
    """

    injected: dict[Name, Annotated[float, Field(gt=0.0, le=1.0)]] = Field(min_length=1)
    fit: SmoothFit = SmoothFit()


class MassObservable(Value):
    """The mass of an event, which a cut on the score should leave as it is.

    Attributes
    ----------
    kind : str
        ``constituents``: of all constituents together, without masses of their own;
        ``leading_jets``: of the two leading jets that are made of them, of radius 1.0;
        ``column``: a dataset beside the events, `column`.
    title : str
        How it is printed, such as "Jet mass".
    unit : str
        How it is labelled; masses made from pT are in GeV.
    lower, upper : float
        Ends of the spectrum.
    n_bins : int
        Bins of the spectrum.
    spacing : str
        ``linear`` or ``log``: bins of one width, or of one relative width.
    window : tuple of float or None
        Where the signals are, [lower, upper): figures are shown inside and outside of it.
    background_efficiencies : tuple of float
        Cuts on the score at which the spectrum is shown, falling.
    hunt : BumpHunt or None
        The bump hunt; it needs a window.
    """

    kind: Literal["constituents", "leading_jets", "column"]
    column: Column | None = None
    title: str = Field(default="Mass", min_length=1, max_length=40)
    unit: str = Field(default="GeV", max_length=16)
    lower: float = Field(ge=0.0, allow_inf_nan=False)
    upper: Positive
    n_bins: int = Field(default=40, ge=10, le=200)
    spacing: Literal["linear", "log"] = "linear"
    window: tuple[Positive, Positive] | None = None
    background_efficiencies: Annotated[
        tuple[Share, ...], AfterValidator(lambda found: tuple(reversed(ascending(found[::-1]))))
    ] = Field(default=(0.1, 0.01), min_length=1, max_length=6)
    hunt: BumpHunt | None = None

    @field_validator("window")
    @classmethod
    def _window_rises(cls, window: tuple[float, float] | None) -> tuple[float, float] | None:
        if window is not None and window[0] >= window[1]:
            raise ValueError("the lower end of the window is not below the upper one")
        return window

    @model_validator(mode="after")
    def _is_consistent(self) -> MassObservable:
        if (self.kind == "column") != (self.column is not None):
            raise ValueError("a mass of the kind column names the dataset: column")
        if self.lower >= self.upper:
            raise ValueError("lower is not below upper")
        needs_positive = self.spacing == "log" or self.hunt is not None
        if needs_positive and self.lower <= 0.0:
            raise ValueError("bins of one relative width, and a bump hunt, need lower above 0")
        if self.hunt is not None:
            self._check_hunt(self.hunt)
        return self

    def _check_hunt(self, hunt: BumpHunt) -> None:
        if self.window is None:
            raise ValueError("a bump hunt needs a window")
        n_inside = len(self.bins_of_window())
        if not 0 < n_inside <= self.n_bins // 2:
            raise ValueError("a bump hunt needs a window of one bin to half of all bins")
        energy = hunt.fit.collision_energy
        if energy is not None and energy <= self.upper:
            raise ValueError("collision_energy is not above the spectrum")

    @property
    def edges(self) -> tuple[float, ...]:
        """Edges of the bins of the spectrum, one more than there are bins."""
        steps = (index / self.n_bins for index in range(self.n_bins + 1))
        if self.spacing == "linear":
            found = [self.lower + step * (self.upper - self.lower) for step in steps]
        else:
            found = [self.lower * (self.upper / self.lower) ** step for step in steps]
        return tuple(float(f"{edge:.9g}") for edge in found)

    def bins_of_window(self) -> range:
        """Return the bins whose centres lie in the window; empty without one."""
        if self.window is None:
            return range(0)
        edges = self.edges
        centres = [(low + high) / 2 for low, high in pairwise(edges)]
        inside = [i for i, one in enumerate(centres) if self.window[0] <= one < self.window[1]]
        return range(inside[0], inside[-1] + 1) if inside else range(0)
