"""A black box as its answers are compared with it: how many events, which numbers, where."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.cache import EVENTS_NAME, cache_root, find_cached, open_ids, process_folder
from harness.data.pandas_hdf5 import opened_table
from harness.errors import DataError, UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """What a result is compared with.

    Attributes
    ----------
    max_latency_us : float or None
        Limit of the challenge; None where it has no FPGA.
    ids : int64 array or None
        ``EvtId`` of its events, in their order; None if they are not known here.
    events : Path or None
        Its events in the cache, as .npy; None if they are not there.
    missing : str
        Why the box is not here; empty if it is.
    """

    title: str
    n_events: int
    working_point: float
    max_latency_us: float | None
    ids: NDArray[np.int64] | None
    events: Path | None = None
    missing: str = ""

    @property
    def n_allowed(self) -> int:
        """Events that a result may name."""
        return count_named(self.working_point, self.n_events)


def count_named(working_point: float, n_events: int) -> int:
    """Return how many of `n_events` events a result may name: floor(rate x N).

    Examples
    --------
    >>> count_named(1e-5, 4_210_492)
    42
    """
    return int(Fraction(repr(float(working_point))) * n_events)


def latency_limit_us(rules: Challenge) -> float | None:
    """Return the limit of the latency that a result file states; None without an FPGA."""
    return None if rules.fpga is None else rules.fpga.max_latency_ns / 1000.0


def count_of(rules: Challenge, path: Path) -> int:
    """Count the events of the file of a box, in the format of the challenge's files.

    Raises
    ------
    DataError
        It is no such file.
    """
    if rules.columns is not None:
        with opened_table(path) as table:
            return table.n_rows
    return hdf5.count_events(path, rules.layout)


def find_box(rules: Challenge, path: Path | None, cache: Path | None) -> Box:
    """Find the black box in the file at `path`, or else that of the challenge.

    Raises
    ------
    UsageError
        The challenge has no black box.
    DataError
        The file is no such file, or it is not known how many events the box has.
    """
    if path is not None:
        n_events = count_of(rules, path)
        if rules.columns is not None:
            return _box(rules, path.name, n_events, ids=np.arange(n_events, dtype=np.int64))
        ids = hdf5.read_ids(path, n_events)
        return _box(rules, path.name, n_events, ids=ids)
    file = next((file for file in rules.files if file.role == "blackbox"), None)
    if file is None:
        raise UsageError(
            f"{rules.name} has no black box", fix="name the file of the box: --blackbox FILE.h5"
        )
    root = cache_root(cache)
    found = find_cached(rules, file, root, is_read=True)
    if not isinstance(found, str):
        ids = open_ids(rules, file.process, root)
        events = process_folder(rules, file.process, root) / EVENTS_NAME
        return _box(rules, file.name, found.n_events, ids=ids, events=events)
    if file.n_events is None:
        raise DataError(
            f"how many events {file.name} holds is not known: {found}",
            where=f"challenge {rules.name}",
            fix=f"harness fetch {rules.name} --with-blackbox, or --blackbox FILE.h5",
        )
    return _box(rules, file.name, file.n_events, missing=found)


def _box(
    rules: Challenge,
    title: str,
    n_events: int,
    *,
    ids: NDArray[np.int64] | None = None,
    events: Path | None = None,
    missing: str = "",
) -> Box:
    return Box(
        title=title,
        n_events=n_events,
        working_point=rules.working_point,
        max_latency_us=latency_limit_us(rules),
        ids=ids,
        events=events,
        missing=missing,
    )
