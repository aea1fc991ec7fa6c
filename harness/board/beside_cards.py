"""What lies beside the cards of a board, as answers to black boxes do: read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar, cast

from pydantic import BaseModel, JsonValue

from harness.card.files import MAX_CARD_BYTES
from harness.errors import DataError
from harness.files import load_json, parse_json, read_bounded


class OfChallenge(Protocol):
    """A record of one challenge."""

    @property
    def challenge(self) -> str:
        """Return its name."""
        ...


Record = TypeVar("Record", bound=OfChallenge)


def read_beside(
    path: Path, kind_of: Callable[[Mapping[str, JsonValue]], type[Record] | None]
) -> Record | None:
    """Read a file of a board that is no card.

    Parameters
    ----------
    path : Path
        ``<results>/<challenge>/<folder>/<name>.json``; a team may have the name of the folder.
    kind_of : callable
        The model of a JSON object by its keys; None: it is none of these records.

    Returns
    -------
    Record or None
        None for a card.

    Raises
    ------
    DataError
        It is broken, or of another challenge than its folder says.
    """
    source = str(path)
    raw = read_bounded(path, MAX_CARD_BYTES)
    content = load_json(raw, source=source, max_bytes=MAX_CARD_BYTES)
    kind = kind_of(content) if isinstance(content, dict) else None
    if kind is None:
        return None
    model = cast("type[BaseModel]", kind)
    found = cast("Record", parse_json(raw, model, source=source, max_bytes=MAX_CARD_BYTES))
    if found.challenge != path.parent.parent.name:
        raise DataError(
            f"says it is of {found.challenge} but lies in {path.parent.parent.name}", where=source
        )
    return found
