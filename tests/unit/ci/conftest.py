"""A challenge and a stand-in for scoring: what surrounds it is tested, not what it measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.challenge import Challenge
from harness.ci.intake import ScoringSettings
from tests.ci_stand_in import RULES, score


@pytest.fixture
def rules() -> Challenge:
    return RULES


@pytest.fixture
def settings(tmp_path: Path) -> ScoringSettings:
    return ScoringSettings(rules=RULES, results=tmp_path / "results", score=score)
