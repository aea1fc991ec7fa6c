"""The manifest: every challenge that harness knows, those of this folder and of `--manifest`."""

from __future__ import annotations

import difflib
import functools
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

import harness
from harness.challenge import Challenge, Name, Value
from harness.errors import DataError, Problem, UsageError
from harness.files import decode_text, parse_yaml, read_bounded

MANIFEST_NAME = "data_manifest.yaml"
MANIFEST_VARIABLE = "HARNESS_MANIFEST"
# Where no manifest says another one.
SAMPLE = "sample"


class Manifest(Value):
    """The challenges, by name.

    Attributes
    ----------
    schema : int
        Version of the manifest's form.
    default_challenge : str or None
        The challenge of every command and submission that names none; None: ``sample``.
    challenges : tuple of Challenge
        In the order of the files.
    """

    schema_: Literal[1] = Field(alias="schema")
    default_challenge: Name | None = None
    challenges: tuple[Challenge, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Manifest:
        counts = Counter(challenge.name for challenge in self.challenges)
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            raise ValueError(f"two challenges are named {', '.join(repeated)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the challenges."""
        return tuple(challenge.name for challenge in self.challenges)

    @property
    def default_name(self) -> str:
        """Name of the challenge where none is named; the one owner of this default."""
        return self.default_challenge or SAMPLE

    def challenge(self, name: str | None) -> Challenge:
        """Return the challenge called `name`, or the default one where none is named.

        Raises
        ------
        UsageError
            There is none.
        """
        name = name or self.default_name
        for challenge in self.challenges:
            if challenge.name == name:
                return challenge
        close = difflib.get_close_matches(name, self.names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"there is no challenge {name!r}",
            expected=f"one of {', '.join(self.names)}",
            fix=f"{hint}`--manifest FILE` adds challenges of your own".strip(),
        )


def load_manifest(*paths: Path | None) -> Manifest:
    """Read the built-in manifest, that of this folder, and the manifests at `paths`.

    Parameters
    ----------
    *paths : Path or None
        Further manifests; a challenge in a later one takes the place of one with the same name
        in an earlier one, and so does its default challenge. None is passed over.

    Raises
    ------
    UsageError
        A manifest at `paths` is missing or wrong; all problems of all files are reported at once.
    DataError
        The built-in manifest is missing or wrong.
    """
    manifests = [_read(built_in_manifest())]
    problems: list[Problem] = []
    for path in manifests_beside(*paths):
        try:
            manifests += [] if path is None else [_read(path)]
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise UsageError(*problems)
    return _merge(manifests)


def _read(path: Path) -> Manifest:
    """Read a manifest; one that this process has parsed already is not parsed again."""
    source = str(path)
    return _parse(decode_text(read_bounded(path), source=source), source)


@functools.lru_cache(maxsize=8)
def _parse(text: str, source: str) -> Manifest:
    return parse_yaml(text, Manifest, source=source)


def manifests_beside(*paths: Path | None) -> tuple[Path, ...]:
    """Return the manifests that hold beside the built-in one: that of this folder, then `paths`."""
    own = local_manifest(Path.cwd())
    given = [path for path in paths if path is not None]
    return (*([] if own is None else [own]), *given)


def local_manifest(folder: Path) -> Path | None:
    """Return the manifest of a contest's folder: the nearest one at `folder` or above it.

    None where `HARNESS_MANIFEST` names a manifest, and where the nearest is the built-in one. The
    search ends at the top of a git repository, and where a folder belongs to somebody else.
    """
    if os.environ.get(MANIFEST_VARIABLE):
        return None
    owner = folder.stat().st_uid
    for place in (folder, *folder.parents):
        if place.stat().st_uid != owner:
            return None
        path = place / MANIFEST_NAME
        if path.is_file():
            return None if path.resolve() == built_in_manifest().resolve() else path
        if (place / ".git").exists():
            return None
    return None


def built_in_manifest() -> Path:
    """Return the path of the manifest that comes with the harness.

    That is the file named by the environment variable `HARNESS_MANIFEST`, or else the one at the
    top of the checkout, or else the one that an installation puts below ``share/harness``.

    Raises
    ------
    DataError
        There is none of them.
    """
    stated = os.environ.get(MANIFEST_VARIABLE)
    if stated:
        return Path(stated)
    checkout = Path(harness.__file__).resolve().parent.parent / MANIFEST_NAME
    installed = Path(sys.prefix) / "share" / "harness" / MANIFEST_NAME
    for path in (checkout, installed):
        if path.is_file():
            return path
    raise DataError(
        f"{MANIFEST_NAME} was not found",
        expected=f"{checkout} or {installed}",
        fix=f"name it in the environment variable {MANIFEST_VARIABLE}",
    )


def _merge(manifests: Sequence[Manifest]) -> Manifest:
    merged: dict[str, Challenge] = {}
    default = None
    for manifest in manifests:
        merged.update({challenge.name: challenge for challenge in manifest.challenges})
        default = manifest.default_challenge or default
    return Manifest(schema=1, default_challenge=default, challenges=tuple(merged.values()))
