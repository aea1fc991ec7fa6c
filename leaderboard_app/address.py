"""The address of a page is its state: choices are read from it, and written into it.

A key that is absent means the default. What a visitor chooses is written before the page runs, so
what is drawn always follows the address, whichever way it changed: by a choice, by a link, or by
the browser's Back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import urlencode

import streamlit as st

from harness.card.text import visible
from leaderboard_app.blocks import Note
from leaderboard_app.markup import note_html

# What goes with a visitor from page to page, and what the table of the ranking keeps.
CARRIED = ("challenge", "fpr")
VIEW_KEYS = ("sort", "q", "columns", "division", "evidence", "part", "class", "seen", "by")
# What means something only for one value of another key.
_DEPENDENT = {
    "challenge": ("fpr", "team", "card", "entries", "event", "signals", "efficiency", *VIEW_KEYS),
    "team": ("card",),
}


def carried() -> dict[str, str]:
    """Return what links to the other pages take along."""
    return {key: st.query_params[key] for key in CARRIED if key in st.query_params}


def entry_address(challenge: str, team: str, card: str) -> str:
    """Return the address of an entry's page, from any page of the app."""
    return "submission?" + urlencode({"challenge": challenge, "team": team, "card": card})


def choose(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str | None = None,
    label_of: Callable[[str], str] = visible,
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """Let the visitor choose one of `options`; the choice stands in the address as `key`.

    Where the address has a name that is none of the options, the page says so and takes the
    default.

    Parameters
    ----------
    default : str, optional
        Chosen where the address says nothing; the first option if not given.
    """
    first = options[0] if default is None else default
    asked = st.query_params.get(key)
    name = _widget(key)
    # Assigned before the box is drawn, also on its first page: else it would start at its top.
    st.session_state[name] = asked if asked in options else first
    chosen = str(
        st.selectbox(
            label,
            options,
            key=name,
            format_func=label_of,
            width=width,
            on_change=_write,
            args=(key, [first]),
        )
    )
    if asked is not None and asked not in options:
        what = f"The address names a {_noun(label)} that is not here; {label_of(chosen)} is shown."
        st.html(note_html(Note(text=what, tone="warn")))
    return chosen


def choose_several(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: Sequence[str],
    most: int,
    label_of: Callable[[str], str],
) -> list[str]:
    """Let the visitor choose up to `most` options; they stand in the address as `key`."""
    wanted = [one for one in st.query_params.get_all(key) if one in options]
    name = _widget(key)
    has_it = key in st.query_params
    st.session_state[name] = list(dict.fromkeys(wanted))[:most] if has_it else list(default)
    chosen: list[str] = st.multiselect(
        label,
        options,
        key=name,
        max_selections=most,
        format_func=label_of,
        on_change=_write,
        args=(key, list(default)),
    )
    return chosen


def keep_view(view: Mapping[str, str]) -> None:
    """Remember what the table wrote into the address itself, for the next choice that is made."""
    st.session_state["view of the table"] = dict(view)


def _widget(key: str) -> str:
    return f"choice of {key}"


def _noun(label: str) -> str:
    return label[0].lower() + label[1:]


def _write(key: str, default: Sequence[str]) -> None:
    """Write a choice into the address before the page runs: one entry in the browser's history."""
    chosen = st.session_state[_widget(key)]
    values = [chosen] if isinstance(chosen, str) else list(chosen)
    parameters = {name: st.query_params.get_all(name) for name in st.query_params}
    view = st.session_state.pop("view of the table", None)
    if view is not None:
        parameters = {name: parameters[name] for name in parameters if name not in VIEW_KEYS}
        parameters |= {name: [value] for name, value in view.items()}
    for name in (key, *_DEPENDENT.get(key, ())):
        parameters.pop(name, None)
    if values != list(default):
        # Present and empty: nothing is chosen.
        parameters[key] = values or [""]
    st.query_params.from_dict(parameters)
