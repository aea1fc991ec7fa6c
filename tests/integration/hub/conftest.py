"""A stand-in of the Hub that behaves badly where a test wants it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_asking import CONTENT, EVENTS, SEEDS
from tests.hub_server import Hub as StandIn
from tests.hub_server import hub_server


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """A repository with two large files and a small one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with hub_server() as found:
        found.add(EVENTS, CONTENT)
        found.add(SEEDS, b"seeds" * 100)
        found.publish()
        yield found
