"""`harness new`: a submission that scores as it is once its `train.py` has run."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.challenge import Challenge, events_within, is_name
from harness.errors import UsageError
from harness.files import read_bounded, replacing_folder
from harness.submission.contract import input_shapes
from harness.submission.digest import MAX_FILE_BYTES
from harness.submission.words import parse_word

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_CHALLENGE = "sample"
ONNX_NAME = "model.onnx"
# Of the features of ADC2021: the word at the input, and the word that the network uses. pT goes to
# 1022 GeV in steps of 2 GeV: the rarest background in a million lies beyond 400 GeV of MET.
_WORDS = {
    "pt": ("ufixed<15,13>", "ufixed<9,10>"),
    "eta": ("fixed<8,4>", "fixed<6,4>"),
    "phi": ("fixed<8,3>", "fixed<6,3>"),
}
# The variables of the open skeleton's distance.
_OF_OBJECTS = "np.log1p(np.abs(events[..., 0].astype(np.float64)))"
_OF_IMAGES = (
    "np.log1p(np.abs(np.concatenate([events[..., 0].sum(1), events[..., 0].sum(2)], axis=1)))"
)
# What the training of a skeleton takes: fewer large events, 2 GB of them at most.
_TRAINED, _TRAINED_BYTES = 200_000, 2**31
# Of any other feature, and of integers: wide enough to begin with.
_OTHER_WORDS = ("fixed<20,14>", "fixed<10,6>")


def new_submission(
    team: str,
    folder: Path,
    challenge: Challenge,
    *,
    manifest: Path | None = None,
    open_division: bool = False,
) -> Path:
    """Write the skeleton of a submission.

    Parameters
    ----------
    team : str
        Lower case letters, digits and ``_+.-``: the name of the new folder.
    folder : Path
        Folder of the submissions; made if it is not there.
    challenge : Challenge
        For which: it gives the shape of the events, and the name of the training part.
    manifest : Path, optional
        The manifest of your own that holds the challenge.
    open_division : bool
        A ``score(events)`` in Python in place of a network.

    Returns
    -------
    Path
        ``folder / team``, with `model.py`, `train.py`, `submission.yaml` and `README.md`.

    Raises
    ------
    UsageError
        The name is not allowed, or the folder exists; nothing was written.
    EnvironmentFaultError
        The folder cannot be written.
    """
    target = check_new(team, folder)
    template = TEMPLATES / ("open" if open_division else "trigger")
    _write(target, template, {"TEAM_NAME": team, **_placeholders(challenge, manifest)})
    return target


def new_onnx_submission(
    team: str, folder: Path, challenge: Challenge, model: bytes, source: Path | None = None
) -> Path:
    """Write a submission whose network is an ONNX file.

    Parameters
    ----------
    team, folder, challenge
        See `new_submission`.
    model : bytes
        The ONNX file.
    source : Path, optional
        The Python file that it was exported from, which is kept beside it.

    Returns
    -------
    Path
        ``folder / team``.
    """
    target = check_new(team, folder)
    files = {ONNX_NAME: model}
    made_by = "Your own code"
    if source is not None:
        files[source.name] = read_bounded(source, MAX_FILE_BYTES)
        made_by = f"`{source.name}`"
    placeholders = {"TEAM_NAME": team, "SOURCE_NAME": made_by, **_placeholders(challenge, None)}
    _write(target, TEMPLATES / "onnx", placeholders, files)
    return target


def read_onnx_submission(team: str, folder: Path, challenge: Challenge, file: Path) -> Path:
    """Write a submission of an ONNX file that lies elsewhere; see `new_onnx_submission`.

    Raises
    ------
    UsageError
        There is no such file, it is too large, or as `new_submission`.
    """
    if not file.is_file():
        raise UsageError("no such file", where=str(file), fix="check the path")
    return new_onnx_submission(team, folder, challenge, read_bounded(file, MAX_FILE_BYTES))


def new_declared_submission(team: str, folder: Path, challenge: Challenge, file: Path) -> Path:
    """Write a submission of scores that lie in a file, which is copied.

    The parameters are those of `read_onnx_submission`.

    Raises
    ------
    UsageError
        There is no such file, it is too large, or as `new_submission`.
    """
    target = check_new(team, folder)
    if not file.is_file():
        raise UsageError("no such file", where=str(file), fix="check the path")
    # What the file holds, its first bytes say: a name that is not allowed there is of no use.
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", f"scores{file.suffix}")
    names = {"TEAM_NAME": team, "SCORES_NAME": name, **_placeholders(challenge, None)}
    files = {name: read_bounded(file, MAX_FILE_BYTES)}
    _write(target, TEMPLATES / "declared", names, files)
    return target


def check_new(team: str, folder: Path) -> Path:
    """Return the folder of a new submission, which is not there yet.

    Raises
    ------
    UsageError
        The name is not allowed, or the folder exists.
    """
    if not is_name(team):
        raise UsageError(
            f"{team[:80]!r} is no name for a team",
            where="TEAM",
            expected="1 to 64 lower case letters, digits and _ + . -, a letter or digit first",
            fix="choose another; the title in submission.yaml may be any text",
        )
    target = folder / team
    if target.exists() or target.is_symlink():
        raise UsageError(
            "is there already",
            where=str(target),
            fix="choose another name, or work on the submission that is there",
        )
    return target


def score_options(challenge: Challenge, manifest: Path | None) -> str:
    """Return what `harness score` needs to find a challenge, with a space before it."""
    is_default = challenge.name == DEFAULT_CHALLENGE and manifest is None
    options = "" if is_default else f" --challenge {challenge.name}"
    return options if manifest is None else f"{options} --manifest {shlex.quote(str(manifest))}"


def declaration_text(team: str, challenge: Challenge, title: str) -> str:
    """Return the `submission.yaml` of a new submission around a model whose method is not known."""
    text = (TEMPLATES / "trigger" / "submission.yaml.txt").read_text(encoding="utf-8")
    text = re.sub("^title: .*", lambda _: f"title: {json.dumps(title)}", text, flags=re.MULTILINE)
    text = re.sub("^method: ", "# method: ", text, flags=re.MULTILINE)
    return text.replace("TEAM_NAME", team).replace("CHALLENGE_NAME", challenge.name)


def input_words_of(challenge: Challenge, fraction_bits: int) -> tuple[str, ...]:
    """Return words of each feature at the input, before a quantiser of `fraction_bits`.

    They have four bits more below the point than the quantiser, which rounds what they cut.
    """
    layout = challenge.layout
    is_plain = not layout.has_units
    words = []
    for name in layout.features:
        word = parse_word((_WORDS.get(name, _OTHER_WORDS) if is_plain else _OTHER_WORDS)[0])
        n_fraction = max(word.fraction_bits, min(fraction_bits + 4, 12))
        words.append(str(replace(word, width=word.integer_bits + n_fraction)))
    return tuple(words)


def _placeholders(challenge: Challenge, manifest: Path | None) -> dict[str, str]:
    """Return what stands in a template for the shape of the events."""
    layout = challenge.layout
    sizes = layout.shape[:-1]
    shapes = [str(shape) for shape in input_shapes(layout.shape)]
    is_plain = not layout.has_units
    words = [
        _WORDS.get(name, _OTHER_WORDS) if is_plain else _OTHER_WORDS for name in layout.features
    ]
    inputs, limits = zip(*words, strict=True)
    stated = ""
    if manifest is not None:
        stated = f", manifest={json.dumps(str(manifest), ensure_ascii=False)}"
    titles = {"pt": "pT [GeV]", "phi": "phi [rad]"} if is_plain else {}
    return {
        "CHALLENGE_ARGUMENTS": f'"{challenge.name}"{stated}',
        "SCORE_OPTIONS": score_options(challenge, manifest),
        "CHALLENGE_NAME": challenge.name,
        "INPUT_SHAPES": ", ".join(f"`{shape}`" for shape in shapes[:-1]) + f" or `{shapes[-1]}`",
        "EVENT_SHAPE": ", ".join(map(str, layout.shape)),
        "VARIABLES_TEXT": "each row and column" if layout.is_sparse else "each object",
        "VARIABLES_CODE": _OF_IMAGES if layout.is_sparse else _OF_OBJECTS,
        "N_INPUTS": str(math.prod(layout.shape)),
        "N_ROWS": str(math.prod(sizes)),
        "N_EVENTS": f"{min(_TRAINED, events_within(_TRAINED_BYTES, layout.shape)):_}",
        "FIRST_FEATURE": layout.features[0],
        "FEATURE_TEXT": ", ".join(titles.get(name, name) for name in layout.features),
        "FEATURE_WORDS": _tuple(inputs),
        "FEATURE_LIMITS": _tuple(limits),
        "LOSS_WEIGHTS": _tuple([1.0, *[0.1] * (len(layout.features) - 1)]),
    }


def _tuple(values: Sequence[object]) -> str:
    """Write a tuple as Python does, with double quotes."""
    listed = ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in values)
    return f"({listed},)" if len(values) == 1 else f"({listed})"


def _write(
    target: Path,
    template: Path,
    placeholders: Mapping[str, str],
    files: Mapping[str, bytes] | None = None,
) -> None:
    with replacing_folder(target) as folder:
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        for source in sorted(template.iterdir()):
            if source.is_file():
                text = fill_in(source.read_text(encoding="utf-8"), placeholders)
                # `model.py.txt` is no module of the harness; `model.py` would be one.
                (folder / source.stem).write_text(text, encoding="utf-8", newline="\n")


def fill_in(template: str, placeholders: Mapping[str, str]) -> str:
    """Return a template with each placeholder, a word in capitals, replaced.

    Examples
    --------
    >>> fill_in("team: TEAM_NAME", {"TEAM_NAME": "ada"})
    'team: ada'
    """
    for name, value in placeholders.items():
        template = template.replace(name, value)
    return template
