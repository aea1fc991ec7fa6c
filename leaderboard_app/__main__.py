"""Runs the app, and reads the cards while its server starts: ``python -m leaderboard_app``."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

from harness.errors import DataError
from leaderboard_app.log import bound_log
from leaderboard_app.serve import APP
from leaderboard_app.shell import send_style_first


def main() -> None:
    """Start Streamlit on the app; its options are this program's."""
    # Before any logger of Streamlit is made.
    bound_log()
    from streamlit.web import cli

    keep_to_itself()
    send_style_first()
    threading.Thread(target=_warm_up, daemon=True).start()
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


def keep_to_itself() -> None:
    """Keep Streamlit from asking a host outside for this machine's address.

    It does so where a visitor comes by a name that it does not know, to allow pages of that
    address; such a visitor is refused without.
    """
    from streamlit import net_util

    net_util.get_external_ip = lambda: None


def _warm_up() -> None:
    """Make what the first visitor would wait for."""
    from leaderboard_app.state import shelf

    shown = shelf()
    snapshot = shown.snapshot()
    for challenge in snapshot.entries:
        # The page of a challenge whose decisions cannot be read says so itself.
        with suppress(DataError):
            shown.ranking(snapshot, challenge)
    # Altair, for the first chart.
    import altair as alt  # noqa: F401


if __name__ == "__main__":
    main()
