"""A small release in a folder and on a stand-in of the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_fetching import DATA_SETS, N_EVENTS, publish
from tests.hub_server import Hub as StandIn
from tests.hub_server import hub_server
from tests.level1 import small_rows, write_hub


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two data sets, as on the Hub."""
    root = tmp_path_factory.mktemp("release")
    for rows in small_rows(N_EVENTS, DATA_SETS):
        write_hub(root, rows)
    return root


@pytest.fixture
def stand_in(release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_TOKEN", "HARNESS_CACHE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with hub_server() as found:
        publish(found, release)
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        yield found
