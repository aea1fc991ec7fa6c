"""Attacks by what is printed."""

from __future__ import annotations

import unicodedata

from harness.errors import LimitError, SubmissionError
from tests.hostile.attack import NotTried, attack
from tests.hostile.attempt import Attempt, plain_python
from tests.hostile.world import World

MAX_LOG_CHARACTERS = 70_000
NEVER_SHOWN = ("Cc", "Cf", "Cs", "Co", "Cn")


def _is_unclean(text: str) -> bool:
    return any(
        unicodedata.category(character) in NEVER_SHOWN
        for character in text
        if character not in "\n\t"
    )


def _shows_controls(attempt: Attempt, world: World) -> bool:
    shown = attempt.result.log if attempt.result else str(attempt.error)
    return _is_unclean(shown) or len(shown) > MAX_LOG_CHARACTERS


def _prints_controls(attack_, world, folder) -> bool:
    done = plain_python(attack_, world, folder)
    return _is_unclean(done.stdout + done.stderr)


attack(
    "print-ten-gigabytes",
    kind="output",
    claim="printing is limited, and only its head and tail are kept",
    code="""
    line = b'x' * 99 + b'\\n'
    for n in range(100_000):
        os.write(1, line * 1000)
    found = True
    """,
    ends=LimitError,
    says="printed output: .* MiB used, 8 MiB allowed",
    control=NotTried(because="it prints ten gigabytes"),
)
attack(
    "print-without-end-or-newline",
    kind="output",
    claim="printing is limited, lines or no lines",
    code="""
    while True:
        os.write(2, b'x' * 65536)
    """,
    ends=LimitError,
    says="printed output",
    control=NotTried(because="it prints without end"),
)
for name, printed in {
    "colours": r"\x1b[31mAUC = 0.999\x1b[0m",
    "clear-the-screen": r"\x1b[2J\x1b[Haccepted",
    "window-title": r"\x1b]0;pwned\x07",
    "hyperlink": r"\x1b]8;;http://example.org\x1b\\click\x1b]8;;\x1b\\",
    "eight-bit-controls": r"\x9b31mred\x9d0;title\x9c",
    "answer-back": r"\x1bP$q\"p\x1b\\\x1b[c\x05",
    "backspaces": r"FAILED\b\b\b\b\b\bPASSED",
    "right-to-left": r"\u202egnihton\u202c \u2066x\u2069 \u200f",
    "zero-width": r"zero\u200bwidth\ufeff\u00ad",
    "nul": r"a\0b",
    "private-use": r"\ue000\U000f0000",
}.items():
    attack(
        f"print-{name}",
        kind="output",
        claim="escape sequences, controls and bidirectional characters are removed",
        code=f"""
        os.write(1, "{printed}".encode())
        os.write(2, "{printed}".encode())
        """,
        got_through=_shows_controls,
        control=_prints_controls,
    )
attack(
    "print-overwrites-a-line",
    kind="output",
    claim="a carriage return starts a new line",
    code="os.write(1, b'score refused\\rscore accepted')",
    got_through=lambda attempt, world: "refused\nscore" not in attempt.result.log,
    control=lambda attack_, world, folder: (
        "refused\nscore" not in plain_python(attack_, world, folder).stdout
    ),
)
attack(
    "escape-sequences-in-an-exception",
    kind="output",
    claim="a traceback is cleaned like all that is printed",
    code="raise ValueError('\\x1b[2J\\u202eall is well\\x07')",
    ends=SubmissionError,
    got_through=_shows_controls,
    control=_prints_controls,
)
attack(
    "endless-exception",
    kind="output",
    claim="a traceback is capped",
    code="raise ValueError('x' * 50_000_000)",
    ends=SubmissionError,
    got_through=lambda attempt, world: len(str(attempt.error)) > MAX_LOG_CHARACTERS,
    control=lambda attack_, world, folder: (
        len(plain_python(attack_, world, folder).stderr) > MAX_LOG_CHARACTERS
    ),
)
attack(
    "exception-that-raises-when-it-is-shown",
    kind="output",
    claim="an exception without a text is reported without one",
    code="""
    class Spiteful(BaseException):
        def __str__(self):
            os._exit(0)
        __repr__ = __str__
    raise Spiteful
    """,
    ends=SubmissionError,
    control=lambda attack_, world, folder: plain_python(attack_, world, folder).returncode == 0,
)
attack(
    "last-words-with-escape-sequences",
    kind="output",
    claim="what a dying process printed is cleaned before it is shown",
    code="""
    os.write(2, '\\x1b[2J\\u202eaccepted'.encode())
    os._exit(3)
    """,
    ends=SubmissionError,
    says="exit status 3",
    got_through=_shows_controls,
    control=_prints_controls,
)
