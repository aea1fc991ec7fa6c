"""The ranking table as a component of the app."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from leaderboard_app.address import VIEW_KEYS

ASSETS = Path(__file__).parent / "assets"


@cache
def _sources() -> tuple[str, str]:
    table, mount = ((ASSETS / name).read_text("utf-8") for name in ("table.js", "mount.js"))
    return f"{table}\n{mount}", (ASSETS / "table.css").read_text("utf-8")


def show_table(model: str, *, version: str, key: str) -> str | None:
    """Show the table; return sorting and filters if the visitor changed them.

    The table keeps them in the address itself: a click makes an entry in the browser's history,
    typing makes none.

    Parameters
    ----------
    model : str
        JSON from `ranking_model`.
    version : str
        The table is drawn again only if this changed.
    """
    script, style = _sources()
    mount = st.components.v2.component("leaderboard_table", js=script, css=style)
    result = mount(
        key=key,
        data={"model": model, "version": version, "keys": list(VIEW_KEYS)},
        on_view_change=lambda: None,
    )
    changed = result.get("view")
    return changed if isinstance(changed, str) else None
