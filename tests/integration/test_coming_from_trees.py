"""The lines of docs/coming-from.md for trees run as they stand, in the order of the page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.submission import network
from harness.submission.contract import check_network

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
BOOSTED = ROOT / "tests" / "golden" / "trees" / "boosted.json"
MAKES_NETWORK = {"scikit-learn": True, "XGBoost": True, "conifer": False}


def blocks(section: str) -> list[str]:
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"```python\n(.*?)```", text[1], flags=re.DOTALL)


@pytest.mark.parametrize("section", MAKES_NETWORK)
def test_the_lines_of_a_section_run(section, tmp_path, monkeypatch):
    network.load_keras()
    monkeypatch.chdir(tmp_path)
    shutil.copy(BOOSTED, tmp_path)
    space: dict = {"events": np.load(BOOSTED.with_suffix(".npz"))["events"]}

    for block in blocks(section):
        exec(block, space)

    assert blocks(section)
    if MAKES_NETWORK[section]:
        assert check_network(space["network"](), (19, 3), "network()") == []
