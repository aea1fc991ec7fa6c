"""`submission.yaml`: what the participants declare about their entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from harness.card.run import Division
from harness.card.text import is_readable
from harness.challenge import (
    Account,
    FirmwareChoices,
    LayerChoices,
    Learning,
    Method,
    Name,
    SignalsSeen,
    Value,
)
from harness.errors import DataError, Problem, complaint
from harness.files import decode_text, load_yaml, read_bounded
from harness.submission.words import parse_input_word, parse_word

FILE_NAME = "submission.yaml"
MAX_BYTES = 64 * 1024

_EXAMPLES = {
    "team": "team: team_x (the name of the folder)",
    "title": "title: Variational autoencoder, sum of mu^2",
    "authors": "authors: [Ada Lovelace]",
    "division": "division: trigger (or open, or declared)",
    "scores": "scores: scores.npz (of the declared division)",
    "description": "description: One paragraph on the method.",
    "method": "method: autoencoder",
    "method_detail": "method_detail: Dense, with a squared error weighted by pT",
    "training_data": "training_data: training part of the background",
    "trained_on": "trained_on: [background]",
    "learning": "learning: unsupervised (or weak, semi, supervised)",
    "is_supervised": "is_supervised: false (or in its place `learning`)",
    "signals_seen": "signals_seen: none (or evaluated, tuned)",
    "challenges": "challenges: [sample]",
    "owners": "owners: [ada-lovelace] (accounts that may change this folder)",
    "references": 'references: ["arXiv:2108.03986"]',
    "licence": "licence: Apache-2.0",
    "model": "model: model.onnx (a network that needs no model.py)",
    "precision": 'precision: auto, or {input: "fixed<16,13>", weights: "fixed<8,2>", '
    'activations: "fixed<16,8>"}',
    "firmware": "firmware: {products: fabric}",
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


def _are_input_words(words: tuple[str, ...]) -> tuple[str, ...]:
    for text in words:
        parse_input_word(text)
    return words


def _listed(value: object) -> object:
    """Read one word as a list of it."""
    # A tuple, as what came from JSON is one no more after this.
    return (
        (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    )


def _nothing_if_empty(value: object) -> object:
    """Read a field without a value, which YAML's text form gives as "", as one left out."""
    return None if value == "" else value


def _defaults_if_empty(value: object) -> object:
    return FirmwareChoices() if value == "" else value


def _none_given(value: object) -> object:
    return () if value == "" else value


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names one twice")
    return names


Text = Annotated[str, AfterValidator(_printable)]
Line = Annotated[Text, Field(min_length=1, max_length=200, pattern=r"^[^\n]*$")]
ShortLine = Annotated[Line, Field(max_length=40)]
Paragraph = Annotated[Text, Field(min_length=1, max_length=4000)]
Word = Annotated[str, AfterValidator(_is_word)]
InputWords = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]),
    Field(min_length=1, max_length=10_000),
    AfterValidator(_are_input_words),
]
AUTO = "auto"


class LayerPrecision(Value):
    """Fixed-point types of one layer, in place of those of the whole network."""

    weights: Word | None = None
    activations: Word | None = None


ScoresName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]


OnnxName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*\.onnx$")]


class Precision(Value):
    """Fixed-point types by which a float network of plain Keras layers is quantised.

    Written as in hls4ml: ``fixed<W,I>`` has W bits, I of them before the point, the sign
    included; ``ufixed`` has no sign. A network of HGQ2 layers carries its own widths and needs
    none of these.

    Attributes
    ----------
    input : tuple of str
        Words of the network's input: one for all, one for each feature of an object, or one for
        each input.
    weights, activations : str
        Words of constants, and of what a layer reads, in every layer that has none of its own.
    layers : dict
        Words of single layers, by the names of these.
    """

    input: InputWords
    weights: Word
    activations: Word
    layers: dict[Annotated[str, Field(max_length=128)], LayerPrecision] = Field(
        default_factory=dict, max_length=1_000
    )


def _kind_of_precision(value: object) -> str:
    return "chosen" if value == AUTO else "stated"


# Words that are stated, or ``auto``: the harness chooses them.
AnyPrecision = Annotated[
    Annotated[Precision, Tag("stated")] | Annotated[Literal["auto"], Tag("chosen")],
    Discriminator(_kind_of_precision),
]


