"""A small release of the level-1 data on a stand-in of the Hub, and how tests fetch it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.challenge import Challenge
from harness.data.events import open_store
from harness.data.fetch import FetchReport, fetch
from harness.data.web import Patience
from tests.hub_server import Hub as StandIn
from tests.level1 import small_challenge

N_EVENTS = 120
IMPATIENT = Patience(max_attempts=3, first_wait_s=0.01, answer_s=60.0)
DATA_SETS = ("ZB_run396102", "WtoTauto3Mu")
ROOT_OF_REPOSITORY = Path(__file__).parents[1]
LARGEST = "data/ZB_run396102/train-00000-of-00002.parquet"


def publish(stand_in: StandIn, release: Path) -> None:
    for path in sorted(release.rglob("*.parquet")):
        stand_in.add(path.relative_to(release).as_posix(), path.read_bytes())
    stand_in.publish()


def challenge(**changes: object) -> Challenge:
    found = small_challenge(N_EVENTS, **changes)
    return found.model_copy(
        update={"files": tuple(file for file in found.files if file.name in DATA_SETS)}
    )


def fetched(root: Path, rules: Challenge | None = None, **options: object) -> FetchReport:
    return fetch(rules or challenge(), root=root, patience=IMPATIENT, **options)  # type: ignore[arg-type]


def asked_of_the_hub(stand_in: StandIn) -> list[str]:
    return [path for path, _ in stand_in.served.requests if path.startswith("/api")]


def brought(stand_in: StandIn) -> list[str]:
    return [path for path, _ in stand_in.served.requests if path.startswith("/cdn")]


def downloads(root: Path) -> Path:
    return root / "cmsl1t" / "downloads"


def events(root: Path, process: str = "zb_run396102") -> np.ndarray:
    rules = challenge()
    files = tuple(file for file in rules.files if file.process == process)
    return np.array(open_store(rules.model_copy(update={"files": files}), root).events(process))


def files_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def at_commit(revision: str) -> Challenge:
    rules = challenge()
    assert rules.source is not None
    source = rules.source.model_copy(update={"revision": revision})
    return rules.model_copy(update={"source": source})
