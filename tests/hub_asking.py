"""How tests ask a stand-in of the Hub for files."""

from __future__ import annotations

from pathlib import Path

from harness.data.hub import HubFile, HubListing, bring_file, list_files
from harness.data.hub_api import Hub
from harness.data.web import Patience
from tests.hub_server import REPOSITORY
from tests.hub_server import Hub as StandIn

EVENTS = "data/ZB_run396102/train-00000-of-00001.parquet"
SEEDS = "data/ZB_run396102/seeds/train-00000-of-00001.parquet"
CONTENT = bytes(range(256)) * 500
IMPATIENT = Patience(max_attempts=3, first_wait_s=0.01, answer_s=60.0)


def hub_at(stand_in: StandIn, token: str | None = None, **patience: float) -> Hub:
    kept = {"max_attempts": 3, "first_wait_s": 0.01, "answer_s": 60.0, **patience}
    return Hub(endpoint=stand_in.url, token=token, patience=Patience(**kept))


def listed(stand_in: StandIn, revision: str | None = None, **patience: float) -> HubListing:
    return list_files(hub_at(stand_in, **patience), REPOSITORY, revision, folder="data")


def events_of(stand_in: StandIn) -> HubFile:
    return next(file for file in listed(stand_in).files if file.path == EVENTS)


def brought(stand_in: StandIn, folder: Path, **patience: float) -> Path:
    file = events_of(stand_in)
    return bring_file(hub_at(stand_in, **patience), REPOSITORY, file, folder)
