"""The participant's guide of docs/ as a page of the app and of the static site."""

from __future__ import annotations

import re

from leaderboard_app.settings import GLOSSARY, GUIDE

TITLE = "How to take part"
BRIEF = """
1. Make a submission that scores as it is: `harness new my_team`, then run its `train.py`.
2. Change `model.py`: `network()` returns a Keras network from an event to its anomaly score.
3. Check it in seconds: `harness validate submissions/my_team`.
4. Score it: `harness score submissions/my_team`. The card appears here within seconds.
"""

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def guide_text() -> str:
    """Return the guide of docs/, or its short form where docs/ is not installed."""
    return GUIDE.read_text(encoding="utf-8") if GUIDE.is_file() else BRIEF


def glossary_text() -> str:
    """Return the glossary of docs/; empty where docs/ is not installed."""
    return GLOSSARY.read_text(encoding="utf-8") if GLOSSARY.is_file() else ""


def guide_page(text: str) -> str:
    r"""Turn a page of docs/ into one that needs no other.

    Its title and its comments go, and links to other files become their names: the app shows none
    of those files.

    Examples
    --------
    >>> guide_page("# Title\n<!-- c -->\nSee [rules.md](rules.md), [the end](#end), [x](https://x).")
    'See `docs/rules.md`, the end, [x](https://x).'
    """
    body = text.partition("\n")[2] if text.startswith("# ") else text
    return _LINK.sub(_link_text, _COMMENT.sub("", body))


def _link_text(link: re.Match[str]) -> str:
    title, target = link.groups()
    if target.startswith(("https://", "http://")):
        return link.group(0)
    if target.startswith("#"):
        return title
    path = target.partition("#")[0]
    place = path.removeprefix("../") if path.startswith("../") else f"docs/{path}"
    return f"`{place}`" if title == path else f"{title} (`{place}`)"
