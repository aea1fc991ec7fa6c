"""What the events of a challenge are: occupancies, pT, distributions, pictures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from harness.card.accepted import Distribution
from harness.card.images import ExampleImage, ImageSquares
from harness.card.summary import DataSummary, EventObject, ExampleEvent, ProcessSummary
from harness.challenge import DataFile, EventLayout, ImageLayout, Part
from harness.data.events import EventStore
from harness.data.observables import distributions
from harness.errors import EnvironmentFaultError, install_extra
from harness.files import Progress, make_folder, no_progress, writing
from harness.submission.events import Events, SparseEvents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_EXAMPLES = 3
# Squares along the longer side of an image that is shown.
MAX_SQUARES = 90
# Squares of one channel that are kept: a reconstruction fills all of them a little.
MAX_FILLED = 600
QUANTILES = (0.1, 0.5, 0.9, 0.99)
# Okabe and Ito's colours, told apart by every kind of colour vision; black is for background.
_COLOURS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#0072b2", "#f0e442")


@dataclass(frozen=True, kw_only=True, slots=True)
class PtSummary:
    """The pT of the leading object of one kind, over the events that have one.

    Attributes
    ----------
    n_present : int
        Events that have one.
    mean_gev, sd_gev : float
        Mean and standard deviation [GeV].
    quantiles_gev : mapping of float to float
        pT at each of `QUANTILES` [GeV].
    """

    n_present: int
    mean_gev: float
    sd_gev: float
    quantiles_gev: Mapping[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What a challenge holds.

    Attributes
    ----------
    summary : DataSummary
        What a page shows; hidden signals are not in it.
    leading_pt : mapping of process to mapping of object to PtSummary or None
        None where no event has such an object; no process where objects have no pT.
    remarks : mapping of process to tuple of str
        What is unusual about the file.
    """

    summary: DataSummary
    leading_pt: Mapping[str, Mapping[str, PtSummary | None]]
    remarks: Mapping[str, tuple[str, ...]]


class _Survey:
    """One pass over the events of one process, and what was counted on the way."""

    def __init__(self, store: EventStore, process: str) -> None:
        self._store = store
        self._process = process
        self._layout = store.challenge.layout
        self.n_events = store.n_events(process)
        self.n_filled = np.zeros(len(self._places), np.int64)
        self.leading_pt: dict[str, NDArray[np.float32]] = {}
        if not self._layout.lacks("pt"):
            names = self._layout.slots
            self.leading_pt = {name: np.empty(self.n_events, np.float32) for name in names}

    @property
    def _places(self) -> range:
        """Where something may be: the slots of objects, or the channels of images."""
        n_channels = len(self._layout.features)
        return range(n_channels if self._layout.is_sparse else self._layout.n_objects)

    def read(self, progress: Progress) -> Iterator[Events]:
        """Give the events chunk by chunk, counting them."""
        for start, events in self._store.read_chunks(self._process):
            self.n_filled += self._count(events)
            for name, leading in self.leading_pt.items():
                pt = self._layout.values(np.asarray(events), "pt")[:, self._layout.slots[name]]
                leading[start : start + len(events)] = pt.max(axis=1)
            progress(f"describe {self._process}", start + len(events), self.n_events, "events")
            yield events

    def _count(self, events: Events) -> NDArray[np.int64]:
        if isinstance(events, SparseEvents):
            index = events.entries["index"][events.bounds[0] : events.bounds[-1]]
            channels = (index % len(self._places)).astype(np.int64)
            found: NDArray[np.int64] = np.bincount(channels, minlength=len(self._places))
            return found
        per_slot: NDArray[np.int64] = np.count_nonzero(self._layout.is_filled(events), axis=0)
        return per_slot

    @property
    def occupancy(self) -> dict[str, tuple[float, ...]]:
        """Share of the events that fill each slot, by kind of object; of pixels, by channel."""
        if self._layout.is_sparse:
            n_pixels = math.prod(self._layout.shape[:-1]) * self.n_events
            shares = (self.n_filled / n_pixels).tolist()
            return {name: (share,) for name, share in zip(self._layout.features, shares)}
        shares = (self.n_filled / self.n_events).tolist()
        return {name: tuple(shares[slots]) for name, slots in self._layout.slots.items()}


def describe(store: EventStore, *, progress: Progress = no_progress) -> Description:
    """Describe all events of a challenge but those of hidden signals.

    Each file is read once in bounded memory (the leading pT of each kind of object is kept: 54 MB
    for each kind at 13.5 M events).
    """
    challenge = store.challenge
    files = [
        file
        for file in challenge.files
        if file.role not in {"hidden", "variation"} and file.process in store.processes
    ]
    surveys = {file.process: _Survey(store, file.process) for file in files}
    counted = distributions(
        challenge.layout, {process: survey.read(progress) for process, survey in surveys.items()}
    )
    return Description(
        summary=DataSummary(
            challenge=challenge.name,
            title=challenge.title,
            version=challenge.version,
            synthetic=challenge.synthetic,
            processes=tuple(_process_summary(file, surveys[file.process]) for file in files),
            distributions=counted,
            examples=tuple(example for file in files for example in _examples(store, file)),
        ),
        leading_pt={
            process: {name: summarise_pt(pt) for name, pt in survey.leading_pt.items()}
            for process, survey in surveys.items()
            if survey.leading_pt
        },
        remarks={file.process: store.record(file.process).remarks for file in files},
    )


def summarise_pt(pt: NDArray[np.float32]) -> PtSummary | None:
    """Summarise the pT of objects, zeros being absent ones; None if all are absent."""
    present = pt[pt > 0].astype(np.float64)
    if not len(present):
        return None
    values = np.quantile(present, QUANTILES)
    return PtSummary(
        n_present=len(present),
        mean_gev=float(present.mean()),
        sd_gev=float(present.std()),
        quantiles_gev=dict(zip(QUANTILES, values.tolist(), strict=True)),
    )


