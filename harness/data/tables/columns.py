"""Which column of a table is which feature of which object."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.challenge import is_name
from harness.data.tables.source import Table
from harness.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrangement:
    """How a row of a table becomes an event.

    Attributes
    ----------
    features : tuple of str
        Columns of an event.
    n_objects : int
        Rows of an event.
    places : tuple of int
        For each number of an event, object by object: its place in the table's row.
    left_out : tuple of str
        Columns of the table that are no feature.
    """

    features: tuple[str, ...]
    n_objects: int
    places: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    def events(self, values: NDArray[Any], table: Table, first_row: int) -> NDArray[np.float32]:
        """Return float32 events of shape (m, n_objects, n_features).

        Raises
        ------
        DataError
            A number is missing, not finite, or too large for float32; the row is counted from 1.
        """
        flat = values.reshape(len(values), -1)
        if self.places != tuple(range(flat.shape[1])):
            flat = flat[:, self.places]
        # A value too large for float32 becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            found = flat.astype(np.float32)
        is_bad = ~np.isfinite(found)
        if is_bad.any():
            row, column = (int(index[0]) for index in np.nonzero(is_bad))
            place = self.places[column]
            name = f"column {place + 1}" if table.columns is None else table.columns[place]
            given = float(flat[row, column])
            raise DataError(
                f"{name} is {'missing or not a number' if math.isnan(given) else f'{given:g}'}",
                where=f"{table.where}, event {first_row + row + 1:,}",
                expected="a finite number that float32 holds, for every event",
                fix="leave such events out, or write 0 where there is no object",
            )
        return found.reshape(len(found), self.n_objects, len(self.features))


def arrange(table: Table, features: Sequence[str] | None) -> Arrangement:
    """Find the features in the columns of a table.

    Named columns are found by their names: a feature's own, or one for each object, such as
    ``x_0, y_0, x_1, y_1`` or ``hit1.x``, in the order in which the objects first appear. Columns
    without names are taken in order, all features of an object before the next object.

    Parameters
    ----------
    features : sequence of str, optional
        None: each column is one.

    Raises
    ------
    DataError
        The columns do not fit the features.
    """
    width = math.prod(table.shape)
    if table.columns is not None:
        if features is None:
            return _every_column(table.columns, table.where)
        return _by_name(table.columns, tuple(features), table.where)
    n_features = table.shape[-1]
    if features is None:
        features = tuple(f"x{number}" for number in range(1, n_features + 1))
    is_wrong = width % len(features) or (len(table.shape) == 2 and n_features != len(features))
    if is_wrong:
        raise DataError(
            f"an event has {' x '.join(map(str, table.shape))} numbers",
            where=table.where,
            expected=f"{len(features)} for each object: {', '.join(features)[:200]}",
            fix="--features names the numbers of one object, in their order",
        )
    return Arrangement(
        features=tuple(features), n_objects=width // len(features), places=tuple(range(width))
    )


def _every_column(columns: tuple[str, ...], where: str) -> Arrangement:
    names = tuple(clean_name(name, where) for name in columns)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        both = [each for each, name in zip(columns, names, strict=True) if name == repeated]
        raise DataError(
            f"the columns {' and '.join(both)} are one feature, {repeated}",
            where=where,
            expected="another name for each, without counting case",
        )
    return Arrangement(features=names, n_objects=1, places=tuple(range(len(names))))


def clean_name(text: str, where: str) -> str:
    """Return a name of lower case letters, digits and ``_+.-`` that is like a column's.

    Examples
    --------
    >>> clean_name("# Drift time (ns)", "x.csv")
    'drift_time_ns'
    """
    name = re.sub(r"[^a-z0-9_+.-]+", "_", text.lower()).strip("_.-+")[:64]
    if not is_name(name):
        raise DataError(
            f"{text[:80]!r} is no name", where=where, expected="letters or digits at least"
        )
    return name


def _by_name(columns: tuple[str, ...], features: tuple[str, ...], where: str) -> Arrangement:
    lowered = [column.lower().lstrip("# ") for column in columns]
    if set(features) <= set(lowered):
        found = {("", feature): lowered.index(feature) for feature in features}
    else:
        found = {}
        for place, column in enumerate(lowered):
            for feature in features:
                if (rest := _rest(column, feature)) is not None:
                    found.setdefault((rest, feature), place)
    objects = list(dict.fromkeys(rest for rest, _ in found))
    missing = [(rest, name) for rest in objects for name in features if (rest, name) not in found]
    if missing or not objects:
        alone = next(name for name in features if name not in lowered)
        rest, name = missing[0] if missing else ("", alone)
        like = next((columns[at] for (one, _), at in found.items() if one == rest), None)
        raise DataError(
            f"there is no column for {name}" + (f" beside {like}" if like else ""),
            where=where,
            expected=f"{', '.join(features)[:200]}, each alone or with the object's number, as "
            f"{name}_0; there are {', '.join(columns)[:300]}",
            fix="--features names the features as the columns do",
        )
    places = tuple(found[rest, name] for rest in objects for name in features)
    left_out = tuple(name for place, name in enumerate(columns) if place not in set(places))
    return Arrangement(features=features, n_objects=len(objects), places=places, left_out=left_out)


def _rest(column: str, feature: str) -> str | None:
    """Return what a column's name has beside the feature: which object it is of.

    Examples
    --------
    >>> _rest("x_0", "x"), _rest("hit1.x", "x"), _rest("xi_0", "x")
    ('_0', 'hit1.', None)
    """
    before, _, after = column.partition(feature)
    if not before and after and not after[0].isalpha():
        return after
    if column.endswith(feature) and column != feature:
        before = column.removesuffix(feature)
        return None if before[-1].isalpha() else before
    return None
