"""What a card may set: processes and particles, and nothing that reads, loads or seeds."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.simulate.presets import COMPONENTS, NAMED
from harness.simulate.process import read_card
from harness.simulate.settings import settings_problems

CARD = """
schema: 1
name: mine
title: Mine
settings:
"""


@pytest.mark.parametrize(
    "line",
    [
        "Init:plugins = {libevil.so::Evil}",
        "init:plugins = {libevil.so::Evil}",
        "Beams:LHEF = /etc/passwd",
        "Beams:frameType = 4",
        "SLHA:file = /etc/passwd",
        "PDF:pSet = LHAPDF6:NNPDF31",
        "PDF:pSetPath = /tmp",
        "Random:seed = 1",
        "Merging:Process = pp>jj",
        "Main:numberOfEvents = 1",
        "Print:quiet = off",
        "HeavyIon:mode = 1",
        "PartonLevel:all = off",
        "include = other.cmnd",
        "Tune:pp = 14",
        "25:doExternalDecays = on",
        "HardQCD:all = on; system",
        "HardQCD:all = $(id)",
        "HiggsSM:gg2H = `id`",
        "HiddenValley:somefile = a",
        "HardQCD:all",
        "",
        "HardQCD:all = ../../etc",
        "HardQCD:all = on\nInit:plugins = {a.so::B}",
    ],
)
def test_a_setting_outside_the_list_is_refused(line):
    assert len(settings_problems([line], "card.yaml")) == 1


def test_pythia_itself_would_load_a_library_that_a_setting_names(capfd):
    # The attack that the list is for: without it the name reaches dlopen.
    pythia8mc = pytest.importorskip("pythia8mc")
    pythia = pythia8mc.Pythia("", False)
    pythia.readString("Init:plugins = {libevil.so::Evil}")

    assert "libevil.so" in "".join(capfd.readouterr())


@pytest.mark.parametrize("process", [*NAMED.values()], ids=lambda process: process.name)
def test_the_presets_for_signals_keep_to_the_list_for_cards(process):
    assert settings_problems(process.settings, "preset") == ()


def test_the_names_of_all_processes_differ():
    names = [process.name for process in (*COMPONENTS, *NAMED.values())]

    assert len(set(names)) == len(names)


def test_a_card_tells_all_that_is_wrong_at_once(tmp_path):
    card = tmp_path / "card.yaml"
    card.write_text(CARD + "  - 'Init:plugins = {a}'\n  - 'HardQCD:all = on'\n  - 'Beams:eB = 1'\n")

    with pytest.raises(UsageError) as caught:
        read_card(card)

    assert [problem.where for problem in caught.value.problems] == [
        f"{card}, settings[0]",
        f"{card}, settings[2]",
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("schema: 1\nname: a\ntitle: a\nsettings: []\n", "settings"),
        ("schema: 1\nname: ../a\ntitle: a\nsettings: [a]\n", "name"),
        ("schema: 1\nname: a\ntitle: a\nsettings: [a]\nevents: 5\n", "events"),
        ("- a\n", "list"),
        ("!!python/object/apply:os.system ['id']\n", "python"),
    ],
)
def test_a_card_of_another_form_is_refused_with_the_reason(tmp_path, text, word):
    card = tmp_path / "card.yaml"
    card.write_text(text)

    with pytest.raises(UsageError, match=word):
        read_card(card)
