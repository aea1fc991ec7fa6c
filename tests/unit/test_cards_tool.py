"""The tool that scores shipped entries again finds those whose files have changed since."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cards import make_card, write_board
from tools.baselines import digest_of_folder
from tools.cards import main, old_entries, score_again
from tools.pages import ROOT


def made(folder: Path, *, is_current: bool) -> None:
    """Write an entry with a card, of its files or of others."""
    shutil.copytree(ROOT / "submissions" / "met_cut", folder / "submissions" / "met_cut")
    digest = digest_of_folder(folder / "submissions" / "met_cut")
    card = make_card("met_cut")
    if is_current:
        said = card.submission.model_copy(update={"digest": digest})
        card = card.model_copy(update={"submission": said})
    # A card without a folder is of an entry that is not shipped.
    write_board([card, make_card("gone")], folder / "results")


def test_an_entry_is_old_while_no_card_is_of_its_files(tmp_path):
    made(tmp_path, is_current=False)
    assert list(old_entries(tmp_path)) == [("sample", "met_cut")]


def test_an_entry_with_a_card_of_its_files_is_done(tmp_path):
    made(tmp_path, is_current=True)
    assert list(old_entries(tmp_path)) == []


def test_a_name_that_is_no_shipped_entry_scores_nothing(capsys):
    assert main(["nobody", "--list"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("exit_code", "is_whole"), [(3, True), (0, False)])
def test_old_cards_stay_where_the_entry_could_not_be_scored(
    tmp_path, monkeypatch, exit_code, is_whole
):
    made(tmp_path, is_current=False)
    folder = tmp_path / "results" / "sample" / "met_cut"
    before = set(folder.glob("*.json"))

    def score(command, **_):
        shutil.copy(min(before), folder / "20990101T000000Z-aaaaaaaa.json")
        if not is_whole:
            (folder / "20990101T000000Z-aaaaaaaa.json").write_text("{}")
        return subprocess.CompletedProcess(command, exit_code)

    monkeypatch.setattr(subprocess, "run", score)
    assert not score_again("sample", "met_cut", tmp_path)
    assert before <= set(folder.glob("*.json"))
