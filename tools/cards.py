"""The cards of the shipped entries: which are of other files than the entry has now, and again.

python -m tools.cards --list     say which entries have no card of the files that they have now
python -m tools.cards            score these, one after the other; each new card replaces the old
python -m tools.cards TEAM...    the same of some

An entry is one that has a card in `results/`. What is interrupted goes on where it was: an entry
is done as soon as its new card is there. An entry of several challenges is scored on those where
its card is old.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.card.files import newest_card
from harness.submission.digest import folder_digest, scan
from tools.pages import ROOT


def old_entries(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield challenge and team of each entry that has no card of its present files."""
    for folder in sorted((root / "results").glob("*/[a-z]*/")):
        submission = root / "submissions" / folder.name
        if not submission.is_dir() or not any(folder.glob("*.json")):
            continue
        if newest_card(folder, _digest(submission)) is None:
            yield folder.parent.name, folder.name


def _digest(submission: Path) -> str:
    return folder_digest(submission, scan(submission).files)


def score_again(challenge: str, team: str, root: Path = ROOT) -> bool:
    """Score an entry; its new card takes the place of its old ones.

    False: it could not be scored, and the old ones stay.
    """
    folder = root / "results" / challenge / team
    before = set(folder.glob("*.json"))
    command = [sys.executable, "-m", "harness", "score", f"submissions/{team}"]
    done = subprocess.run([*command, "--challenge", challenge], cwd=root, check=False)
    if done.returncode or newest_card(folder, _digest(root / "submissions" / team)) is None:
        return False
    for path in before:
        path.unlink()
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """List, or score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("teams", nargs="*", metavar="TEAM")
    parser.add_argument("--list", action="store_true", dest="is_list")
    chosen = parser.parse_args(arguments)
    wanted = [one for one in old_entries() if not chosen.teams or one[1] in chosen.teams]
    if chosen.is_list:
        for challenge, team in wanted:
            print(f"{challenge} {team}")
        return 0
    failed = []
    for i, (challenge, team) in enumerate(wanted, start=1):
        print(f"== {i} of {len(wanted)}: {team} on {challenge}", flush=True)
        if not score_again(challenge, team):
            failed.append(f"{team} on {challenge}")
    for one in failed:
        print(f"no new card: {one}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
