"""The command `new`: a skeleton, or an entry around a model that exists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    FILE,
    challenge_option,
    manifest_option,
    submissions_option,
    unsafe_option,
)
from harness.cli.output import progress, tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.card.run import IsolationKind
    from harness.challenge import Challenge
    from harness.submission.saved.look import SavedReport


@click.command()
@click.argument("team")
@click.option("--open", "is_open", is_flag=True, help="For the open division.")
@challenge_option
@manifest_option
@submissions_option()
@click.option("--from-onnx", type=FILE, help="Of an ONNX or QONNX file, which is copied.")
@click.option(
    "--from-torch",
    metavar="FILE:CLASS",
    help="Of a PyTorch model, such as model.py:Net: exported and compared in a sandbox.",
)
@click.option(
    "--from-keras",
    type=FILE,
    help="Of a model saved by Keras 2 or 3 or QKeras: .h5, .keras or model.json.",
)
@click.option(
    "--scores", type=FILE, help="Of scores of your own, copied: for the declared division."
)
@click.option("--weights", type=FILE, help="Of --from-torch (best.pth), or of a model.json.")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="LAYER",
    help="With --from-keras: this layer's output in place of the model's; may be given again.",
)
@click.option(
    "--compare-with",
    "reference",
    type=FILE,
    help="With --from-keras: an .npz of inputs x and the outputs y where the model was trained.",
)
@unsafe_option()
def new(
    team: str,
    *,
    is_open: bool,
    challenge: str | None,
    manifests: tuple[Path, ...],
    submissions: Path,
    from_onnx: Path | None,
    from_torch: str | None,
    from_keras: Path | None,
    scores: Path | None,
    weights: Path | None,
    outputs: tuple[str, ...],
    reference: Path | None,
    isolation: IsolationKind,
) -> None:
    """Write a submission for TEAM: a skeleton in the shape of the events, or around a model."""
    from harness.data.manifest import load_manifest

    _check_way_in(
        (is_open, from_onnx, from_torch, from_keras, scores),
        of_keras=bool(outputs or reference),
        has_keras=from_keras is not None,
    )
    rules = load_manifest(*manifests).challenge(challenge)
    if from_keras is not None:
        folder, todo = _from_keras(
            team, submissions, rules, from_keras,
            weights=weights, outputs=outputs, reference=reference, isolation=isolation,
        )  # fmt: skip
    elif from_torch is not None and weights is not None:
        folder, todo = _from_torch(
            team, submissions, rules, from_torch,
            weights=weights, manifests=manifests, isolation=isolation,
        )  # fmt: skip
    elif from_torch is not None or weights is not None:
        raise UsageError(
            "--from-torch and --weights go together",
            fix="--from-torch model.py:Net --weights best.pth; a model.json needs --from-keras",
        )
    else:
        folder, todo = _from_files(
            team, submissions, rules,
            onnx=from_onnx, scores=scores, manifests=manifests, is_open=is_open,
        )  # fmt: skip
    tell(f"{folder}: {todo}", is_error=False)


def _check_way_in(ways: Sequence[object], *, of_keras: bool, has_keras: bool) -> None:
    """Refuse two ways in at once, and options of one that was not chosen."""
    if sum(way is not None and way is not False for way in ways) > 1:
        raise UsageError(
            "choose one of --open, --from-onnx, --from-torch, --from-keras and --scores"
        )
    if of_keras and not has_keras:
        raise UsageError("--output and --compare-with need --from-keras")


def _from_keras(
    team: str,
    submissions: Path,
    rules: Challenge,
    model: Path,
    *,
    weights: Path | None,
    outputs: tuple[str, ...],
    reference: Path | None,
    isolation: IsolationKind,
) -> tuple[Path, str]:
    """Write an entry around a saved model; return its folder and what to do next."""
    from harness.scoring.from_keras import new_from_keras, score_line

    folder, found = new_from_keras(
        team,
        submissions,
        rules,
        model,
        weights=weights,
        outputs=outputs,
        reference=reference,
        isolation=isolation,
        progress=progress(),
    )
    line = score_line(found)
    said = "the output of the model" if line == "output" else line
    tell(f"the score is {said}: change it in model.py if you mean another")
    tell(_compared(found, model))
    return folder, f"look at its model.py, then `harness validate --deep {folder}`"


def _from_torch(
    team: str,
    submissions: Path,
    rules: Challenge,
    source: str,
    *,
    weights: Path,
    manifests: tuple[Path, ...],
    isolation: IsolationKind,
) -> tuple[Path, str]:
    """Write an entry around a model of PyTorch; return its folder and what to do next."""
    from harness.scoring.from_torch import submission_from_torch

    made = submission_from_torch(
        team,
        submissions,
        source=source,
        weights=weights,
        challenge=rules.name,
        manifests=manifests,
        isolation=isolation,
        progress=progress(),
    )
    return made.folder, (
        f"PyTorch and the network differ by at most {made.difference:.1e} of the spread of "
        f"their scores, on {made.n_compared:,} training events; fill in its submission.yaml, "
        f"then see whether it becomes firmware: `harness validate {made.folder} --deep`"
    )


def _from_files(
    team: str,
    submissions: Path,
    rules: Challenge,
    *,
    onnx: Path | None,
    scores: Path | None,
    manifests: tuple[Path, ...],
    is_open: bool,
) -> tuple[Path, str]:
    """Write an entry of an ONNX file or of scores, or a skeleton, and say what to do next."""
    from harness.submission.skeleton import (
        new_declared_submission,
        new_submission,
        read_onnx_submission,
        score_options,
    )

    if onnx is not None:
        folder = read_onnx_submission(team, submissions, rules, onnx)
        return folder, f"fill in its submission.yaml, then `harness validate {folder} --deep`"
    if scores is not None:
        folder = new_declared_submission(team, submissions, rules, scores)
        return folder, f"fill in its submission.yaml, then `harness score {folder}`"
    manifest = manifests[-1].absolute() if manifests else None
    folder = new_submission(team, submissions, rules, manifest=manifest, open_division=is_open)
    return folder, (
        "read its README.md, write your account into `owners` of its submission.yaml, run its "
        f"train.py, then `harness score{score_options(rules, manifest)} {folder}`"
    )


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
