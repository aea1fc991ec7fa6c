"""How an entry of a board is cited, and where its references lead."""

from __future__ import annotations

import re

from harness.board.latex import latex_text
from harness.card.records import ScoreCard

_ARXIV = re.compile(r"arxiv:\s*([a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})(v\d+)?", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:\s*)?(10\.\d{4,9}/[-._;()/:A-Za-z0-9]+)", re.IGNORECASE)


def reference_link(text: str) -> str | None:
    """Return where a reference leads, if it is a DOI or an arXiv id; never an address of its own.

    Examples
    --------
    >>> reference_link("arXiv:2108.03986")
    'https://arxiv.org/abs/2108.03986'
    >>> reference_link("doi:10.1093/restud/rdad006")
    'https://doi.org/10.1093/restud/rdad006'
    >>> reference_link("javascript:alert(1)") is None
    True
    """
    if found := _ARXIV.fullmatch(text.strip()):
        return f"https://arxiv.org/abs/{found[1]}"
    if found := _DOI.fullmatch(text.strip()):
        return f"https://doi.org/{found[1]}"
    return None


def bibtex(card: ScoreCard, team: str) -> str:
    """Write an entry as BibTeX: who made it, what it is, on which challenge, and its digest."""
    said, challenge = card.submission, card.challenge
    fields = {
        "author": " and ".join(f"{{{latex_text(name)}}}" for name in said.authors),
        "title": f"{{{latex_text(said.title)}}}",
        "year": card.created[:4],
        "howpublished": f"Entry {latex_text(team)} of the challenge {latex_text(challenge.name)} "
        f"{latex_text(challenge.version)}, scored {card.created}",
        "note": f"Digest {latex_text(said.digest)}, scorer version {card.scorer_version}",
    }
    key = re.sub(r"[^A-Za-z0-9]", "", f"{team}{card.created[:10]}")
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])