class Spec(Value):
    """The content of `submission.yaml`.

    Attributes
    ----------
    team : str
        Name of the folder: lower case letters, digits and ``_+.-``.
    division : str
        ``trigger``: a network, ranked by its firmware. ``open``: any Python, physics only.
        ``declared``: scores from a file, shown apart.
    scores : str or None
        The file of the scores, in the declared division.
    method, method_detail : str or None
        Family of the method, which rules can name, and free text beside it.
    training_data : str
        What the weights were made from.
    trained_on : tuple of str
        The same in a few words, such as ``background``, ``simulation`` or ``data``.
    learning : str or None
        Which labels the weights were fitted with. Older files give `is_supervised` only.
    is_supervised : bool
        Whether `learning` is ``supervised``.
    signals_seen : str or None
        What was done with signal events beside that: ``none``, ``evaluated`` (a figure was
        computed), or ``tuned`` (something was chosen by such a figure).
    challenges : tuple of str
        What it is scored on, where nobody states a challenge; the first is the main one. None: the
        default challenge of the manifest.
    owners : tuple of account
        Accounts of the forge whose pull requests may change this folder.
    model : str or None
        The ONNX file that is the network, in the trigger division: no `model.py` is run then.
    precision : Precision, ``auto`` or None
        Needed for a network of plain Keras layers in the trigger division. With ``auto`` the words
        are chosen by the ranges that training events take in the network.
    firmware : FirmwareChoices
        What is chosen of the firmware beside the network.
    """

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["learning"]}, {"required": ["is_supervised"]}]}
    )

    team: Name
    title: Line
    authors: tuple[Line, ...] = Field(min_length=1, max_length=200)
    division: Division
    description: Paragraph
    method: Method | None = None
    method_detail: Line | None = None
    training_data: Paragraph
    trained_on: Annotated[
        tuple[ShortLine, ...], BeforeValidator(_none_given), Field(max_length=8)
    ] = ()
    learning: Learning | None = None
    is_supervised: bool = Field(default_factory=lambda said: said.get("learning") == "supervised")
    signals_seen: SignalsSeen | None = None
    references: Annotated[
        tuple[Line, ...], BeforeValidator(_none_given), Field(max_length=100)
    ] = ()
    licence: Line
    challenges: Annotated[
        tuple[Name, ...], AfterValidator(_each_once), Field(min_length=1, max_length=10)
    ] = ()
    scores: Annotated[ScoresName | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, validate_default=True
    )
    owners: Annotated[tuple[Account, ...], BeforeValidator(_none_given), Field(max_length=100)] = ()
    model: Annotated[OnnxName | None, BeforeValidator(_nothing_if_empty)] = None
    precision: Annotated[AnyPrecision | None, BeforeValidator(_nothing_if_empty)] = None
    firmware: Annotated[FirmwareChoices, BeforeValidator(_defaults_if_empty)] = FirmwareChoices()

    @field_validator("is_supervised")
    @classmethod
    def _agrees_with_learning(cls, value: object, info: ValidationInfo) -> object:
        learning = info.data.get("learning")
        if learning is not None and value != (learning == "supervised"):
            raise ValueError(f"contradicts `learning: {learning}`: delete it, or correct one")
        return value

    @field_validator("scores")
    @classmethod
    def _fits_the_division(cls, value: object, info: ValidationInfo) -> object:
        is_declared = info.data.get("division") == "declared"
        if is_declared and value is None:
            raise ValueError("is missing: the declared division names the file of its scores")
        if value is not None and "division" in info.data and not is_declared:
            raise ValueError("belongs to `division: declared`: here harness computes the scores")
        return value

    @field_validator("model")
    @classmethod
    def _is_of_the_trigger_division(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("division") != "trigger":
            raise ValueError(
                "only the trigger division builds a network of it: write a model.py with "
                "score(events) that uses onnxruntime, or set `division: trigger`"
            )
        return value

    @field_validator("signals_seen")
    @classmethod
    def _agrees_with_supervision(cls, value: SignalsSeen, info: ValidationInfo) -> SignalsSeen:
        if value == "none" and info.data.get("is_supervised"):
            raise ValueError("contradicts a supervised training, which sees signals")
        return value


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
    if not {"learning", "is_supervised"} & content.keys():
        fix = f"add `{_EXAMPLES['learning']}`"
        problems.append(Problem(what="is missing", where=f"{FILE_NAME}, field learning", fix=fix))
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        # Where another field is wrong, pydantic also complains that it did not derive the default.
        details = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        wrong = [_field_problem(detail, document.lines) for detail in details]
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


def _fields_at(path: Sequence[str]) -> Iterable[str]:
    """Return which fields a submission has where `path` ends."""
    if len(path) == 1:
        return Spec.model_fields
    if path[0] == "firmware":
        return (LayerChoices if "layers" in path else FirmwareChoices).model_fields
    return (LayerPrecision if "layers" in path else Precision).model_fields


def _field_problem(detail: ErrorDetails, lines: Mapping[str, int]) -> Problem:
    # Which of the two forms of `precision` it was is no part of the field's name.
    path = [str(part) for part in detail["loc"] if part not in ("stated", "chosen")]
    field = path[0] if path else ""
    line = f", line {lines[field]}" if field in lines else ""
    where = f"{FILE_NAME}{line}, field {'.'.join(path)}"
    if detail["type"] == "missing":
        return Problem(what="is missing", where=where, fix=f"add `{_EXAMPLES.get(field, field)}`")
    if detail["type"] == "extra_forbidden":
        return Problem(
            what=f"is no field of {'a submission' if len(path) == 1 else field}",
            where=where,
            expected=", ".join(_fields_at(path)),
            fix="delete it, or correct its spelling",
        )
    found, said = repr(str(detail.get("input"))[:80]), complaint(detail)
    return Problem(
        # Some of our own complaints name the value themselves.
        what=said if said.startswith(found[:20]) else f"{found}: {said}",
        where=where,
        expected=f"for example `{_EXAMPLES.get(field, field)}`",
    )
