"""Outputs come back as the files that the parent made, or not at all."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from harness.errors import EnvironmentFaultError, InvalidSubmissionError
from harness.sandbox import outputs, read_scores


@pytest.fixture
def made(tmp_path):
    files = outputs.create(tmp_path, {"scores": 8}, owner=None)
    yield files
    outputs.close(files)


def test_an_output_is_an_empty_private_file(made):
    found = made[0].path.stat()

    assert found.st_size == 0
    assert stat.S_IMODE(found.st_mode) == 0o600


def test_an_output_of_the_right_size_is_taken(made, tmp_path):
    made[0].path.write_bytes(bytes(8))

    assert outputs.collect(made, "score") == {"scores": tmp_path / "scores"}


def test_an_output_that_is_too_large_is_refused(made):
    made[0].path.write_bytes(bytes(9))

    with pytest.raises(InvalidSubmissionError, match="has 9 bytes"):
        outputs.collect(made, "score")


def _swap_link(place):
    target = place.with_name("target")
    place.rename(target)
    place.symlink_to(target)


def _swap_file(place):
    place.unlink()
    place.write_bytes(b"")


@pytest.mark.parametrize(
    "swap", [_swap_link, _swap_file, os.unlink, lambda p: (p.unlink(), os.mkfifo(p))]
)
def test_an_output_that_was_replaced_is_refused(made, swap):
    swap(made[0].path)

    with pytest.raises(InvalidSubmissionError, match="was replaced"):
        outputs.collect(made, "score")


def test_a_link_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "scores").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EnvironmentFaultError):
        outputs.create(tmp_path, {"scores": 8}, owner=None)

    assert not (tmp_path / "elsewhere").exists()


def test_permissions_that_a_step_set_are_undone(made):
    made[0].path.chmod(0o4777)

    outputs.collect(made, "score")

    assert stat.S_IMODE(made[0].path.stat().st_mode) == 0o600


def test_scores_are_read_bit_for_bit(tmp_path):
    scores = np.array([1.5, -2.0, 5e-324, 1e308, 0.1])
    (tmp_path / "scores").write_bytes(scores.astype("<f8").tobytes())

    found = read_scores(tmp_path / "scores", 5)

    assert found.tobytes() == scores.tobytes()


def test_minus_zero_is_zero(tmp_path):
    (tmp_path / "scores").write_bytes(np.array([-0.0, 0.0]).astype("<f8").tobytes())

    assert not np.signbit(read_scores(tmp_path / "scores", 2)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_counted_and_shown(tmp_path, bad):
    (tmp_path / "scores").write_bytes(np.array([1.0, bad, bad]).astype("<f8").tobytes())

    with pytest.raises(InvalidSubmissionError, match=f"2 scores are not finite, the first {bad}"):
        read_scores(tmp_path / "scores", 3)


@pytest.mark.parametrize("n_bytes", [0, 7, 15, 17, 24])
def test_another_number_of_scores_is_refused(tmp_path, n_bytes):
    (tmp_path / "scores").write_bytes(bytes(n_bytes))

    with pytest.raises(InvalidSubmissionError, match=f"has {n_bytes} bytes"):
        read_scores(tmp_path / "scores", 2)
