"""Bars that show how far work on data is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from harness.card.text import visible
from harness.files import Progress


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Give a `Progress` that draws a bar with total and time left for each label in turn."""
    from tqdm import tqdm

    bar: tqdm[NoReturn] | None = None

    def show(label: str, done: int, total: int | None, unit: str) -> None:
        nonlocal bar
        if bar is None or bar.desc != visible(label):
            if bar is not None:
                bar.close()
            bar = tqdm(
                desc=visible(label),
                total=total,
                unit="B" if unit == "bytes" else f" {unit}",
                unit_scale=True,
                mininterval=0.2,
                initial=done,
            )
        bar.total = total
        if done < bar.n:  # a download that the server could not resume starts again
            bar.reset(total)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
