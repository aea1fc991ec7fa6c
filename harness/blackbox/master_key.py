"""Keys of the black boxes of the LHC Olympics: text, the label of one event a line.

They become a sealed key of this harness, so that answers are scored by one kind of key alone.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import harness
from harness.blackbox.box import count_named, count_of, latency_limit_us
from harness.blackbox.seal import BoxKey, KeySignal, Secret, check_secret, seal_key
from harness.challenge import Challenge, utc
from harness.errors import DataError
from harness.files import check_new, decode_text, file_checksum, read_bounded

# A label and the end of its line, of the million events of a box, ten times over.
MAX_BYTES = 64 * 1024**2
_LABELS = {"0": False, "1": True, "0.0": False, "1.0": True}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSignal:
    """What the publisher of a box says of its signal, beside the labels."""

    process: str
    title: str
    mass_gev: float | None = None


def read_master_key(path: Path, n_events: int) -> NDArray[np.bool_]:
    """Read which events of a box are signal.

    Parameters
    ----------
    path : Path
        Text: 0 or 1 (or 0.0 or 1.0) on each line, event after event.
    n_events : int
        Events of the box.

    Returns
    -------
    bool array, shape (n_events,)

    Raises
    ------
    DataError
        It does not fit the box, or holds anything else.
    """
    text = decode_text(read_bounded(path, MAX_BYTES), source=str(path))
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if line not in _LABELS:
            raise DataError(
                f"{line[:40]!r} is no label",
                where=f"{path}, line {number:,}",
                expected="0 for background or 1 for signal, one event a line",
                fix="is it the master key of a black box?",
            )
    if len(lines) != n_events:
        raise DataError(
            f"it labels {len(lines):,} events",
            where=str(path),
            expected=f"{n_events:,}, as the box holds",
            fix="name the key of this box: the boxes have a key each",
        )
    return np.array([_LABELS[line] for line in lines], np.bool_)


def seal_master_key(
    rules: Challenge,
    box_path: Path,
    master_key: Path,
    signal: KnownSignal,
    *,
    out: Path,
    secret: Secret,
    luminosity_fb: float | None = None,
) -> BoxKey:
    """Make the sealed key of a published box, and write it to `out`.

    Raises
    ------
    DataError
        The key does not fit the box.
    UsageError
        `out` exists, or the secret cannot be used.
    """
    check_secret(secret)
    check_new(out)
    n_events = count_of(rules, box_path)
    is_signal = read_master_key(master_key, n_events)
    ids = np.flatnonzero(is_signal).astype("<i8")
    key = BoxKey(
        challenge=rules.name,
        challenge_title=rules.title,
        synthetic=rules.synthetic,
        made=utc(datetime.now(UTC)),
        made_with=f"harness {harness.__version__}",
        box_name=box_path.name,
        box_checksum=file_checksum(box_path),
        n_events=n_events,
        working_point=rules.working_point,
        n_allowed=max(1, count_named(rules.working_point, n_events)),
        max_latency_us=latency_limit_us(rules),
        luminosity_fb=luminosity_fb,
        signals=()
        if not len(ids)
        else (
            KeySignal(
                process=signal.process,
                title=signal.title,
                n_events=len(ids),
                mass_gev=signal.mass_gev,
                packed_ids=base64.b64encode(ids.tobytes()).decode(),
            ),
        ),
    )
    seal_key(key, secret, out)
    return key
