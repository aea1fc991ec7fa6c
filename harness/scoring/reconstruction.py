"""What an autoencoder makes of images: input and reconstruction, their sums and some pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.card.images import ReconstructedImage, Reconstruction
from harness.challenge import ImageLayout, Part
from harness.data.describe import draw_squares
from harness.data.events import EventStore
from harness.errors import InvalidSubmissionError
from harness.sandbox import Workspace
from harness.scoring.scorer import SCORE_LIMITS, ExportedNetwork
from harness.submission.events import Events, SparseEvents, joined, save_events, taken
from harness.submission.reconstruction import LAYER, ReconstructionReport

# Events of each process whose sums are compared, and processes of which one is shown.
N_SUMS, N_SHOWN = 25, 3


def measure_reconstruction(
    workspace: Workspace, network: ExportedNetwork, store: EventStore
) -> Reconstruction | None:
    """Reconstruct some images of each process; None if the network has no reconstruction.

    Background is never of the test part, and hidden signals are left out.

    Raises
    ------
    InvalidSubmissionError
        A reconstruction is not finite.
    """
    layout = store.challenge.layout
    if not isinstance(layout, ImageLayout):
        return None
    chosen = _choose(store)
    # One of each process first: these come back whole.
    shown = list(chosen)[:N_SHOWN]
    firsts = [taken(store.events(name), chosen[name][:1]) for name in shown]
    every = [taken(store.events(name), rows) for name, rows in chosen.items()]
    path = workspace.new_folder("reconstruction") / "events.npy"
    events = joined([*firsts, *every])
    save_events(path, events)
    n_values = math.prod(layout.shape)
    done = workspace.run(
        "reconstruct",
        "harness.submission.reconstruction:reconstruct",
        ReconstructionReport,
        request={"n_whole": len(shown)},
        inputs={"graph": network.graph, "weights": network.weights, "events": path},
        outputs={"sums": 8 * len(events), "whole": 4 * n_values * len(shown)},
        limits=SCORE_LIMITS,
    )
    if not done.report.has_reconstruction:
        return None
    sums = _read(done.outputs["sums"].read_bytes(), "<f8", (len(events),))
    whole = _read(done.outputs["whole"].read_bytes(), "<f4", (len(shown), *layout.shape))
    true = _sums_of(events)
    pairs, start = {}, len(shown)
    for name, rows in chosen.items():
        stop = start + len(rows)
        both = zip(true[start:stop].tolist(), sums[start:stop].tolist(), strict=True)
        pairs[name] = tuple((float(f"{one:.5g}"), float(f"{other:.5g}")) for one, other in both)
        start = stop
    return Reconstruction(
        sums=pairs,
        examples=tuple(
            ReconstructedImage(
                process=name,
                image=draw_squares(np.asarray(first)[0], layout),
                again=draw_squares(again, layout),
            )
            for name, first, again in zip(shown, firsts, whole, strict=True)
        ),
    )


def _choose(store: EventStore) -> dict[str, NDArray[np.int64]]:
    """Return which events of each process are reconstructed."""
    challenge = store.challenge
    found = {}
    for role in ("background", "signal"):
        part: Part = "train" if role == "background" else "test"
        for name in challenge.processes(role):
            rows = store.indices(name, part)[:N_SUMS]
            if len(rows):
                found[name] = rows
    return found


def _read(content: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[np.floating]:
    """Read an array that a step wrote, and check it."""
    found = np.frombuffer(content, dtype)
    if found.size != math.prod(shape) or not np.isfinite(found).all():
        raise InvalidSubmissionError(
            f"the layer {LAYER} gives what is no finite image of each event",
            where="model.py, network()",
            expected="finite numbers, in the shape of the event",
            fix="correct the layer, or give it another name: then no reconstruction is shown",
        )
    return found.reshape(shape)


def _sums_of(events: Events) -> NDArray[np.float64]:
    """Sum each event; sparse ones are not made dense."""
    if not isinstance(events, SparseEvents):
        total: NDArray[np.float64] = events.reshape(len(events), -1).sum(axis=1, dtype=np.float64)
        return total
    owner = np.repeat(np.arange(len(events)), events.counts)
    entries = events.entries[events.bounds[0] : events.bounds[-1]]
    return np.bincount(owner, entries["value"], minlength=len(events)).astype(np.float64)
