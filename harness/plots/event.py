"""One event: in eta and phi, and in the plane across the beam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from harness.challenge import Challenge, EventLayout
from harness.data.events import challenge_of
from harness.errors import UsageError
from harness.plots.style import colour, label, paper_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# The missing momentum has no eta.
MISSING = "met"
# Shown at least, on either side.
_ETA = 3.0
_SYMBOLS = "os^DvP*X"


def event_display(
    event: ArrayLike,
    challenge: str | Challenge = "sample",
    *,
    manifest: str | Path | None = None,
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Draw the objects of one event.

    Parameters
    ----------
    event : array_like, shape (n_objects, n_features) or (n_objects * n_features,)
        As the functions of `harness.data` give it.
    challenge, manifest
        Whose layout it has.
    axes : pair of matplotlib Axes, optional
        Where to draw; the second is polar.

    Returns
    -------
    eta_phi, transverse : matplotlib.axes.Axes
        The area of a mark in eta and phi is in proportion to pT. Across the beam an arrow is as
        long as its pT [GeV].

    Raises
    ------
    UsageError
        The event has another shape, or its layout has no pT, eta and phi.
    EnvironmentFaultError
        The extra `plots` is not installed.
    """
    layout = challenge_of(challenge, manifest).layout
    found = _objects(np.asarray(event, dtype=np.float32), layout)
    with paper_style():
        from matplotlib.collections import PathCollection

        edge = max((float(abs(eta).max()) for _, eta, _ in found.values() if len(eta)), default=0)
        edge = max(_ETA, 1.1 * edge)
        plane, across = _two_axes() if axes is None else axes
        hardest = max((float(pt.max()) for pt, _, _ in found.values() if len(pt)), default=1.0)
        for i, (kind, (pt, eta, phi)) in enumerate(found.items()):
            if not len(pt):
                continue
            if kind == MISSING:
                for angle in phi:
                    plane.axhline(angle, color=colour(i), linestyle="--", label=label(kind))
            else:
                _marks(plane, i, label(kind), eta=eta, phi=phi, sizes=600 * pt / hardest)
            _arrows(across, i, pt, phi)
        plane.set(
            xlabel=r"$\eta$", ylabel=r"$\phi$ [rad]", xlim=(-edge, edge), ylim=(-np.pi, np.pi)
        )
        legend = plane.legend(fontsize="x-small")
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([80])
        across.set(ylim=(0, 1.05 * hardest))
        across.set_title(r"$p_\mathrm{T}$ [GeV]", fontsize="small")
        across.tick_params(labelsize="x-small")
    return plane, across


def _marks(
    plane: Axes,
    number: int,
    title: str,
    *,
    eta: NDArray[np.float32],
    phi: NDArray[np.float32],
    sizes: NDArray[np.float32],
) -> None:
    """Draw the objects of one kind in eta and phi."""
    plane.scatter(
        eta,
        phi,
        s=sizes,
        color=colour(number),
        alpha=0.7,
        marker=_SYMBOLS[number % len(_SYMBOLS)],
        label=title,
    )


def _arrows(across: Axes, number: int, pt: NDArray[np.float32], phi: NDArray[np.float32]) -> None:
    """Draw the objects of one kind across the beam."""
    style = {"arrowstyle": "->", "color": colour(number), "linewidth": 2}
    for length, angle in zip(pt, phi, strict=True):
        across.annotate("", (angle, length), (angle, 0.0), arrowprops=style)


def _two_axes() -> tuple[Axes, Axes]:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(16, 8))
    return figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="polar")


def _objects(
    event: NDArray[np.float32], layout: EventLayout
) -> dict[str, tuple[NDArray[np.float32], ...]]:
    """Return pT [GeV], eta and phi [rad] of the filled slots of each kind of object."""
    if event.size != np.prod(layout.shape):
        raise UsageError(
            f"an event of shape {event.shape}", expected=f"one event of shape {layout.shape}"
        )
    if lacking := layout.lacks("pt", "eta", "phi"):
        raise UsageError(f"such an event cannot be drawn: {lacking}")
    events = event.reshape(1, *layout.shape)
    is_filled = layout.is_filled(events)[0]
    features = [layout.values(events, name)[0] for name in ("pt", "eta", "phi")]
    return {
        kind: tuple(values[slots][is_filled[slots]] for values in features)
        for kind, slots in layout.slots.items()
    }
