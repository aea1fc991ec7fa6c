"""How pictures look and how they are written; the only place that loads matplotlib."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.card.text import visible
from harness.errors import EnvironmentFaultError, UsageError, install_extra
from harness.files import disk_fault

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".pdf", ".png")
# Fonts as TrueType: publishers refuse Type 3. No date and no random names: equal pictures have
# equal bytes.
_WRITING: Any = {"pdf.fonttype": 42, "svg.hashsalt": "harness"}
# The style's font lacks signs of the signals' titles. No mathematics here is calligraphic; a search
# for such a font would end in a complaint.
_FONTS = {"font.family": ["TeX Gyre Heros", "DejaVu Sans"], "mathtext.cal": "sans"}
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_DATE: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {},
}


@contextmanager
def paper_style(more: Mapping[str, Any] = _NOTHING) -> Iterator[None]:
    """Use the style of mplhep, named after ROOT, within a block.

    Raises
    ------
    EnvironmentFaultError
        matplotlib or mplhep is not installed.
    """
    try:
        import matplotlib as mpl
        import mplhep
    except ImportError as error:
        raise EnvironmentFaultError(
            f"pictures need {error.name}, which is not installed", fix=install_extra("plots")
        ) from error
    style: Any = {**mplhep.style.ROOT, **_FONTS, **more}
    with mpl.rc_context(style):
        yield


def new_axes(*, is_polar: bool = False) -> Axes:
    """Open a figure with one pair of axes; the caller holds the style."""
    import matplotlib.pyplot as plt

    axes: Axes = plt.subplots(subplot_kw={"polar": is_polar})[1]
    return axes


def colour(n: int) -> str:
    """Return the n-th colour of the style; by its name it would be looked up when it is drawn."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    return to_hex(cycle[n % len(cycle)])


def label(text: str) -> str:
    """Make text that others may have written harmless: matplotlib reads ``$`` as mathematics."""
    return visible(text).replace("$", r"\$")


def save(axes: Axes, path: str | os.PathLike[str]) -> Path:
    """Write the figure of `axes` as SVG, PDF or PNG, by the ending of `path`; return the path.

    Raises
    ------
    UsageError
        The ending is another.
    EnvironmentFaultError
        The file cannot be written.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise UsageError(
            f"a picture that ends in {target.suffix!r}",
            where=str(target),
            expected=f"one of {', '.join(SUFFIXES)}",
        )
    figure = axes.get_figure(root=True)
    assert figure is not None
    try:
        # Fonts are looked up when a figure is drawn, not when its text is placed.
        with paper_style(_WRITING):
            figure.savefig(target, bbox_inches="tight", metadata=_NO_DATE[target.suffix])
    except OSError as error:
        raise disk_fault(target.parent, error, fix="name another file") from error
    return target
