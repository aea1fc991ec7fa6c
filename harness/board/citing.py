"""How an entry of a board is cited, and where its references lead."""

from __future__ import annotations

import re

from harness.card.records import ScoreCard
from harness.card.text import visible

_ARXIV = re.compile(r"arxiv:\s*([a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})(v\d+)?", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:\s*)?(10\.\d{4,9}/[-._;()/:A-Za-z0-9]+)", re.IGNORECASE)
# Signs that mean something to LaTeX.
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{sign: f"\\{sign}" for sign in "$&#%_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


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
        "author": " and ".join(f"{{{_latex(name)}}}" for name in said.authors),
        "title": f"{{{_latex(said.title)}}}",
        "year": card.created[:4],
        "howpublished": f"Entry {_latex(team)} of the challenge {_latex(challenge.name)} "
        f"{_latex(challenge.version)}, scored {card.created}",
        "note": f"Digest {_latex(said.digest)}, scorer version {card.scorer_version}",
    }
    key = re.sub(r"[^A-Za-z0-9]", "", f"{team}{card.created[:10]}")
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in visible(text))
