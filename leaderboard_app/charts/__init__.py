"""Charts of the board: pure functions from figures to Altair charts.

Every process has one colour, one dash pattern and one symbol, by its place in the challenge, the
same on every page; the colours are those of Okabe and Ito without yellow, which people of every
colour vision tell apart on a light and on a dark page. Axes and texts take the colours of the
page's theme. Each chart comes with its figures as a table.
"""

from __future__ import annotations

from leaderboard_app.charts.base import FEW, Palette
from leaderboard_app.charts.distributions import composition, distribution, score_histogram
from leaderboard_app.charts.events import event_display, image_display, occupancy, sums_of_images
from leaderboard_app.charts.firmware import PartUse, resources, stages
from leaderboard_app.charts.intervals import Measured, Moment, dots, history
from leaderboard_app.charts.mass import Band, bands, means, spectrum
from leaderboard_app.charts.rates import by_condition, rates
from leaderboard_app.charts.roc import Curve, CurvePoint, roc
from leaderboard_app.charts.trade_off import Mark, TradePoint, trade_off
from leaderboard_app.charts.watch import occupancy_map, trend

__all__ = [
    "FEW",
    "Band",
    "Curve",
    "CurvePoint",
    "Mark",
    "Measured",
    "Moment",
    "Palette",
    "PartUse",
    "TradePoint",
    "bands",
    "by_condition",
    "composition",
    "distribution",
    "dots",
    "event_display",
    "history",
    "image_display",
    "means",
    "occupancy",
    "occupancy_map",
    "rates",
    "resources",
    "roc",
    "score_histogram",
    "spectrum",
    "stages",
    "sums_of_images",
    "trade_off",
    "trend",
]
