"""`harness new`: a submission that scores as it is once its `train.py` has run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.challenge import Challenge, is_name
from harness.errors import UsageError
from harness.files import replacing_folder
from harness.submission.words import parse_word

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_CHALLENGE = "sample"
# Of the features of ADC2021: the word at the input, the word that the network uses, the exponent of
# the normalisation. pT saturates at 256 GeV.
_WORDS = {
    "pt": ("ufixed<15,13>", "ufixed<8,8>", -5),
    "eta": ("fixed<8,4>", "fixed<6,4>", -2),
    "phi": ("fixed<8,3>", "fixed<6,3>", -2),
}
# Of any other feature, and of integers: wide enough to begin with.
_OTHER_WORDS = ("fixed<20,14>", "fixed<10,6>", -3)


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


def check_new(team: str, folder: Path) -> Path:
    """Return the folder of a new submission.

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


def declaration_text(team: str, challenge: Challenge) -> str:
    """Return the `submission.yaml` of a new submission."""
    text = (TEMPLATES / "trigger" / "submission.yaml.txt").read_text(encoding="utf-8")
    return text.replace("TEAM_NAME", team).replace("CHALLENGE_NAME", challenge.name)


def input_words_of(challenge: Challenge, fraction_bits: int) -> tuple[str, ...]:
    """Return words of each feature at the input, before a quantiser of `fraction_bits`.

    They have four bits more below the point than the quantiser, which rounds what they cut.
    """
    layout = challenge.layout
    is_plain = not any(group.units for group in layout.objects)
    words = []
    for name in layout.features:
        word = parse_word((_WORDS.get(name, _OTHER_WORDS) if is_plain else _OTHER_WORDS)[0])
        n_fraction = max(word.fraction_bits, min(fraction_bits + 4, 12))
        words.append(str(replace(word, width=word.integer_bits + n_fraction)))
    return tuple(words)


def _placeholders(challenge: Challenge, manifest: Path | None) -> dict[str, str]:
    """Return what stands in a template for the shape of the events."""
    layout = challenge.layout
    n_objects, n_features = layout.shape
    is_plain = not any(group.units for group in layout.objects)
    words = [
        _WORDS.get(name, _OTHER_WORDS) if is_plain else _OTHER_WORDS for name in layout.features
    ]
    inputs, limits, exponents = zip(*words, strict=True)
    is_default = challenge.name == DEFAULT_CHALLENGE and manifest is None
    options = "" if is_default else f" --challenge {challenge.name}"
    stated = ""
    if manifest is not None:
        options += f" --manifest {shlex.quote(str(manifest))}"
        stated = f", manifest={json.dumps(str(manifest), ensure_ascii=False)}"
    titles = {"pt": "pT [GeV]", "phi": "phi [rad]"} if is_plain else {}
    return {
        "CHALLENGE_ARGUMENTS": f'"{challenge.name}"{stated}',
        "SCORE_OPTIONS": options,
        "CHALLENGE_NAME": challenge.name,
        "N_INPUTS": str(n_objects * n_features),
        "N_OBJECTS": str(n_objects),
        "N_FEATURES": str(n_features),
        "FIRST_FEATURE": layout.features[0],
        "FEATURE_TEXT": ", ".join(titles.get(name, name) for name in layout.features),
        "FEATURE_WORDS": _tuple(inputs),
        "FEATURE_LIMITS": _tuple(limits),
        "FEATURE_EXPONENTS": _tuple(exponents),
    }


def _tuple(values: Sequence[object]) -> str:
    """Write a tuple as Python does, with double quotes."""
    listed = ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in values)
    return f"({listed},)" if len(values) == 1 else f"({listed})"


def _write(target: Path, template: Path, placeholders: Mapping[str, str]) -> None:
    with replacing_folder(target) as folder:
        for source in sorted(template.iterdir()):
            if source.is_file():
                text = source.read_text(encoding="utf-8")
                for name, value in placeholders.items():
                    text = text.replace(name, value)
                # `model.py.txt` is no module of the harness; `model.py` would be one.
                (folder / source.stem).write_text(text, encoding="utf-8", newline="\n")
