"""The manifest: every challenge that the harness knows, and those of `--manifest`."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

import harness
from harness.challenge import Challenge, Value
from harness.errors import DataError, Problem, UsageError
from harness.files import read_yaml

MANIFEST_NAME = "data_manifest.yaml"
MANIFEST_VARIABLE = "HARNESS_MANIFEST"


class Manifest(Value):
    """The challenges, by name.

    Attributes
    ----------
    schema : int
        Version of the manifest's form.
    challenges : tuple of Challenge
        In the order of the files.
    """

    schema_: Literal[1] = Field(alias="schema")
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

    def challenge(self, name: str) -> Challenge:
        """Return the challenge called `name`.

        Raises
        ------
        UsageError
            There is none.
        """
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
    """Read the built-in manifest and the manifests at `paths`.

    Parameters
    ----------
    *paths : Path or None
        Further manifests; a challenge in a later one takes the place of one with the same name
        in an earlier one. None is passed over.

    Raises
    ------
    UsageError
        A manifest at `paths` is missing or wrong; all problems of all files are reported at once.
    DataError
        The built-in manifest is missing or wrong.
    """
    manifests = [read_yaml(built_in_manifest(), Manifest)]
    problems: list[Problem] = []
    for path in paths:
        try:
            manifests += [] if path is None else [read_yaml(path, Manifest)]
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise UsageError(*problems)
    return _merge(manifests)


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
    for manifest in manifests:
        merged.update({challenge.name: challenge for challenge in manifest.challenges})
    return Manifest(schema=1, challenges=tuple(merged.values()))
