"""What it costs to score an entry of the open division in shards, against one process.

The entry is NumPy alone: the scalar sum of all transverse momenta. *In shards* is what `harness
score` does: the official scores from up to 16 sandboxes, then the highest scores and the symmetric
variants in further ones. *In one process* is the obvious way: all events in one sandbox, and a
second one that scores samples of them again in other company, which is what networks get. Both end
with the same figures and verdicts, and with the rest of the scoring: events mixed, metrics, cuts.

    python benchmarks/shards.py [--quick] [--json FILE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from _table import Goal, Report, Timed, publish, read_options, timed

from harness.card.records import ScoreCard
from harness.scoring import pipeline
from harness.scoring.scorer import Scorer

MAX_RATIO = 2.0
DECLARATION = """\
team: sum_of_pt
title: Sum of pT
authors: [A. Tester]
division: open
description: The scalar sum of all transverse momenta.
training_data: none
is_supervised: false
licence: Apache-2.0
"""
MODEL = """\
def score(events):
    return events[:, :, 0].sum(axis=1, dtype="f8")
"""


def main() -> int:
    """Measure, print the table and keep it; 1 if the goal is missed."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sum_of_pt"
        folder.mkdir()
        (folder / "submission.yaml").write_text(DECLARATION)
        (folder / "model.py").write_text(MODEL)

        def score() -> ScoreCard:
            return pipeline.score(folder, results=Path(scratch) / "results")

        score()  # the cache is made, and the pages of the events are in memory
        repeats = 1 if options.quick else 3
        in_shards = timed(score, repeats=repeats)
        with patch.object(Scorer, "is_plugin", False):
            in_one = timed(score, repeats=repeats)
    same = in_shards.result.float_physics == in_one.result.float_physics
    ratio = in_shards.best_s / in_one.best_s
    report = Report(
        name="shards",
        title="A whole scoring of an open entry of NumPy",
        columns=("way", "whole scoring [s]", "scores [s]", "checks [s]"),
        rows=(_row("in shards", in_shards), _row("in one process", in_one)),
        goals=(
            Goal(
                name="time in shards / in one process", value=ratio, relation="<=", limit=MAX_RATIO
            ),
            Goal(name="the same figures", value=float(same), relation=">=", limit=1.0),
        ),
        conditions={"challenge": "sample", "repeats": repeats},
    )
    return publish(report, options)


def _row(name: str, run: Timed[ScoreCard]) -> tuple[str, float, float, float]:
    usage = run.result.usage
    return name, run.best_s, usage["score"].wall_s, usage["checks"].wall_s


if __name__ == "__main__":
    sys.exit(main())
