"""Networks that were saved by Keras 2, Keras 3 or QKeras, as a part of a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def from_keras(
    path: str | Path, *, weights: str | Path | None = None, outputs: Sequence[str] = ()
) -> keras.Model:
    """Read a model that Keras 2, Keras 3 or QKeras saved.

    Parameters
    ----------
    path : str or Path
        A file of the submission: ``.h5``, ``.keras``, or ``model.json``. It is read as data:
        neither QKeras nor a class of the file is imported, nothing in it is run.
    weights : str or Path, optional
        With ``model.json``: what ``model.save_weights`` wrote.
    outputs : sequence of str
        Names of layers whose outputs are taken in place of the model's. Layers that these do not
        need are not read, such as the sampling of a variational autoencoder.

    Returns
    -------
    keras.Model
        A model of Keras 3, to be called with a tensor as any layer. Of a model of QKeras, the
        layers are HGQ2's of the same words, and the values are the same bit for bit, up to
        roundings of float32 that the next quantiser removes. It must be called with values that
        are in fixed point, such as those of `input_words`.

    Raises
    ------
    InvalidSubmissionError
        The file is damaged, too large or no saved model, or has layers that are not known: all of
        them are named, with what to use.
    """
    from harness.submission.network import load_keras
    from harness.submission.saved.build import build_saved

    load_keras()
    return build_saved(Path(path), None if weights is None else Path(weights), outputs)
