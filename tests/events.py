"""Made-up events in the layout of ADC2021, files that hold them, and challenges over those files.

Nothing here is physics: numbers are drawn so that every rule of the layout is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from harness.challenge import (
    Budget,
    Challenge,
    DataFile,
    EventLayout,
    ObjectGroup,
    Split,
    StatedTarget,
    Target,
)

LAYOUT = EventLayout(
    objects=(
        ObjectGroup(name="met", n_slots=1),
        ObjectGroup(name="electron", n_slots=4),
        ObjectGroup(name="muon", n_slots=4),
        ObjectGroup(name="jet", n_slots=10),
    )
)
TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=394_080),
)


def make_events(n_events: int, *, seed: int = 1) -> NDArray[np.float32]:
    """Draw events, shape (n_events, 19, 3): pT falls within a kind, empty slots are zero."""
    generator = np.random.default_rng(seed)
    events = np.zeros((n_events, *LAYOUT.shape), np.float32)
    start = 0
    for group in LAYOUT.objects:
        slots = slice(start, start + group.n_slots)
        shape = (n_events, group.n_slots)
        n_filled = generator.integers(0, group.n_slots + 1, n_events)
        if group.n_slots == 1:
            n_filled[:] = 1
        is_filled = np.arange(group.n_slots) < n_filled[:, None]
        pt = -np.sort(-(3.0 + generator.exponential(20.0, shape)), axis=1)
        eta = generator.uniform(-3.9, 3.9, shape) * (group.n_slots > 1)
        phi = generator.uniform(-np.pi, np.pi, shape)
        drawn = np.stack([pt, eta, phi], axis=-1) * is_filled[..., None]
        events[:, slots] = drawn
        start += group.n_slots
    # The float32 next to pi may lie above it; no angle may.
    limit = np.nextafter(np.float32(np.pi), np.float32(0))
    events[..., 2] = np.clip(events[..., 2], -limit, limit)
    return events + np.float32(0.0)


def with_classes(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Append the class column as the real files have it; shape (n, 19, 4), float64."""
    kinds = np.repeat(
        np.arange(1, len(LAYOUT.objects) + 1), [group.n_slots for group in LAYOUT.objects]
    )
    classes = kinds * (events[..., 0] > 0)
    return np.concatenate([events.astype(np.float64), classes[..., None]], axis=-1)


def write_hdf5(
    path: Path, events: NDArray[np.float32], *, dataset: str = "Particles", chunk_events: int = 64
) -> Path:
    """Write `events` as a file of the challenge."""
    with h5py.File(path, "w") as file:
        file.create_dataset(
            dataset,
            data=with_classes(events),
            compression="gzip",
            chunks=(min(chunk_events, len(events)), 19, 4),
        )
        file["Particles_Names"] = [b"Pt", b"Eta", b"Phi", b"Class"]
    return path


def make_challenge(
    files: Sequence[DataFile], *, name: str = "toy", key: str = "toy-1"
) -> Challenge:
    """Make a challenge over `files`."""
    return Challenge(
        name=name,
        title="Toy",
        version="1",
        synthetic=True,
        licence="none",
        layout=LAYOUT,
        files=tuple(files),
        split=Split(key=key, train=0.5, validation=0.1, test=0.4),
        seed=7,
        false_positive_rates=(1e-2, 1e-1),
        working_point=1e-2,
        targets=(StatedTarget(name="fpga", gate=True, limits=TARGET),),
    )


def toy_file(
    name: str = "background_for_training.h5",
    *,
    role: str = "background",
    process: str = "background",
    checksum: str | None = None,
    record: str | None = None,
    url: str | None = None,
    n_bytes: int | None = None,
    n_events: int | None = None,
) -> DataFile:
    """Make an entry of a manifest."""
    return DataFile.model_validate(
        {
            "name": name,
            "role": role,
            "process": process,
            "title": process,
            "checksum": checksum,
            "record": record,
            "url": url,
            "n_bytes": n_bytes,
            "n_events": n_events,
        }
    )
