"""Train the baselines, and measure how far seeds scatter their figures.

python -m tools.baselines train             all of them, teachers first
python -m tools.baselines train TEAM...     some
python -m tools.baselines seeds TEAM...     trainings with five seeds, evaluated without firmware

`submissions/_kit/trainings.json` keeps the processor seconds of each training, `whole_run.json`
beside it the time of all of them together, with the start of TensorFlow for each. `tools.sizes`
writes the folders of the models that come in several sizes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.card.figures import UnreachedWorkingPoint
from harness.card.physics import Physics
from harness.data import load_manifest, open_store
from harness.scoring.evaluation import evaluate_scores
from harness.submission.digest import folder_digest, scan
from harness.submission.validate import read_submission
from tools.sizes import SUBMISSIONS, read_sizes

TRAININGS = SUBMISSIONS / "_kit" / "trainings.json"
WHOLE_RUN = SUBMISSIONS / "_kit" / "whole_run.json"
SEED_SPREAD = SUBMISSIONS / "_kit" / "seed_spread.json"
SEEDS = (1, 2, 3, 4, 5)
# What a participant has beside them in submissions/ is not ours.
TEAMS = (
    *("met_cut", "lepton_pt_cut", "ht_cut", "linear_pca", "covariance_met", "dense_ae"),
    *("dense_vae_klz", "dense_vae_rz", "dense_vae_mu2", "cnn_vae", "cnn_ae", *read_sizes()),
    *("team_x", "vae_mu2_float", "contrastive", "double_ae", "flow", "flow_distilled"),
    *("isolation_forest", "isolation_trees", "control_random", "control_constant"),
    "control_supervised",
)
# The flow is the teacher of its distillation.
FIRST = ("flow",)
# Without weights in their folders, as a training takes hours: built and timed, never scored.
WITHOUT_WEIGHTS = ("suep_published",)
# Two need signals that `harness simulate` makes; the train.py of all of these say how.
BY_HAND = ("control_supervised", "jets_supervised", *WITHOUT_WEIGHTS)
CHUNK = 65_536
_TOOK = re.compile(r"after ([\d,]+) s, ([\d,]+) s of processor time")


def trained_teams(challenge: str = "sample") -> tuple[str, ...]:
    """Name every baseline that has a training for a challenge, teachers first.

    A challenge for which no entry was made gets those of the sample.
    """
    named = {path.parent.name for path in SUBMISSIONS.glob("[a-z]*/train.py")} - set(BY_HAND)
    declared = {
        team: read_submission(SUBMISSIONS / team).spec.challenges or ("sample",) for team in named
    }
    is_known = any(challenge in challenges for challenges in declared.values())
    wanted = challenge if is_known else "sample"
    found = {team for team, challenges in declared.items() if wanted in challenges}
    return (*(team for team in FIRST if team in found), *sorted(found - set(FIRST)))


def train(team: str, challenge: str) -> dict[str, JsonValue]:
    """Run a baseline's ``train.py`` in its folder; return the time that it reports."""
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
    """Write `found` into a table in JSON and keep its other entries."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    merged = dict(sorted({**known, **found}.items()))
    path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")


def digest_of_folder(folder: Path) -> str:
    """Digest the files of a submission, its weights among them."""
    return folder_digest(folder, scan(folder).files)


def train_all(teams: Sequence[str], challenge: str) -> None:
    """Train `teams`, or all; keep the times of trainings on the sample."""
    began, chosen = time.monotonic(), teams or trained_teams(challenge)
    for team in chosen:
        before = digest_of_folder(SUBMISSIONS / team)
        print(f"== {team}", flush=True)
        took = train(team, challenge)
        if took and challenge == "sample":
            keep(TRAININGS, {team: took})
        is_same = digest_of_folder(SUBMISSIONS / team) == before
        print(f"{team}: {'the same weights as' if is_same else 'other weights than'} before")
    if not teams and challenge == "sample":
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = {
            "n_trainings": len(chosen),
            "wall_s": round(time.monotonic() - began),
            "processor_s": round(used.ru_utime + used.ru_stime),
        }
        keep(WHOLE_RUN, took)


def score_seeds(team: str, challenge: str) -> Iterator[dict[str, JsonValue]]:
    """Train with each seed in a copy of the folder, and evaluate the result in this process."""
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / team
            shutil.copytree(SUBMISSIONS / team, folder)
            shutil.copytree(SUBMISSIONS / "_kit", folder.parent / "_kit")
            arguments = [sys.executable, "train.py", "--challenge", challenge, "--seed", str(seed)]
            subprocess.run(arguments, cwd=folder, check=True, stdout=sys.stderr)
            physics = evaluate_folder(folder, challenge)
        point = physics.at(load_manifest().challenge(challenge).working_point)
        if isinstance(point, UnreachedWorkingPoint):
            raise SystemExit(f"{team}: {point.not_measured}")
        yield {
            "seed": seed,
            "fpr": point.fpr,
            "tpr": {name: rate.tpr for name, rate in point.rates.items()},
            "auc": {name: auc.value for name, auc in physics.auc.items()},
        }


def evaluate_folder(folder: Path, challenge: str) -> Physics:
    """Score the test events of `challenge` by a trusted folder's own code."""
    rules = load_manifest().challenge(challenge)
    store = open_store(rules)
    score = _scorer(folder)
    scores, hashes = {}, {}
    for process in (*rules.processes("background"), *rules.signals):
        chosen = store.indices(process)
        parts = store.select(process, "test").chunks(CHUNK)
        scores[process] = np.concatenate([score(part) for part in parts])
        hashes[process] = store.hashes(process)[chosen]
    return evaluate_scores(rules, scores, hashes, "float")


def _scorer(folder: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Return the function of an open entry, or what a network computes of events."""
    spec = importlib.util.spec_from_file_location(f"model_of_{folder.name}", folder / "model.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder}: no model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if hasattr(module, "score"):
        return lambda events: np.asarray(module.score(events), np.float64)
    network = module.network()
    shape = network.input_shape[1:]
    return lambda events: np.asarray(
        network.predict(events.reshape(-1, *shape), batch_size=8_192, verbose=0), np.float64
    ).ravel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "seeds"))
    parser.add_argument("teams", nargs="*", metavar="TEAM")
    parser.add_argument("--challenge", default="sample")
    options = parser.parse_args(arguments)
    known = trained_teams(options.challenge)
    if unknown := sorted(set(options.teams) - set(known)):
        parser.error(f"no train.py of {', '.join(unknown)}; there is {', '.join(known)}")
    if options.what == "train":
        train_all(options.teams, options.challenge)
    else:
        for team in options.teams:
            found: list[JsonValue] = []
            for one in score_seeds(team, options.challenge):
                found.append(one)
                keep(SEED_SPREAD, {team: found})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
