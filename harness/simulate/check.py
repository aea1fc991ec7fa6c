"""A file's events, compared with the published figures of the real background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data.hdf5 import count_events, read_chunks
from harness.data.structure import StructureCheck
from harness.files import Progress, make_folder, no_progress, writing
from harness.simulate.layout import LAYOUT
from harness.simulate.reference import TOLERANCE, quantities


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantityCheck:
    """One figure of the file beside the published one.

    Attributes
    ----------
    is_binding : bool
        Whether the tolerance applies to it.
    passes : bool
        Whether it lies within the tolerance; True if the tolerance does not apply.
    """

    name: str
    unit: str
    found: float
    published: float
    is_binding: bool
    passes: bool

    @property
    def ratio(self) -> float:
        """Found over published."""
        return self.found / self.published


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """All comparisons of a file.

    Attributes
    ----------
    remarks : tuple of str
        What is unusual about the structure of its events.
    """

    source: str
    n_events: int
    tolerance: float
    comparisons: tuple[QuantityCheck, ...]
    remarks: tuple[str, ...]

    @property
    def failures(self) -> tuple[QuantityCheck, ...]:
        """Figures beyond the tolerance."""
        return tuple(one for one in self.comparisons if not one.passes)


# What a table of moments cannot show; printed below it.
CAVEATS = (
    "Agreement of occupancies and moments says nothing of the 1e-5 tail, where entries are ranked.",
    "Not published, so not compared: correlations between objects, and anything of the signals.",
)


def check_file(path: Path, *, progress: Progress = no_progress) -> Checked:
    """Compare the events of an HDF5 file with the published real background.

    Two columns of the events are kept in memory: 152 bytes an event.

    Raises
    ------
    DataError
        The file cannot be read or has another layout.
    """
    n_events = count_events(path, LAYOUT)
    pt = np.empty((n_events, LAYOUT.n_objects), np.float32)
    eta = np.empty_like(pt)
    structure = StructureCheck(source=path.name, layout=LAYOUT)
    start = 0
    for given, classes in read_chunks(path, LAYOUT):
        events = np.asarray(given)
        stop = start + len(events)
        structure.add(events, classes)
        pt[start:stop], eta[start:stop] = events[..., 0], events[..., 1]
        start = stop
        progress(f"check {path.name}", stop, n_events, "events")
    return Checked(
        source=path.name,
        n_events=n_events,
        tolerance=TOLERANCE,
        comparisons=compare(pt, eta),
        remarks=structure.report().remarks,
    )


def compare(pt: NDArray[np.float32], eta: NDArray[np.float32]) -> tuple[QuantityCheck, ...]:
    """Compute every published figure from the columns of events, each of shape (n, 19)."""
    found = []
    for quantity in quantities():
        value = quantity.compute(pt, eta)
        is_close = abs(value / quantity.published - 1.0) <= TOLERANCE
        found.append(
            QuantityCheck(
                name=quantity.name,
                unit=quantity.unit,
                found=value,
                published=quantity.published,
                is_binding=quantity.is_binding,
                passes=is_close or not quantity.is_binding,
            )
        )
    return tuple(found)


def write_plots(checked: Checked, folder: Path) -> tuple[Path, ...]:
    """Draw the occupancies, the deciles of MET and every ratio into PNGs; return their paths.

    Raises
    ------
    EnvironmentFaultError
        matplotlib is not installed, or the folder cannot be written.
    """
    from harness.data.describe import matplotlib_figure

    figure_type = matplotlib_figure()
    make_folder(folder)
    groups = {
        "occupancy": [c for c in checked.comparisons if c.name.startswith("occupancy")],
        "met": [c for c in checked.comparisons if "quantile" in c.name and "MET" in c.name],
        "moments": [c for c in checked.comparisons if "MET" not in c.name and c.unit == "GeV"],
    }
    paths = []
    for name, comparisons in groups.items():
        figure = figure_type(figsize=(7.2, 5.0), layout="constrained")
        _draw(figure.subplots(2, 1, sharex=True, height_ratios=(3, 1)), comparisons, checked)
        path = folder / f"{name}.png"
        with writing(path) as stream:
            figure.savefig(stream, format="png", dpi=150)
        paths.append(path)
    return tuple(paths)


def _draw(axes: Sequence[object], comparisons: Sequence[QuantityCheck], checked: Checked) -> None:
    from matplotlib.axes import Axes

    top, bottom = axes
    assert isinstance(top, Axes)
    assert isinstance(bottom, Axes)
    places = np.arange(len(comparisons))
    is_rare = comparisons[0].name.startswith("occupancy")
    top.plot(places, [c.published for c in comparisons], "k_", ms=18, label="real (v2), published")
    top.plot(places, [c.found for c in comparisons], "o", color="#0072b2", label=checked.source)
    top.set_yscale("log" if is_rare else "linear")
    top.set_ylabel("Share of events" if is_rare else "GeV")
    top.set_title(f"{checked.n_events:,} synthetic events", loc="left", fontsize="medium")
    top.legend(frameon=False)
    bottom.axhspan(1 - checked.tolerance, 1 + checked.tolerance, color="0.9")
    bottom.axhline(1.0, color="k", lw=0.8)
    bottom.plot(places, [c.ratio for c in comparisons], "o", color="#0072b2")
    bottom.set_ylabel("ratio")
    bottom.set_xticks(
        places, [c.name.removeprefix("occupancy ") for c in comparisons], rotation=60, ha="right"
    )
