"""The command line with scoring that takes no time: ``python -m tests.quick_harness ARGUMENTS``.

What a card holds stands in ``figures.json`` of its submission: `seed`, the true `rates` of the
signals, and `until`, a file before whose appearance the scoring does not end.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.card import records
from harness.card.figures import NotMeasured
from harness.challenge import utc
from harness.ci.process import ScoringOutcome, ScoringRequest
from tests.cards import TYPICAL_RATES, make_card, make_challenge

VERSION_VARIABLE = "QUICK_SCORER_VERSION"
# Where it is set, publishing and decisions write no pages: that would take seconds each time.
NO_PAGES_VARIABLE = "QUICK_NO_PAGES"
SHIM = """#!/bin/sh
case "$1" in
  doctor) exit 0 ;;
esac
PYTHONPATH={project} exec {python} -m tests.quick_harness "$@"
"""


def score(request: ScoringRequest) -> ScoringOutcome:
    """Make a card of the figures that a submission states."""
    said = json.loads(request.files.get("figures.json", b'{"seed": 1}'))
    while said.get("until") and not Path(said["until"]).exists():
        time.sleep(0.02)
    rules = request.rules
    scored = make_challenge(
        name=rules.name, hidden=rules.processes("hidden"), rules=rules.ranking
    ).model_copy(update={"working_point": rules.working_point})
    seed = said["seed"]
    card = make_card(
        request.team,
        seed=seed,
        challenge=scored,
        rates=said.get("rates", TYPICAL_RATES),
        created=utc(datetime.now(UTC)),
        model_digest=f"sha256:{seed:064d}",
        scores=NotMeasured(not_measured="made up"),
    )
    handed_in = card.submission.model_copy(update={"digest": request.digest})
    changes = {"submission": handed_in, "scorer_version": version()}
    content = card.model_copy(update=changes).model_dump_json().encode()
    return ScoringOutcome(exit_code=0, message="", wall_s=0.1, card=content)


def version() -> int:
    """Version of the scorer that makes the cards."""
    return int(os.environ.get(VERSION_VARIABLE, records.SCORER_VERSION))


def write_shim(folder: Path) -> Path:
    """Write a program ``harness`` that scores in no time; its machine has a sandbox."""
    path = folder / "harness"
    project = Path(__file__).parents[1]
    path.write_text(SHIM.format(project=project, python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return path


def become_quick() -> None:
    """Let every command of this process score by `score`."""
    from harness.ci import intake, ledger, queue, rescore, session

    intake.ScoringSettings = functools.partial(intake.ScoringSettings, score=score)
    for module in (ledger, queue, rescore):
        module.SCORER_VERSION = version()
    write_site = session.write_site

    def write(*arguments: Path) -> Path | None:
        return None if os.environ.get(NO_PAGES_VARIABLE) else write_site(*arguments)

    session.write_site = write


if __name__ == "__main__":
    from harness.cli import main

    become_quick()
    main()
