"""Some events of a challenge, gathered from the disk when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.challenge import events_within
from harness.data.npy import CHUNK_BYTES
from harness.data.split import chunks
from harness.submission.events import Events

# Called with the process and the positions of events whenever a selection gathers some.
AccessRecord = Callable[[str, NDArray[np.int64]], None]


class EventSelection:
    """Some events of a process, gathered from the memory map when they are asked for.

    It has a length, a shape and a dtype, is indexed like an array along its first axis, is turned
    into one by `numpy.asarray` (which holds all of it in memory), and gives it piece by piece by
    `chunks`.

    Parameters
    ----------
    process : str
        Name of the process.
    events : float32 array, shape (n, *layout.shape), or SparseEvents
        All events of the process.
    indices : ndarray of int64, shape (m,)
        Positions of the selected ones, rising.
    on_access : callable, optional
        Called with the process and the positions of the events that are gathered.
    """

    def __init__(
        self,
        process: str,
        events: Events,
        indices: NDArray[np.int64],
        on_access: AccessRecord | None = None,
    ) -> None:
        self.process = process
        self._events = events
        self._indices = indices
        self._on_access = on_access

    @property
    def indices(self) -> NDArray[np.int64]:
        """Positions of the events among all of their process."""
        return self._indices

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that the selection stands for."""
        return (len(self._indices), *self._events.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._events.ndim

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Float32."""
        return self._events.dtype

    def __len__(self) -> int:
        """Return the number of selected events."""
        return len(self._indices)

    def __repr__(self) -> str:
        """Say what is selected."""
        return f"<EventSelection {self.process} {self.shape} {self.dtype}>"

    def __getitem__(
        self, key: int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]
    ) -> NDArray[np.float32]:
        """Gather events: an integer gives one, a slice, positions or a mask give several."""
        chosen = self._indices[key]
        if self._on_access is not None:
            self._on_access(self.process, np.atleast_1d(chosen))
        # Images become dense here.
        gathered: NDArray[np.float32] = np.array(self._events[chosen])
        return gathered

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give one event after the other."""
        for chunk in self.chunks():
            yield from chunk

    def __array__(
        self,
        dtype: np.typing.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - NumPy's protocol
    ) -> NDArray[np.float32]:
        """Gather all; there is no array to share, so ``copy=False`` is refused."""
        if copy is False:
            raise ValueError(
                "a selection is gathered from a file: there is nothing to share without a copy"
            )
        return self[:].astype(dtype or self.dtype, copy=False)

    def chunks(self, n_events: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Give the selected events in order, at most `n_events` (or 15 MB) at a time."""
        for chunk in chunks(len(self), n_events or events_within(CHUNK_BYTES, self.shape[1:])):
            yield self[chunk]


class JoinedSelection(EventSelection):
    """Selections of several processes, one after the other.

    Parameters
    ----------
    several : sequence of EventSelection
        Of events of one shape; at least one.
    """

    def __init__(self, several: Sequence[EventSelection]) -> None:
        self.process = "+".join(one.process for one in several)
        self._several = tuple(several)
        self._ends = np.cumsum([len(one) for one in several])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that the selection stands for."""
        return (len(self), *self._several[0].shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._several[0].ndim

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Float32."""
        return self._several[0].dtype

    def __len__(self) -> int:
        """Return the number of selected events of all processes."""
        return int(self._ends[-1])

    def __getitem__(
        self, key: int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]
    ) -> NDArray[np.float32]:
        """Gather events: an integer gives one, a slice, positions or a mask give several."""
        if isinstance(key, slice):
            places = range(len(self))[key]
            chosen = np.arange(places.start, places.stop, places.step)
        else:
            chosen = np.atleast_1d(np.arange(len(self))[key])
        which = np.searchsorted(self._ends, chosen, side="right")
        gathered = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for number in np.unique(which):
            one, is_of = self._several[number], which == number
            gathered[is_of] = one[chosen[is_of] - (self._ends[number] - len(one))]
        single: NDArray[np.float32] = gathered[0]
        return single if isinstance(key, int | np.integer) else gathered


class MixedSelection(JoinedSelection):
    """Selections of several processes in one order that does not tell them apart.

    Parameters
    ----------
    several : sequence of EventSelection
        Of events of one shape; at least one.
    order : int64 array, shape (n,)
        Position of each event among all of them, one process after the other.
    """

    def __init__(self, several: Sequence[EventSelection], order: NDArray[np.int64]) -> None:
        super().__init__(several)
        self.process = "mixture"
        self._order = order

    def __getitem__(
        self, key: int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]
    ) -> NDArray[np.float32]:
        """Gather events: an integer gives one, a slice, positions or a mask give several."""
        chosen = self._order[key]
        return super().__getitem__(chosen if isinstance(chosen, np.ndarray) else int(chosen))
