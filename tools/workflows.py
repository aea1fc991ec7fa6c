"""Write the workflows that a contest of one's own has, too, from their one template.

python -m tools.workflows            write .github/workflows/{comment,publish,score-pr}.yml
python -m tools.workflows --check    say which are not current; exit code 1 if any is not
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.ci.hackathon import workflows
from tools.pages import ROOT, asks_for_check, write_or_check

# What is this project's own: its clone is what it installs.
WORDS = {
    "INSTALL_COMMAND": "make setup",
    "LOCK_FILE": "requirements.lock",
    "CACHE_NOTE": (
        " pip checks\n      # every package in it against the hash in requirements.lock before it "
        "installs the package."
    ),
    "PUBLISHED_PATHS": '"submissions/**", "data_manifest.yaml", "harness/**", "leaderboard_app/**"',
    "FETCH_STEP": "",
}


def written() -> dict[Path, str]:
    """Return the text of each workflow."""
    place = ROOT / ".github" / "workflows"
    return {place / name: text for name, text in workflows(WORDS).items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the workflows; return the exit code."""
    return write_or_check(written(), is_check=asks_for_check(__doc__, arguments))


if __name__ == "__main__":
    sys.exit(main())
