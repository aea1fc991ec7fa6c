"""What a trigger has today: what its menu and each of its algorithms accept of test events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.card.in_trigger import AcceptedShare, MenuRow, MenuSummary
from harness.challenge import input_rate_khz
from harness.data.describe import Description, describe
from harness.data.events import EventStore
from harness.data.split import chunks
from harness.metrics.evaluate import BACKGROUND
from harness.metrics.intervals import clopper_pearson

# Unpacked decisions of so many events are in memory at a time.
_CHUNK_EVENTS = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    """What is accepted of one process: by the menu, by each algorithm, by one alone."""

    n_events: int
    n_menu: int
    by_algorithm: Mapping[str, int]
    alone: Mapping[str, int]


def describe_all(store: EventStore) -> Description:
    """Describe the events of a challenge as `harness.data.describe.describe`, and its menu."""
    found = describe(store)
    summary = found.summary.model_copy(update={"menu": summarise_menu(store)})
    return replace(found, summary=summary)


def summarise_menu(store: EventStore) -> MenuSummary | None:
    """Count what the menu and its algorithms accept of test background and public signals.

    Every share is of test events, those that entries are scored on. All background processes are
    one. None where the challenge has no menu.
    """
    challenge = store.challenge
    if challenge.menu is None:
        return None
    public = challenge.processes("signal")
    parts = {BACKGROUND: challenge.processes("background")}
    parts |= {name: (name,) for name in challenge.signals if name in public}
    counted = {
        title: _joined([_count(store, name) for name in names]) for title, names in parts.items()
    }
    shared = _shared([one.by_algorithm for one in counted.values()])
    rows = [
        MenuRow(
            title=name,
            shares={
                title: _share(one.by_algorithm[name], one.n_events)
                for title, one in counted.items()
            },
            n_alone={title: one.alone[name] for title, one in counted.items()},
        )
        for name in shared
    ]
    return MenuSummary(
        input_rate_khz=input_rate_khz(challenge.merit),
        menu=MenuRow(
            title="menu",
            shares={title: _share(one.n_menu, one.n_events) for title, one in counted.items()},
        ),
        algorithms=tuple(sorted(rows, key=lambda row: -row.shares[BACKGROUND].value)),
    )


def _share(n_accepted: int, n_events: int) -> AcceptedShare:
    return AcceptedShare(
        n_accepted=n_accepted,
        n_events=n_events,
        value=n_accepted / n_events,
        interval=clopper_pearson(n_accepted, n_events),
    )


def _count(store: EventStore, process: str) -> _Counts:
    rows = store.indices(process, "test")
    menu = store.menu(process)
    assert menu is not None
    names, packed = store.algorithms(process) or ((), np.zeros((store.n_events(process), 0), "u1"))
    fired = np.zeros(len(names), np.int64)
    alone = np.zeros(len(names), np.int64)
    for piece in chunks(len(rows), _CHUNK_EVENTS):
        bits = _unpack(packed[rows[piece]], len(names))
        fired += bits.sum(axis=0)
        alone += bits[bits.sum(axis=1) == 1].sum(axis=0)
    return _Counts(
        n_events=len(rows),
        n_menu=int(menu[rows].sum()),
        by_algorithm=dict(zip(names, fired.tolist(), strict=True)),
        alone=dict(zip(names, alone.tolist(), strict=True)),
    )


def _unpack(packed: NDArray[np.uint8], n_algorithms: int) -> NDArray[np.int64]:
    return np.unpackbits(packed, axis=1, count=n_algorithms).astype(np.int64)


def _joined(several: Sequence[_Counts]) -> _Counts:
    shared = _shared([one.by_algorithm for one in several])
    return _Counts(
        n_events=sum(one.n_events for one in several),
        n_menu=sum(one.n_menu for one in several),
        by_algorithm={name: sum(one.by_algorithm[name] for one in several) for name in shared},
        alone={name: sum(one.alone[name] for one in several) for name in shared},
    )


def _shared(several: Sequence[Mapping[str, int]]) -> list[str]:
    first, *rest = several
    return [name for name in first if all(name in one for one in rest)]
