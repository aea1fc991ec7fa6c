"""harness: the benchmark of real-time anomaly detection at the LHC.

>>> import harness
>>> card = harness.score("submissions/my_team", is_quick=True)  # doctest: +SKIP
>>> board = harness.leaderboard("sample")  # doctest: +SKIP

What there is, with examples: docs/python.md. The names are loaded when they are first used (PEP
562), so that importing the package is cheap; their types stand in ``__init__.pyi``.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "cards",
    "compare",
    "data",
    "evaluate",
    "leaderboard",
    "plots",
    "read_card",
    "score",
]

_HOMES = {
    "cards": "harness.scoring.tables",
    "compare": "harness.scoring.declared",
    "evaluate": "harness.scoring.declared",
    "leaderboard": "harness.scoring.tables",
    "read_card": "harness.card.files",
    "score": "harness.scoring.pipeline",
}
_ROOMS = frozenset({"data", "plots"})


def __getattr__(name: str) -> object:
    """Load a public name from the module that it lives in."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(f"harness.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what there is, for completion."""
    return sorted({*globals(), *_HOMES, *_ROOMS})
