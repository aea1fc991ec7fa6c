"""The map of the code, `docs/architecture.md`, says what the code is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")
_BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
_PATHS = sorted(set(re.findall(r"`((?:harness|leaderboard_app|tests|tools)/[\w/.]+)`", PAGE)))


def test_the_picture_of_the_layers_is_the_contract_of_the_imports():
    _, picture = _BLOCKS

    assert picture.splitlines() == LAYERS


def test_the_plan_names_every_room_and_module_at_the_top():
    plan, _ = _BLOCKS
    named = set(re.findall(r"^  (\w+(?:/|\.py)) ", plan, re.MULTILINE))
    package = ROOT / "harness"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}

    assert named == rooms | modules


def test_the_top_of_the_package_shows_the_whole_design():
    package = ROOT / "harness"

    assert len(list(package.glob("[!_]*.py"))) <= 3
    assert len(list(package.glob("*/__init__.py"))) <= 18
    assert len(LAYERS) <= 11


@pytest.mark.parametrize("path", _PATHS)
def test_a_file_that_the_map_names_exists(path):
    assert (ROOT / path).exists()
