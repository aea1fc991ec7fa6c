"""A publisher of made-up cards, in a process of its own: ``python -m tests.publisher``."""

from __future__ import annotations

import itertools
import sys
from functools import partial
from pathlib import Path

import click

from harness.board.decisions import add_decision, make_decision
from harness.card.files import write_card
from harness.ci import session
from harness.ci.documents import Scoring
from harness.ci.history import BoardFolder
from harness.ci.ledger import add_attempts
from harness.ci.session import BoardWork, open_session
from tests.cards import make_card


def write_site(results: Path, _: object, site: Path) -> Path:
    """Pages that tell how many cards there are: those of a board would take seconds."""
    site.mkdir(exist_ok=True)
    (site / "index.html").write_text(f"{len(list(results.glob('*/*/*.json')))}\n")
    return site


def _time_of(number: int) -> str:
    return f"2026-03-01T12:{number // 60:02}:{number % 60:02}Z"


def main(clone: Path, folder: Path, team: str, n_rounds: int) -> None:
    """Add a card, an attempt and a decision in each round, and say what was pushed."""
    session.write_site = write_site
    work = BoardWork(
        repository=clone,
        board=BoardFolder(folder),
        is_pushed=True,
        tell=partial(click.echo, err=True),
    )
    known = {path.name for path in folder.glob(f"results/sample/{team}/*.json")}
    for number in itertools.islice(itertools.count(len(known)), n_rounds):
        with open_session(work):
            card = make_card(
                team, seed=number, created=f"2026-03-01T12:{number // 60:02}:{number % 60:02}Z"
            )
            path = write_card(card, work.board.results, artefacts=[Path(__file__)])
            key = f"{team}/{path.stem}"
            scoring = Scoring(
                team=team,
                challenge="sample",
                status="scored",
                card=key,
                digest=card.submission.digest,
            )
            add_attempts(work.board.results, "sample", [scoring], card.created_at)
            made = make_decision("retract", reason=key, decided=card.created, card=key)
            add_decision(work.board.results, "sample", made)
        click.echo(f"pushed {key}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