def write_plots(summary: DataSummary, folder: Path) -> tuple[Path, ...]:
    """Draw each distribution of `summary` into a PNG in `folder`; return their paths.

    Raises
    ------
    EnvironmentFaultError
        matplotlib is not installed, or the folder cannot be written.
    """
    figure_type = matplotlib_figure()
    make_folder(folder)
    titles = {process.process: process.title for process in summary.processes}
    label = f"{summary.title}{' · synthetic events' if summary.synthetic else ''}"
    paths: list[Path] = []
    for distribution in summary.distributions:
        path = folder / f"{distribution.name}.png"
        figure = figure_type(figsize=(7.6, 4.2), layout="constrained")
        _draw(figure.subplots(), distribution, titles, label)
        # Beside the axes: a line may run anywhere in them.
        figure.legend(loc="outside right upper", frameon=False)
        with writing(path) as stream:
            figure.savefig(stream, format="png", dpi=150)
        paths.append(path)
    return tuple(paths)


def _process_summary(file: DataFile, survey: _Survey) -> ProcessSummary:
    return ProcessSummary(
        process=file.process,
        title=file.title,
        # Hidden signals were left out before.
        role=cast('Literal["background", "signal", "blackbox"]', file.role),
        n_events=survey.n_events,
        occupancy=survey.occupancy,
    )


def _examples(store: EventStore, file: DataFile) -> list[ExampleEvent]:
    """Take the events with the most objects among a few; background never from the test part.

    None where the layout has not what the picture of an event shows.
    """
    layout = store.challenge.layout
    part: Part = "train" if file.role == "background" else "test"
    if isinstance(layout, ImageLayout):
        # All images are alike: the first ones.
        some = store.select(file.process, part)[:N_EXAMPLES]
        chosen: list[int] = list(range(len(some)))
    elif layout.lacks("pt", "eta", "phi"):
        return []
    else:
        some = store.select(file.process, part)[:1000]
        n_objects = np.count_nonzero(layout.is_filled(some), axis=1)
        chosen = np.argsort(-n_objects, kind="stable")[:N_EXAMPLES].tolist()
    shown = (example_of(file.process, some[[index]], layout) for index in chosen)
    return [one for one in shown if one is not None]


def draw_squares(image: NDArray[np.float32], layout: ImageLayout) -> ExampleImage:
    """Sum an image over squares, at most `MAX_SQUARES` along a side; keep the fullest ones.

    Parameters
    ----------
    image : float32 array, shape (height, width, n_channels)
    """
    side = -(-max(layout.height, layout.width) // MAX_SQUARES)
    n_rows, n_columns = -(-layout.height // side), -(-layout.width // side)
    padded = np.zeros((n_rows * side, n_columns * side, len(layout.channels)))
    padded[: layout.height, : layout.width] = image
    summed = padded.reshape(n_rows, side, n_columns, side, -1).sum(axis=(1, 3))
    channels = []
    for number, name in enumerate(layout.channels):
        fullest = np.sort(summed[..., number], axis=None)[-MAX_FILLED:].min(initial=0.0)
        row, column = np.nonzero(summed[..., number] * (summed[..., number] >= fullest))
        value = [float(f"{one:.3g}") for one in summed[row, column, number]]
        squares = {"row": row.tolist(), "column": column.tolist(), "value": value}
        channels.append(ImageSquares(channel=name, **squares))
    return ExampleImage(side=side, n_rows=n_rows, n_columns=n_columns, channels=tuple(channels))


def example_of(
    process: str, event: NDArray[np.float32], layout: EventLayout
) -> ExampleEvent | None:
    """Return what the event display shows of one event, shape (1, *layout.shape).

    Its filled objects, or its image; None where the layout has no pT, eta and phi.
    """
    if isinstance(layout, ImageLayout):
        (image,) = event
        return ExampleEvent(process=process, objects=(), image=draw_squares(image, layout))
    if layout.lacks("pt", "eta", "phi"):
        return None
    kinds = [group.name for group in layout.objects for _ in range(group.n_slots)]
    (is_filled,) = layout.is_filled(event).tolist()
    (values,) = layout.physical(event)[..., layout.columns("pt", "eta", "phi")].tolist()
    return ExampleEvent(
        process=process,
        objects=tuple(
            EventObject(kind=kind, pt=pt, eta=eta, phi=phi)
            for kind, (pt, eta, phi), is_there in zip(kinds, values, is_filled, strict=True)
            if is_there
        ),
    )


def matplotlib_figure() -> type[Figure]:
    """Return the class of matplotlib's figures, which needs no display.

    Raises
    ------
    EnvironmentFaultError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentFaultError(
            "pictures need matplotlib, which is not installed", fix=install_extra("plots")
        ) from error
    return Figure


def _draw(axes: Axes, distribution: Distribution, titles: Mapping[str, str], label: str) -> None:
    edges = np.asarray(distribution.edges)
    for colour, (process, counts) in zip(
        itertools.cycle(_COLOURS), distribution.counts.items(), strict=False
    ):
        total = sum(counts)
        if total:
            axes.stairs(
                np.asarray(counts) / total, edges, color=colour, label=titles.get(process, process)
            )
    if not distribution.unit:  # numbers of objects
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    unit = f" [{distribution.unit}]" if distribution.unit else ""
    axes.set_xlabel(f"{distribution.title}{unit}")
    axes.set_ylabel("Fraction of events per bin (last bin: and beyond)")
    if edges[0] > 0:
        axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(label, loc="left", fontsize="medium")
