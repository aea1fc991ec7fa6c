"""The scans of `tools.jets_study` for principal components alone, without cards: in seconds.

python -m tools.jets_components FOLDER    tables of docs/jets.md, docs/images/jets-*.svg

The images, the components and the error are those of the entries jets_pca and jets_inverse_pca,
worked out by NumPy for all test jets; of no component the error is the distance from the mean
image. FOLDER holds the tops that are mixed into the training (`make jets-study` has the same).
Where `make jets-study` has made its cards, its report draws both figures from them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.physics import Auc
from harness.data import training_events
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.jets import jet_images
from harness.metrics.roc import measure_auc, place
from harness.metrics.scores import rank_samples
from tools.jets_study import ANOMALY, IMAGES, LATENT, SIGNALS, Areas, Setting, auc_text, draw_both
from tools.jets_study import signals as tops_of
from tools.pages import table
from tools.sizes import SUBMISSIONS

NUMBERS = (0, 1, 2, 3, 4, 6, 10, 16, 32, 64)
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1)
Images = NDArray[np.float32]


def images_of(jets: NDArray[np.float32]) -> Images:
    """Return flat images whose pixels add up to 1, shape (n, 1369)."""
    return jet_images(jets).reshape(len(jets), -1)


def errors(training: Images, tested: Images, numbers: Sequence[int]) -> dict[int, Images]:
    """Return the squared error of `tested` by the number of leading components of `training`."""
    mean = training.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, vectors = np.linalg.eigh(np.cov((training - mean).T))
    # Eigenvalues rise.
    leading = vectors[:, ::-1][:, : max(numbers)].astype(np.float32)
    centred = tested - mean
    kept = np.cumsum(np.square(centred @ leading), axis=1)
    whole = np.square(centred).sum(axis=1)
    return {n: whole - kept[:, n - 1] if n else whole for n in numbers}


def areas(
    challenge: str, training: Images, numbers: Sequence[int]
) -> Iterator[tuple[int, dict[str, Auc]]]:
    """Give the AUC of each signal for each number of components."""
    rules = load_manifest().challenge(challenge)
    store = open_store(rules)
    names = (rules.processes("background")[0], *SIGNALS[challenge])
    parts = [images_of(np.asarray(store.select(name, "test")[:])) for name in names]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    found = errors(training, np.concatenate(parts), numbers)
    for n in numbers:
        background, *others = rank_samples(np.split(found[n].astype(np.float64), ends))
        measured = (measure_auc(place(background, one)) for one in others)
        yield n, dict(zip(SIGNALS[challenge], measured, strict=True))


def by_number() -> Areas:
    """Return the AUC of both tasks by the number of components."""
    return {
        Setting(model="pca", challenge=challenge, n_latent=n): found
        for challenge in SIGNALS
        for n, found in areas(challenge, images_of(np.asarray(training_events(challenge))), NUMBERS)
    }


def by_share(tops: Path) -> Areas:
    """Return the AUC of six components by the share of tops among the training."""
    sys.path.insert(0, str(SUBMISSIONS / "_kit"))
    # Scripts of the trainings beside the entries: no package.
    jets, kit = (importlib.import_module(name) for name in ("jets", "kit"))

    settings = kit.Settings(
        challenge=ANOMALY, manifest=None, n_events=100_000, n_epochs=1, seed=57, output=tops
    )
    made = {}
    for share in SHARES:
        training = jets.background(replace(settings, mixed_in=tops, share=share)).training
        ((_, found),) = areas(ANOMALY, images_of(training), (LATENT,))
        made[Setting(model="pca", share=share)] = found
    return made


def tables(latent: Areas, mixed: Areas) -> str:
    """Write both scans in Markdown."""
    of_number = [
        table(
            ("components", *names),
            [
                (str(one.n_latent), *map(auc_text, found.values()))
                for one, found in latent.items()
                if one.challenge == challenge
            ],
        )
        for challenge, names in SIGNALS.items()
    ]
    of_share = table(
        ("tops in training", *SIGNALS[ANOMALY]),
        [
            (f"{100 * one.share:g} %", *map(auc_text, found.values()))
            for one, found in mixed.items()
        ],
    )
    return "\n".join([*of_number, of_share])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and draw the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    latent, mixed = by_number(), by_share(tops_of(folder))
    print(tables(latent, mixed))
    draw_both(latent, mixed, IMAGES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
