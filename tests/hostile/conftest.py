"""The world that attacks are let loose on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.sandbox import Sandbox, open_sandbox
from tests.hostile.world import World, make_world


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return open_sandbox("bwrap")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("world")) as made:
        yield made
