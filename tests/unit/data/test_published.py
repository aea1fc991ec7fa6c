"""The public test events without labels, in an order that everybody can make."""

from __future__ import annotations

import numpy as np
import pytest

from harness import data
from harness.data.published import published_test
from harness.errors import InvalidSubmissionError, UsageError
from tests.unit.data.conftest import Toy


@pytest.fixture(scope="module")
def published(toy: Toy):
    return published_test(toy.challenge, toy.root)


def events_of(toy: Toy, published) -> np.ndarray:
    """The events that the fixture holds, in the published order, made by hand."""
    parts = [toy.events[name][chosen] for name, chosen in published.indices.items()]
    return np.concatenate(parts)[published.order]


def test_they_are_the_test_background_and_the_public_signals(toy, published):
    found = data.test_events(toy.challenge, root=toy.root)

    assert set(published.indices) == {"background", "a"}
    assert len(found) == len(published.indices["background"]) + 300
    assert np.array_equal(np.asarray(found), events_of(toy, published))


def test_no_hidden_signal_and_no_training_event_is_among_them(toy):
    shown = {one.tobytes() for one in data.test_events(toy.challenge, root=toy.root)}

    assert not shown & {one.tobytes() for one in toy.events["secret"]}
    training = data.training_events(toy.challenge, root=toy.root)
    assert not shown & {one.tobytes() for one in training}


def test_the_order_is_the_same_again_and_mixes_the_processes(toy, published):
    again = published_test(toy.challenge, toy.root)
    n_background = len(published.indices["background"])
    is_signal = published.order >= n_background

    assert np.array_equal(again.order, published.order)
    # Of 300 signal events among 1,100, about as many stand in each half.
    half = published.n_events // 2
    assert abs(int(is_signal[:half].sum()) - 150) < 45


def test_another_key_gives_another_order(toy, published):
    split = toy.challenge.split.model_copy(update={"key": "toy-2"})
    other = published_test(toy.challenge.model_copy(update={"split": split}), toy.root)

    n = min(other.n_events, published.n_events)
    assert not np.array_equal(other.order[:n], published.order[:n])


def test_nothing_of_a_challenge_that_is_closed_is_given(toy):
    closed = toy.challenge.model_copy(update={"private": "until_open"})

    with pytest.raises(UsageError, match="until it is opened"):
        data.test_events(closed, root=toy.root)


def test_pieces_and_single_events_are_those_of_the_whole(toy):
    found = data.test_events(toy.challenge, root=toy.root)
    whole = np.asarray(found)

    assert np.array_equal(np.concatenate(list(found.chunks(97))), whole)
    assert np.array_equal(found[7], whole[7])
    assert np.array_equal(found[[5, 3, 5]], whole[[5, 3, 5]])


def test_scores_come_back_to_their_processes(toy, published):
    scores = events_of(toy, published)[:, 0, 0].astype(float)

    separate = published.separate(published.in_order(scores, None, where="s"))

    for name, chosen in published.indices.items():
        assert np.array_equal(separate[name], toy.events[name][chosen][:, 0, 0])


def test_ids_say_which_event_a_score_is_of(published):
    scores = np.arange(published.n_events, dtype=float)
    ids = np.random.default_rng(1).permutation(published.n_events)

    assert np.array_equal(published.in_order(scores[ids], ids, where="s"), scores)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, i: (s[:-1], None), "scores of shape"),
        (lambda s, i: (s.astype(str), None), "type <U"),
        (lambda s, i: (s[:, None], None), r"take scores\[:, 0\]"),
        (lambda s, i: (np.where(i == 3, np.nan, s), None), "1 scores are NaN"),
        (lambda s, i: (s, np.where(i == 3, 4, i)), "the id 4 stands there twice"),
        (lambda s, i: (s, i + 1), "an id is"),
        (lambda s, i: (s, i.astype(float)), "ids of shape"),
    ],
)
def test_what_is_wrong_with_scores_is_said(published, change, said):
    n = published.n_events
    scores, ids = change(np.arange(n, dtype=float), np.arange(n))

    with pytest.raises(InvalidSubmissionError, match=said):
        published.in_order(scores, ids, where="mine")
