"""Test events without labels, in an order that everybody can make: for scores from a file.

The mixture holds the test background and the signals that are public. Its order is that of the
events' keyed hashes, mixed once more: the same on every machine, and of no use to tell a process.
With public files anyone can find the labels, and train on these events: that nobody does is a
convention, which no entry that is ranked has to be trusted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.board.public import public_challenge
from harness.challenge import Challenge, mix64
from harness.data.events import EventStore, challenge_of, open_store
from harness.data.mix import Beside, beside_of
from harness.data.selection import EventSelection
from harness.errors import InvalidSubmissionError, UsageError
from harness.submission.events import Events

# Sets the order apart from the split and from the weights of replicates, which the hashes give too.
_ORDER = np.uint64(0x6F72646572207631)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedTest:
    """The public test events of a challenge, and where each stands in the published order.

    Attributes
    ----------
    challenge : Challenge
        Without its hidden signals.
    indices : mapping of process to int64 array, shape (m,)
        Position of each event among all events of its process, rising.
    hashes : mapping of process to uint64 array, shape (m,)
        Keyed hashes of the same events.
    beside : Beside
        What stands beside the same events.
    order : int64 array, shape (n_events,)
        Of each place, which event stands there: the processes one after the other, as in `indices`.
    """

    challenge: Challenge
    indices: Mapping[str, NDArray[np.int64]]
    hashes: Mapping[str, NDArray[np.uint64]]
    beside: Beside
    order: NDArray[np.int64]

    @property
    def n_events(self) -> int:
        """Events of the mixture."""
        return len(self.order)

    def separate(self, scores: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Bring scores in the published order back to the processes, in the order of `indices`."""
        joined = np.empty(self.n_events)
        joined[self.order] = scores
        ends = np.cumsum([len(chosen) for chosen in self.indices.values()])
        return dict(zip(self.indices, np.split(joined, ends[:-1]), strict=True))

    def in_order(
        self, scores: ArrayLike, ids: ArrayLike | None, *, where: str
    ) -> NDArray[np.float64]:
        """Return one score for each event in the published order, or say what is wrong.

        Parameters
        ----------
        scores : array_like, shape (n_events,)
            Higher = more anomalous.
        ids : array_like of int, shape (n_events,), optional
            The place of each score's event in the published order, from 0; without it the scores
            are in that order.
        where : str
            Where they come from, for the message.

        Raises
        ------
        InvalidSubmissionError
            There is not one finite number for each event.
        """
        given = np.asarray(scores)
        if given.shape != (self.n_events,) or given.dtype.kind not in "fiu":
            is_column = given.shape == (self.n_events, 1)
            raise _wrong(
                f"scores of shape {given.shape} and type {given.dtype}",
                where,
                f"one number for each of the {self.n_events:,} events of test_events"
                + ("; of a column take scores[:, 0]" if is_column else ""),
            )
        ordered = given.astype(np.float64)
        if ids is not None:
            ordered = np.empty(self.n_events)
            ordered[self._places(np.asarray(ids), where)] = given
        n_wrong = self.n_events - int(np.isfinite(ordered).sum())
        if n_wrong:
            raise _wrong(f"{n_wrong:,} scores are NaN or infinite", where, "finite numbers only")
        return ordered + 0.0

    def _places(self, ids: NDArray[np.generic], where: str) -> NDArray[np.int64]:
        expected = f"each of 0 to {self.n_events - 1:,} once: the places in test_events"
        if ids.shape != (self.n_events,) or ids.dtype.kind not in "iu":
            raise _wrong(f"ids of shape {ids.shape} and type {ids.dtype}", where, expected)
        places = ids.astype(np.int64)
        is_wrong = (places < 0) | (places >= self.n_events)
        if is_wrong.any():
            raise _wrong(f"an id is {places[is_wrong][0]}", where, expected)
        counts = np.bincount(places, minlength=self.n_events)
        if counts.max() > 1:
            raise _wrong(f"the id {int(counts.argmax())} stands there twice", where, expected)
        return places


