"""Text that others wrote, made harmless for where it is shown: the one owner of that rule.

`plain` is for a terminal or a log and keeps lines; `logged` is that where commands print, since a
forge's runner may read it; `quoted` is for what a submission printed; `visible` is for one line,
such as a cell or a heading; `spreadsheet_text` and `markdown_text` are for CSV and Markdown.
"""

from __future__ import annotations

import re
import unicodedata

# Control characters, format characters (those that turn or hide what is around them), surrogates,
# private characters, line and paragraph separators.
_UNSHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
# In a log, characters that this Python does not know are left out too.
_UNSHOWN_IN_LOGS = _UNSHOWN | {"Cn"}
# Format characters that belong to ordinary writing: zero-width joiners of scripts and emoji.
_JOINERS = frozenset("\u200c\u200d")
_REPLACEMENT = "\ufffd"
# Letters and symbols that show nothing: fillers of Hangul, the empty pattern of Braille.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Marks on one letter; Vietnamese takes two, vowelled Hebrew and Arabic three.
_MAX_MARKS = 4
# ECMA-48: control sequences; strings (OSC, DCS, SOS, PM, APC) up to their end; other escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# The name of an exception, and what it said up to the end of the line.
_EXCEPTION = re.compile(r":? ?\b[A-Za-z_.]*(?:Error|Exception)\b(?:: ?[^\n]*)?")
# What begins an order to a forge's runner, at the beginning of a line.
_ORDER = re.compile(r"^(\s*)::", re.MULTILINE)
# Spreadsheets read a cell that begins so as a formula, even after spaces.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r|%]")
# All that Markdown, GitHub's flavour and HTML give a meaning to.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:$^=\"'/])")


def plain(text: str) -> str:
    r"""Return `text` without escape sequences, controls, bidirectional and other format characters.

    Newlines and tabs stay; a carriage return becomes a newline, so that nothing is overwritten.

    Examples
    --------
    >>> plain("\x1b[31mred\x1b[0m \u202eevil\rok")
    'red evil\nok'
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        sign
        for sign in text
        if sign in "\n\t" or unicodedata.category(sign) not in _UNSHOWN_IN_LOGS
    )


def logged(text: str) -> str:
    r"""Return `plain` text for a terminal that a forge's runner may read: it gives no orders.

    A runner obeys a line that begins with ``::``, and ``##[`` anywhere in one.

    Examples
    --------
    >>> print(logged("a name\n ::add-mask::x ##[group]\x1b[31m"))
    a name
     : :add-mask::x ## [group]
    """
    return _ORDER.sub(r"\1: :", plain(text)).replace("##[", "## [")


def without_exceptions(text: str) -> str:
    r"""Leave out what a library's exception said, which helps the author and no visitor.

    Examples
    --------
    >>> without_exceptions("layer 'x': cannot be traced: AssertionError: (3, 4) != ()\n  to do: y")
    "layer 'x': cannot be traced\n  to do: y"
    """
    return _EXCEPTION.sub("", text)


def is_readable(text: str) -> bool:
    r"""Return whether a reader sees something, and no letter carries a pile of marks.

    An empty text is readable: that something must be there is another rule.

    Examples
    --------
    >>> is_readable("Réseau, \u03bc\u00b2"), is_readable("\u3164"), is_readable("e" + 9 * "\u0301")
    (True, False, False)
    """
    signs = "".join(text.split())
    kinds = "".join("Z" if sign in _BLANKS else unicodedata.category(sign)[0] for sign in signs)
    has_pile = "M" * (_MAX_MARKS + 1) in kinds
    return not has_pile and (not text or any(kind in "LNPS" for kind in kinds))


def quoted(text: str) -> str:
    r"""Quote what a submission printed, line by line.

    A forge's runner obeys lines of a log that begin with ``::``, and ``##[`` anywhere in one. A
    long line is wrapped, so any word may come to begin one.

    Examples
    --------
    >>> print(quoted("::add-mask::a\n##[add-mask]b"))
    | : :add-mask: :a
    | ## [add-mask]b
    """
    tamed = text.replace("::", ": :").replace("##[", "## [")
    return "\n".join(f"| {line}" for line in tamed.splitlines())


def visible(text: str) -> str:
    r"""Show controls and direction overrides as replacement signs and line breaks as spaces.

    Examples
    --------
    >>> visible("a\tb\u202ecod.exe\x1b[31m")
    'a b�cod.exe�[31m'
    """
    spaced = re.sub(r"[\t\n\r]+", " ", text)
    return "".join(
        _REPLACEMENT if unicodedata.category(sign) in _UNSHOWN and sign not in _JOINERS else sign
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
