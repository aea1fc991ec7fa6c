"""Detector watch: streams of entries compared with a reference."""

from __future__ import annotations

from leaderboard_app.page import show_reports
from leaderboard_app.views.trigger_reports import (
    WATCH_COMMAND,
    WATCH_TITLE,
    watch_reports,
    watch_sections,
)

show_reports(WATCH_TITLE, watch_reports, watch_sections, command=WATCH_COMMAND, key="watch")
