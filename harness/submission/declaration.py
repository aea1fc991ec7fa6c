"""`submission.yaml`: what the participants declare about their entry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from harness.card.text import is_readable
from harness.challenge import Account, Name, Value
from harness.errors import DataError, Problem, complaint
from harness.files import decode_text, load_yaml, read_bounded
from harness.submission.words import parse_input_word, parse_word

FILE_NAME = "submission.yaml"
MAX_BYTES = 64 * 1024

_EXAMPLES = {
    "team": "team: team_x (the name of the folder)",
    "title": "title: Variational autoencoder, sum of mu^2",
    "authors": "authors: [Ada Lovelace]",
    "division": "division: trigger (or open)",
    "description": "description: One paragraph on the method.",
    "training_data": "training_data: training part of the background",
    "is_supervised": "is_supervised: false (true if any signal was used in training)",
    "owners": "owners: [ada-lovelace] (accounts that may change this folder)",
    "references": 'references: ["arXiv:2108.03986"]',
    "licence": "licence: Apache-2.0",
    "precision": 'precision: {input: "fixed<13,11>", weights: "fixed<8,2>", '
    'activations: "fixed<16,8>"}',
}


def _printable(text: str) -> str:
    if not all(character.isprintable() or character == "\n" for character in text):
        raise ValueError("has characters that are no text")
    if not is_readable(text):
        raise ValueError("cannot be read: it is blank, or signs pile up on one letter")
    return text.strip()


def _is_word(text: str) -> str:
    parse_word(text)
    return text


def _is_input_word(text: str) -> str:
    parse_input_word(text)
    return text


def _nothing_if_empty(value: object) -> object:
    """Read a field without a value, which YAML's text form gives as "", as one left out."""
    return None if value == "" else value


def _none_given(value: object) -> object:
    return () if value == "" else value


Text = Annotated[str, AfterValidator(_printable)]
Line = Annotated[Text, Field(min_length=1, max_length=200, pattern=r"^[^\n]*$")]
Paragraph = Annotated[Text, Field(min_length=1, max_length=4000)]
Word = Annotated[str, AfterValidator(_is_word)]
InputWord = Annotated[str, AfterValidator(_is_input_word)]


class Precision(Value):
    """Fixed-point types by which a float network of plain Keras layers is quantised.

    Written as in hls4ml: ``fixed<W,I>`` has W bits, I of them before the point, the sign
    included; ``ufixed`` has no sign. A network of HGQ2 layers carries its own widths and needs
    none of these.
    """

    input: InputWord
    weights: Word
    activations: Word


class Spec(Value):
    """The content of `submission.yaml`.

    Attributes
    ----------
    team : str
        Name of the folder: lower case letters, digits and ``_+.-``.
    division : str
        ``trigger``: a network, ranked by its firmware. ``open``: any Python, physics only.
    training_data : str
        What the weights were made from.
    is_supervised : bool
        Whether any signal, simulated or real, was used in training or tuning.
    owners : tuple of account
        Accounts of the forge whose pull requests may change this folder.
    precision : Precision or None
        Needed for a network of plain Keras layers in the trigger division.
    """

    team: Name
    title: Line
    authors: tuple[Line, ...] = Field(min_length=1, max_length=200)
    division: Literal["trigger", "open"]
    description: Paragraph
    training_data: Paragraph
    is_supervised: bool
    references: Annotated[
        tuple[Line, ...], BeforeValidator(_none_given), Field(max_length=100)
    ] = ()
    licence: Line
    owners: Annotated[tuple[Account, ...], BeforeValidator(_none_given), Field(max_length=100)] = ()
    precision: Annotated[Precision | None, BeforeValidator(_nothing_if_empty)] = None


def read_spec(folder: Path) -> tuple[Spec | None, list[Problem]]:
    """Read `submission.yaml` of a submission.

    Returns
    -------
    Spec or None, list of Problem
        All that is wrong at once; the first is None if anything is.
    """
    path = folder / FILE_NAME
    if path.is_symlink() or not path.is_file():
        problem = Problem(
            what="no such file",
            where=FILE_NAME,
            expected="a YAML file that describes the submission",
            fix="run `harness new` for a skeleton, or copy it from submissions/team_x",
        )
        return None, [problem]
    try:
        text = decode_text(read_bounded(path, MAX_BYTES), source=FILE_NAME)
    except DataError as error:
        return None, list(error.problems)
    return parse_spec(text, folder.resolve().name)


def parse_spec(text: str, team: str) -> tuple[Spec | None, list[Problem]]:
    """Read the text of a `submission.yaml` in a folder called `team`."""
    try:
        document = load_yaml(text, source=FILE_NAME, as_text=True)
    except DataError as error:
        return None, list(error.problems)
    content = document.content
    if not isinstance(content, dict):
        what = "is empty" if not content else "is no mapping of fields to values"
        fix = "begin with a line such as `title: ...`"
        return None, [Problem(what=what, where=FILE_NAME, fix=fix)]
    problems = []
    if isinstance(content.get("team"), str) and content["team"] != team:
        problems.append(
            Problem(
                what=f"the team is {content['team'][:80]!r}, the folder is {team!r}",
                where=f"{FILE_NAME}, field team",
                expected="one name",
                fix="rename one of them",
            )
        )
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        wrong = [_field_problem(detail, document.lines) for detail in error.errors()]
        return None, [*wrong, *problems]
    return (None if problems else spec), problems


def owners_of(text: str) -> tuple[str, ...]:
    """Return the accounts that a `submission.yaml` names as owners, whatever else is wrong with it.

    Examples
    --------
    >>> owners_of("owners: [ada, charles]")
    ('ada', 'charles')
    >>> owners_of("owners: ada"), owners_of("owners: [")
    ((), ())
    """
    try:
        content = load_yaml(text, source=FILE_NAME, as_text=True).content
        named = content.get("owners") if isinstance(content, dict) else None
        return TypeAdapter(tuple[Account, ...]).validate_python(named)
    except (DataError, ValidationError):
        return ()


def _field_problem(detail: ErrorDetails, lines: Mapping[str, int]) -> Problem:
    path = [str(part) for part in detail["loc"]]
    field = path[0] if path else ""
    line = f", line {lines[field]}" if field in lines else ""
    where = f"{FILE_NAME}{line}, field {'.'.join(path)}"
    if detail["type"] == "missing":
        return Problem(what="is missing", where=where, fix=f"add `{_EXAMPLES.get(field, field)}`")
    if detail["type"] == "extra_forbidden":
        return Problem(
            what=f"is no field of {'a submission' if len(path) == 1 else field}",
            where=where,
            expected=", ".join((Spec if len(path) == 1 else Precision).model_fields),
            fix="delete it, or correct its spelling",
        )
    found, said = repr(str(detail.get("input"))[:80]), complaint(detail)
    return Problem(
        # Some of our own complaints name the value themselves.
        what=said if said.startswith(found[:20]) else f"{found}: {said}",
        where=where,
        expected=f"for example `{_EXAMPLES.get(field, field)}`",
    )
