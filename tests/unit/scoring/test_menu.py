"""What the trigger has today, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.challenge import Challenge
from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.scoring.menu import describe_all, summarise_menu
from tests.beside import ALGORITHMS, challenge_beside, write_beside

OTHERS = ("L1_OfSimulation", *ALGORITHMS[1:7])


def with_hidden() -> Challenge:
    """Return the challenge with one more signal, which is hidden."""
    made = challenge_beside().model_dump(mode="json")
    heavy = made["files"][1]
    hidden = {**heavy, "name": "secret.h5", "process": "secret", "title": "x", "role": "hidden"}
    return Challenge.model_validate({**made, "files": [*made["files"], hidden]})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.scoring.menu._CHUNK_EVENTS", 100)
    write_beside(tmp_path / "background.h5", 1500, seed=1)
    write_beside(tmp_path / "heavy.h5", 300, seed=2, scale=3.0, names=OTHERS)
    write_beside(tmp_path / "secret.h5", 200, seed=3, scale=2.0, names=("L1_Other",))
    root = tmp_path / "cache"
    challenge = with_hidden()
    fetch(challenge, root=root, source_folder=tmp_path, trust_first_use=True)
    return open_store(challenge, root)


def decisions_of(path: Path) -> tuple[list[str], np.ndarray]:
    with h5py.File(path) as file:
        return list(file["algorithms"].attrs["names"]), file["algorithms"][()].astype(bool)


def test_only_test_events_and_shared_algorithms_are_counted(store, tmp_path: Path) -> None:
    found = summarise_menu(store)
    rows = store.indices("background", "test")
    names, passed = decisions_of(tmp_path / "background.h5")
    assert found.menu.shares["background"].n_accepted == passed[rows].any(axis=1).sum()
    assert found.menu.shares["background"].n_events == len(rows) < 1500
    assert {row.title for row in found.algorithms} == set(ALGORITHMS[1:7])
    of_signal, signal = decisions_of(tmp_path / "heavy.h5")
    for row in found.algorithms:
        column = passed[rows][:, names.index(row.title)]
        share = row.shares["background"]
        assert share.value == np.mean(column)
        assert share.interval.lower <= share.value <= share.interval.upper
        # Alone means that none at all of the others accepts it, shared or not.
        alone = column & (passed[rows].sum(axis=1) == 1)
        assert row.n_alone["background"] == alone.sum()
        own = signal[:, of_signal.index(row.title)]
        assert row.shares["heavy"].n_accepted == own.sum()
        assert row.n_alone["heavy"] == (own & (signal.sum(axis=1) == 1)).sum()


def test_a_hidden_signal_is_in_nothing_of_it(store) -> None:
    text = describe_all(store).summary.model_dump_json()
    assert "secret" not in text
    assert "L1_Other" not in text
    assert "L1_Single3" in text


def test_without_algorithms_the_menu_stands_alone_and_without_a_menu_nothing(store) -> None:
    plain = store.challenge.model_copy(update={"algorithms": None})
    found = summarise_menu(open_store(plain, store.root))
    assert found.algorithms == ()
    assert found.menu.shares["heavy"].n_events == 300
    none = plain.model_copy(update={"menu": None, "conditions": ()})
    assert summarise_menu(open_store(none, store.root)) is None
    assert describe_all(open_store(none, store.root)).summary.menu is None
