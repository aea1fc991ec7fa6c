"""The participant's guide of docs/ as a page of the app."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


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
