"""What the checks against memorised and mixed events add to the scoring of a trigger entry.

The entry is the smallest network of `submissions/`, with its firmware. *With all checks* is what
`harness score` does. *Without* leaves out the events whose transverse momenta are moved by a
fraction of their resolution; what the graph is asked (that no operation mixes events or computes in
more than float32) is timed by itself, on the same network, and added.

    python benchmarks/checks.py [--quick] [--json FILE]
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from _table import Goal, Report, publish, read_options, timed

from harness.card.records import ScoreCard
from harness.scoring import pipeline, symmetry
from harness.submission.independence import mixing_problems
from harness.submission.number_types import type_problems
from harness.submission.plugin import find_function, load_plugin

MAX_SHARE = 0.10
SUBMISSION = Path(__file__).parents[1] / "submissions" / "team_x"


def main() -> int:
    """Measure, print the table and keep it; 1 if the goal is missed."""
    options = read_options(__doc__ or "")
    repeats = 1 if options.quick else 3
    with tempfile.TemporaryDirectory() as scratch:

        def score() -> ScoreCard:
            return pipeline.score(SUBMISSION, results=Path(scratch) / "results")

        score()  # the cache is made, and the pages of the events are in memory
        # A layout that lacks a feature gets no variant that needs it.
        left_out = {symmetry.MOVED: ("no such feature",)}
        with patch.dict(symmetry._NEEDS, left_out):  # noqa: SLF001
            without = timed(score, repeats=repeats)
        with_all = timed(score, repeats=repeats)
    asked_s = _graph_s()
    share = (with_all.best_s - without.best_s + asked_s) / with_all.best_s
    report = Report(
        name="checks",
        title="A whole scoring of a trigger entry, with its firmware",
        columns=("way", "whole scoring [s]"),
        rows=(
            ("with all checks", with_all.best_s),
            ("without moved momenta", without.best_s),
            ("questions to the graph, alone", asked_s),
        ),
        goals=(
            Goal(
                name="share of the scoring that they take",
                value=share,
                relation="<=",
                limit=MAX_SHARE,
            ),
        ),
        conditions={"submission": SUBMISSION.name, "challenge": "sample", "repeats": repeats},
    )
    return publish(report, options)


def _graph_s() -> float:
    """Time what the graph is asked before any event is scored."""
    with contextlib.chdir(SUBMISSION):  # A plugin is loaded in its own folder.
        model = find_function(load_plugin(SUBMISSION), "network")()
    start = time.perf_counter()
    problems = [*mixing_problems(model, "network"), *type_problems(model, "network")]
    seconds = time.perf_counter() - start
    if problems:
        raise RuntimeError(f"{SUBMISSION.name} is refused: {problems[0]}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
