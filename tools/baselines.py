"""Train the baselines from nothing, and measure how far seeds scatter their figures.

python -m tools.baselines train             all of them, in an order in which each finds its teacher
python -m tools.baselines train TEAM...     some
python -m tools.baselines seeds TEAM...     trainings with five seeds, scored without firmware

The training takes the processor seconds that `submissions/_kit/trainings.json` lists.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

ROOT = Path(__file__).parents[1]
SUBMISSIONS = ROOT / "submissions"
TRAININGS = SUBMISSIONS / "_kit" / "trainings.json"
SEED_SPREAD = SUBMISSIONS / "_kit" / "seed_spread.json"
SEEDS = (1, 2, 3, 4, 5)
# The flow is the teacher of its distillation.
FIRST = ("flow",)
_TOOK = re.compile(r"after ([\d,]+) s, ([\d,]+) s of processor time")


def trained_teams() -> tuple[str, ...]:
    """Name every baseline that has a training, teachers first."""
    found = {path.parent.name for path in SUBMISSIONS.glob("[a-z]*/train.py")}
    return (*(team for team in FIRST if team in found), *sorted(found - set(FIRST)))


def train(team: str, challenge: str) -> dict[str, JsonValue]:
    """Run a baseline's ``train.py`` in its folder; return what it says that it took."""
    done = subprocess.run(
        [sys.executable, "train.py", "--challenge", challenge],
        cwd=SUBMISSIONS / team,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    sys.stderr.write(done.stdout)
    if done.returncode:
        raise SystemExit(f"{team}: train.py ended with {done.returncode}")
    took = _TOOK.search(done.stdout)
    return {"processor_s": int(took[2].replace(",", ""))} if took else {}


def keep(path: Path, found: Mapping[str, JsonValue]) -> None:
    """Write `found` into a table in JSON, beside what stands there of others."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    merged = dict(sorted({**known, **found}.items()))
    path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")


def train_all(teams: Sequence[str], challenge: str) -> None:
    """Train `teams`, or all; note the processor time of trainings on the sample."""
    for team in teams or trained_teams():
        print(f"== {team}", flush=True)
        took = train(team, challenge)
        if took and challenge == "sample":
            keep(TRAININGS, {team: took})


def score_seeds(team: str, challenge: str) -> list[JsonValue]:
    """Train with each seed in a copy of the folder and score it without firmware."""
    from harness import score
    from harness.records import NotMeasured, WorkingPoint

    found: list[JsonValue] = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "submissions" / team
            shutil.copytree(SUBMISSIONS / team, folder)
            shutil.copytree(SUBMISSIONS / "_kit", folder.parent / "_kit")
            arguments = [sys.executable, "train.py", "--challenge", challenge, "--seed", str(seed)]
            subprocess.run(arguments, cwd=folder, check=True, stdout=sys.stderr)
            card = score(folder, challenge, results=Path(parent) / "results", has_firmware=False)
        physics = card.float_physics
        if isinstance(physics, NotMeasured):
            raise SystemExit(f"{team}: {physics.not_measured}")
        point = physics.at(card.challenge.working_point)
        if not isinstance(point, WorkingPoint):
            raise SystemExit(f"{team}: the working point of {challenge} is not reached")
        found.append(
            {
                "seed": seed,
                "tpr": {name: rate.tpr for name, rate in point.rates.items()},
                "auc": {name: auc.value for name, auc in physics.auc.items()},
            }
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "seeds"))
    parser.add_argument("teams", nargs="*", metavar="TEAM")
    parser.add_argument("--challenge", default="sample")
    told = parser.parse_args(arguments)
    unknown = sorted(set(told.teams) - set(trained_teams()))
    if unknown:
        parser.error(f"no train.py of {', '.join(unknown)}; there is {', '.join(trained_teams())}")
    if told.what == "train":
        train_all(told.teams, told.challenge)
    else:
        for team in told.teams:
            keep(SEED_SPREAD, {team: score_seeds(team, told.challenge)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
