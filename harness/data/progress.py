"""How long work on data tells how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol


class Progress(Protocol):
    """Told now and then how far a piece of work is."""

    def __call__(self, label: str, done: int, total: int | None, unit: str) -> None:
        """Take note that of `label`, `done` of `total` `unit` (bytes, events) are done."""
        ...


def no_progress(label: str, done: int, total: int | None, unit: str) -> None:
    """Tell nobody."""


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Give a `Progress` that draws one bar per label on stderr, with total and time left."""
    from tqdm import tqdm

    bars: dict[str, tqdm[NoReturn]] = {}

    def show(label: str, done: int, total: int | None, unit: str) -> None:
        if label not in bars:
            bars[label] = tqdm(
                desc=label,
                total=total,
                unit="B" if unit == "bytes" else unit,
                unit_scale=True,
                unit_divisor=1000,
                initial=0,
                mininterval=0.2,
            )
        bar = bars[label]
        bar.total = total
        # A download that had to begin anew goes back.
        if done < bar.n:
            bar.reset(total)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()
