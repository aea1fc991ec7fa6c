"""Cards are written whole or not at all, and kept scores come back as they were."""

from __future__ import annotations

import os
import stat
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from harness.card import files as cards
from harness.card.records import ScoreCard
from harness.errors import DataError, EnvironmentFaultError
from tests.cards import make_card


@pytest.fixture
def card() -> ScoreCard:
    card = make_card()
    files = tuple(file.model_copy(update={"n_scored": 100}) for file in card.challenge.files)
    return card.model_copy(update={"challenge": card.challenge.model_copy(update={"files": files})})


def _kept(card: ScoreCard, rng: np.random.Generator) -> cards.KeptScores:
    def draw() -> dict[str, np.ndarray]:
        return {file.process: rng.normal(size=file.n_scored) for file in card.challenge.files}

    return cards.KeptScores(float_scores=draw(), firmware_scores=draw())


def _write(card: ScoreCard, results: Path) -> tuple[Path, cards.KeptScores]:
    kept = _kept(card, np.random.default_rng(1))
    packed = cards.pack_scores(kept)
    card = card.model_copy(update={"scores": cards.describe_bytes("scores.zst", packed)})
    return cards.write_card(card, results, scores=packed), kept


def test_a_card_and_its_scores_come_back_as_they_were(card, tmp_path):
    path, kept = _write(card, tmp_path)

    back = cards.read_scores(path)

    for process, scores in kept.float_scores.items():
        np.testing.assert_array_equal(back.float_scores[process], scores)
        np.testing.assert_array_equal(back.firmware_scores[process], kept.firmware_scores[process])
    assert cards.read_card(path).submission == card.submission


def test_changed_scores_are_refused(card, tmp_path):
    path, _ = _write(card, tmp_path)
    scores = path.with_suffix(cards.SCORES_SUFFIX)
    content = scores.read_bytes()
    scores.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(DataError, match="sha256"):
        cards.read_scores(path)


def test_what_a_killed_run_left_is_swept_and_whole_cards_stay(card, tmp_path):
    path, _ = _write(card, tmp_path)
    torn = path.parent / ".20260101T000000Z-00000000.json.part"
    orphan = path.parent / f"20260101T000000Z-00000000{cards.SCORES_SUFFIX}"
    torn.write_text("{")
    orphan.write_bytes(b"x")

    second, _ = _write(card.model_copy(update={"created": "2026-12-01T00:00:00Z"}), tmp_path)

    assert not torn.exists()
    assert not orphan.exists()
    assert path.exists()
    assert second.exists()
    assert path.with_suffix(cards.SCORES_SUFFIX).exists()


def test_a_full_disk_leaves_no_card_and_says_so(card, tmp_path, monkeypatch):
    def no_space(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(EnvironmentFaultError, match="No space left"):
        cards.write_card(card, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_scores_without_their_card_are_not_left_behind(card, tmp_path, monkeypatch):
    flush = os.fsync
    n_calls = 0

    def no_space_for_the_card(descriptor: int) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls > 1:
            raise OSError(28, os.strerror(28))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", no_space_for_the_card)

    with pytest.raises(EnvironmentFaultError, match="No space left"):
        _write(card, tmp_path)
    assert n_calls == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_results_are_looked_at_before_a_long_run_and_nothing_is_left_there(tmp_path):
    cards.check_results(tmp_path / "not" / "there yet", 1000)
    assert list(tmp_path.iterdir()) == []

    with pytest.raises(EnvironmentFaultError, match="too little for a score card"):
        cards.check_results(tmp_path, 10**18)
    # Not even root makes a file below /proc.
    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        cards.check_results(Path("/proc/results"), 0)


def test_results_that_are_a_file_are_told(card, tmp_path):
    results = tmp_path / "results"
    results.write_text("")

    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        cards.write_card(card, results)
    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        cards.check_results(results, 0)
    assert stat.S_ISREG(results.stat().st_mode)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "whole file"),
        (b"{", "whole file"),
        (b"[]", "whole file"),
        (b'{"schema_version": 2}', "schema_version"),
    ],
)
def test_what_is_no_card_is_refused_with_the_field(content, told, tmp_path):
    path = tmp_path / "card.json"
    path.write_bytes(content)

    with pytest.raises(DataError, match=told):
        cards.read_card(path)


def test_a_card_that_is_too_large_is_not_parsed(tmp_path):
    path = tmp_path / "card.json"
    path.write_bytes(b" " * (cards.MAX_CARD_BYTES + 1))

    with pytest.raises(DataError, match="larger than"):
        cards.read_card(path)


def test_a_scores_file_that_unpacks_to_more_than_the_card_says_is_not_unpacked(card):
    kept = _kept(card, np.random.default_rng(1))
    bomb = cards.pack_scores(
        cards.KeptScores(
            float_scores={"x": np.zeros(200 * 2**20 // 8)}, firmware_scores=kept.firmware_scores
        )
    )
    tracemalloc.start()

    with pytest.raises(DataError, match="scores"):
        cards.unpack_scores(bomb, card)

    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_a_card_cannot_ask_for_any_memory(card):
    files = tuple(file.model_copy(update={"n_scored": 2**50}) for file in card.challenge.files)
    forged = card.model_copy(
        update={"challenge": card.challenge.model_copy(update={"files": files})}
    )

    with pytest.raises(DataError, match="the card says that it has"):
        cards.unpack_scores(b"", forged)


def test_a_pipe_in_the_results_is_no_card_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "card.json")

    with pytest.raises(DataError, match="is no regular file"):
        cards.read_card(tmp_path / "card.json")
