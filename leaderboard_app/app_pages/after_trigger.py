"""After the trigger: what entries accepted, clustered and compared with expectation."""

from __future__ import annotations

from leaderboard_app.page import show_reports
from leaderboard_app.views.trigger_reports import (
    AFTER_COMMAND,
    AFTER_TITLE,
    after_sections,
    cluster_reports,
)

show_reports(
    AFTER_TITLE, cluster_reports, after_sections, command=AFTER_COMMAND, key="after_trigger"
)
