"""Programs of the small networks, traced once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware_bench import encoder, export, two_and_one


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Graph and weights of 2 a + b."""
    return export(two_and_one(), tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Graph and weights of an encoder with a sum of squares."""
    return export(encoder(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def tiny_program(tiny):
    return _program(tiny)


@pytest.fixture(scope="session")
def small_program(small):
    return _program(small)


def _program(network):
    from harness.firmware.translate.tracing import trace_program
    from harness.submission.network import rebuild

    return trace_program(rebuild(*network))
