"""The folders of the baselines in several sizes are exactly what their recipe writes."""

from __future__ import annotations

import json
import shutil

import pytest

from tools import sizes
from tools.pages import outdated, write_or_check

NAMES = ("model.py", "size.json", "submission.yaml", "train.py")


@pytest.fixture
def copy(tmp_path):
    """The recipe and its folders, without weights, to edit."""
    folders = {path.parent for path in sizes.recipe_files()}
    folders |= {sizes.SUBMISSIONS / size.base for size in sizes.read_sizes().values()}
    folders |= {sizes.SUBMISSIONS / base for base in sizes.SAME_TRAINING.values()}
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("*.h5"))
    (tmp_path / "_kit").mkdir()
    shutil.copy(sizes.SUBMISSIONS / "_kit" / "sizes.yaml", tmp_path / "_kit")
    return tmp_path


def test_the_committed_folders_are_what_the_recipe_writes():
    assert outdated(sizes.recipe_files()) == [], "run `python -m tools.sizes`"
    assert sizes.main(["--check"]) == 0


def test_the_recipe_writes_all_of_a_folder_but_its_weights():
    written = {(path.parent.name, path.name) for path in sizes.recipe_files()}

    for team in sizes.read_sizes():
        held = {path.name for path in (sizes.SUBMISSIONS / team).iterdir() if path.is_file()}
        assert {name for name in held if not name.endswith(".weights.h5")} == set(NAMES)
        assert {(team, name) for name in NAMES} <= written


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_that_was_edited_by_hand_is_found_and_written_again(copy, name, capsys):
    edited = copy / "dense_vae_mu2_w8" / name
    text = edited.read_text(encoding="utf-8")
    edited.write_text(text + "\n", encoding="utf-8")

    files = sizes.recipe_files(copy)
    assert outdated(files) == [edited]
    assert write_or_check(files, is_check=True) == 1
    assert "not current" in capsys.readouterr().err
    assert edited.read_text(encoding="utf-8") == text + "\n"

    assert write_or_check(files, is_check=False) == 0
    assert edited.read_text(encoding="utf-8") == text


def test_a_change_of_the_base_reaches_every_size(copy):
    base = copy / "dense_vae_mu2" / "train.py"
    base.write_text(base.read_text(encoding="utf-8") + "# More.\n", encoding="utf-8")

    old = outdated(sizes.recipe_files(copy))

    assert {path.name for path in old} == {"train.py"}
    assert len(old) == 8


def test_a_new_size_is_a_new_folder(copy):
    table = copy / "_kit" / "sizes.yaml"
    entry = """
dense_vae_mu2_w2:
  base: dense_vae_mu2
  title: "A title \\\\1"
  size: '{"hidden": [2], "latent": 2, "weight_bits": 4, "data_fraction": 1, "ebops_weight": 1e-4}'
  description: |
    Two lines
    of text.
"""
    table.write_text(table.read_text(encoding="utf-8") + entry, encoding="utf-8")

    assert write_or_check(sizes.recipe_files(copy), is_check=False) == 0

    folder = copy / "dense_vae_mu2_w2"
    assert json.loads((folder / "size.json").read_text())["hidden"] == [2]
    declared = (folder / "submission.yaml").read_text(encoding="utf-8")
    assert declared.startswith('team: dense_vae_mu2_w2\ntitle: "A title \\1"\nauthors:')
    described = "description: >\n  Two lines\n  of text.\n"
    assert f"{described}method: vanilla_variational_autoencoder\ntraining_data: >\n" in declared
    base = (copy / "dense_vae_mu2" / "model.py").read_bytes()
    assert (folder / "model.py").read_bytes() == base


def test_every_size_of_a_model_is_another_one():
    by_base: dict[str, list[str]] = {}
    for size in sizes.read_sizes().values():
        by_base.setdefault(size.base, []).append(size.size)
    for base, known in by_base.items():
        own = (sizes.SUBMISSIONS / base / "size.json").read_text(encoding="utf-8").strip()
        assert len({own, *known}) == 1 + len(known)
