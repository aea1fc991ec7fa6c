"""Text that others wrote, made harmless for where it is shown."""

from __future__ import annotations

import re
import unicodedata

# Control characters, and the format characters that turn or hide what stands around them.
_REPLACED = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
# Format characters that belong to ordinary writing: zero-width joiners of scripts and emoji.
_KEPT = {"\u200c", "\u200d"}
_SHOWN = "\ufffd"
# Spreadsheets read a cell that begins so as a formula, even after spaces.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r|%]")
# All that Markdown, GitHub's flavour and HTML give a meaning to.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:$^=\"'/])")


def visible(text: str) -> str:
    r"""Show controls and direction overrides as replacement signs and line breaks as spaces.

    Examples
    --------
    >>> visible("a\tb\u202ecod.exe\x1b[31m")
    'a b�cod.exe�[31m'
    """
    spaced = re.sub(r"[\t\n\r]+", " ", text)
    return "".join(
        _SHOWN if unicodedata.category(sign) in _REPLACED and sign not in _KEPT else sign
        for sign in spaced
    )


def spreadsheet_text(text: str) -> str:
    r"""Write text for a cell of a CSV file so that no spreadsheet takes it for a formula.

    Examples
    --------
    >>> spreadsheet_text('=HYPERLINK("http://x")'), spreadsheet_text("plain")
    ('\'=HYPERLINK("http://x")', 'plain')
    """
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def markdown_text(text: str) -> str:
    """Write text for Markdown so that it is shown as it is: no markup, HTML, link or mention.

    Every sign that could mean something becomes a numeric character reference, which Markdown
    shows and never reads.

    Examples
    --------
    >>> markdown_text("<b>|@all")
    '&#60;b&#62;&#124;&#64;all'
    """
    return _MARKDOWN.sub(lambda match: f"&#{ord(match.group(1))};", visible(text))
