"""The options of ``harness new --from-keras``, and what it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import FILE
from harness.cli.output import progress, tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.card.records import IsolationKind
    from harness.submission.saved.look import SavedReport


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedKeras:
    """The files and layers that the options name."""

    model: Path
    weights: Path | None
    outputs: tuple[str, ...]
    reference: Path | None


_OPTIONS = (
    click.option(
        "--from-keras",
        "keras_model",
        type=FILE,
        help="Around a model saved by Keras 2 or 3 or QKeras: .h5, .keras or model.json.",
    ),
    click.option("--weights", "keras_weights", type=FILE, help="Weights of model.json."),
    click.option(
        "--output",
        "keras_outputs",
        multiple=True,
        metavar="LAYER",
        help="Take this layer's output in place of the model's; may be given again.",
    ),
    click.option(
        "--compare-with",
        "keras_reference",
        type=FILE,
        help="An .npz of inputs x and the outputs y of the program that trained the model.",
    ),
)


def from_keras_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets them as `saved`, None without ``--from-keras``."""

    @wraps(command)
    def with_saved(
        *arguments: object,
        keras_model: Path | None,
        keras_weights: Path | None,
        keras_outputs: tuple[str, ...],
        keras_reference: Path | None,
        **options: object,
    ) -> None:
        saved = None
        if keras_model is not None:
            saved = SavedKeras(
                model=keras_model,
                weights=keras_weights,
                outputs=keras_outputs,
                reference=keras_reference,
            )
        elif keras_weights or keras_outputs or keras_reference:
            raise UsageError(
                "--weights, --output and --compare-with need --from-keras",
                fix="name the saved model: --from-keras model.h5",
            )
        command(*arguments, saved=saved, **options)

    for option in reversed(_OPTIONS):
        with_saved = option(with_saved)
    return with_saved


def write_from_keras(
    team: str,
    submissions: Path,
    saved: SavedKeras,
    challenge: str,
    manifests: tuple[Path, ...],
    isolation: IsolationKind,
) -> None:
    """Write the submission, and say what was read and how near it is to the saved outputs."""
    from harness.data.manifest import load_manifest
    from harness.scoring.from_keras import new_from_keras, score_line

    folder, found = new_from_keras(
        team,
        submissions,
        load_manifest(*manifests).challenge(challenge),
        saved.model,
        weights=saved.weights,
        outputs=saved.outputs,
        reference=saved.reference,
        isolation=isolation,
        progress=progress(),
    )
    tell(f"the score is {score_line(found)}: change it in model.py if you mean another")
    tell(_compared(found, saved.model))
    tell(f"{folder}: look at its model.py, then `harness validate --deep {folder}`", is_error=False)


def _compared(found: SavedReport, model: Path) -> str:
    seen = found.comparison
    if seen is None:
        return (
            f"not compared with what {model.name} gave where it was trained: save "
            "np.savez('outputs.npz', x=x, y=model.predict(x)) there, and add "
            "--compare-with outputs.npz"
        )
    if not seen.n_differing:
        return f"all {seen.n_outputs:,} saved outputs are the same, bit for bit"
    return (
        f"{seen.n_differing:,} of {seen.n_outputs:,} saved outputs differ, by at most "
        f"{seen.largest:.2g}; their spread is {seen.spread:.3g}"
    )
