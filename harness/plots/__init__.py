"""Pictures for a paper or a notebook: matplotlib in the style of mplhep.

Each function draws into the axes that it is given, or into a figure of its own, and returns the
axes; `save` writes the figure as SVG, PDF or PNG. docs/python.md has examples.
"""

from __future__ import annotations

from harness.plots.curves import efficiency_latency, roc, score_distribution
from harness.plots.event import event_display
from harness.plots.style import save

__all__ = ["efficiency_latency", "event_display", "roc", "save", "score_distribution"]