def published_test(challenge: Challenge, root: Path | None = None) -> PublishedTest:
    """Put the public test events of `challenge` in the published order.

    Raises
    ------
    UsageError
        Nothing of the challenge is public until it is opened.
    DataError
        Files are missing from the cache or unsound.
    """
    return _published(_open_public(challenge, root))


def test_events(
    challenge: str | Challenge = "sample",  # noqa: PT028 - no test, whatever its name
    *,
    root: Path | None = None,  # noqa: PT028
    manifest: str | Path | None = None,  # noqa: PT028
) -> EventSelection:
    """Return the public test events, background and signals mixed, without labels.

    They are there to be scored, for `harness.evaluate`, and nothing is trained, tuned or stopped on
    them: a convention, as for every data set whose files are public.

    Parameters
    ----------
    challenge : str or Challenge
        A challenge or its name.
    root : Path, optional
        The cache; by default the one that all commands use.
    manifest : str or Path, optional
        A manifest of your own that holds the challenge.

    Returns
    -------
    EventSelection
        float32, shape (n, n_objects, n_features), in the published order: the number of a row is
        the event's id. Hidden signals are not among them.
    """
    store = _open_public(challenge_of(challenge, manifest), root)
    found = _published(store)
    joined = _Joined([store.events(name) for name in found.indices], [*found.indices.values()])
    return EventSelection("mixture", cast("NDArray[np.float32]", joined), found.order)


# Its name is that of a function of pytest's.
test_events.__test__ = False  # type: ignore[attr-defined]


def _open_public(challenge: Challenge, root: Path | None) -> EventStore:
    return open_store(public_challenge(refuse_closed(challenge)), root)


def refuse_closed(challenge: Challenge) -> Challenge:
    """Return `challenge`, unless nothing of it is public.

    Raises
    ------
    UsageError
        It is shown to nobody until it is opened.
    """
    if challenge.private == "until_open":
        raise UsageError(
            f"nothing of {challenge.name} is public until it is opened",
            fix="hand in a network or code, which is scored where the events are",
        )
    return challenge


def _published(store: EventStore) -> PublishedTest:
    challenge = store.challenge
    names = (*challenge.processes("background"), *challenge.signals)
    indices = {name: store.indices(name, "test") for name in names}
    hashes = {name: np.asarray(store.hashes(name)[chosen]) for name, chosen in indices.items()}
    # Equal events stay in the order of the files.
    keys = mix64(np.concatenate([*hashes.values()]) ^ _ORDER)
    return PublishedTest(
        challenge=challenge,
        indices=indices,
        hashes=hashes,
        beside=beside_of(store, indices),
        order=np.argsort(keys, kind="stable"),
    )


class _Joined:
    """Chosen events of several processes as one array, gathered when they are asked for."""

    def __init__(self, events: Sequence[Events], indices: Sequence[NDArray[np.int64]]) -> None:
        self._parts = list(zip(events, indices, strict=True))
        self._starts = np.cumsum([0, *map(len, indices)])
        self.dtype = np.dtype(np.float32)
        self.shape = (int(self._starts[-1]), *events[0].shape[1:])
        self.ndim = len(self.shape)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        wanted = np.asarray(rows)
        flat = wanted.reshape(-1)
        owners = np.searchsorted(self._starts, flat, "right") - 1
        gathered = np.empty((len(flat), *self.shape[1:]), np.float32)
        for owner, (events, chosen) in enumerate(self._parts):
            is_own = owners == owner
            gathered[is_own] = events[chosen[flat[is_own] - self._starts[owner]]]
        return gathered.reshape(*wanted.shape, *self.shape[1:])


def _wrong(what: str, where: str, expected: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        what,
        where=where,
        expected=expected,
        fix="score `harness.data.test_events(challenge)` as it comes, one number for each event",
    )
