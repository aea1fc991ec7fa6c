"""The mixture that the tests of scoring share."""

import pytest

from tests.unit.scoring import toy


@pytest.fixture(scope="session")
def mixture(tmp_path_factory):
    return toy.mix(tmp_path_factory.mktemp("mixture"))
