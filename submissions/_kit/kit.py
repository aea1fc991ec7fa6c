"""The training of the baselines: data, schedules, stopping; one file to read and to copy.

A ``train.py`` beside a ``model.py`` imports it from here. Nothing of it runs when an entry is
scored. It hands out the training and the validation part of the background, and nothing else: no
signal and no test event can be had through it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels round differently from run to run, with where in memory their operands lie.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf
from hgq.utils.sugar import BetaScheduler, FreeEBOPs, PieceWiseSchedule
from numpy.typing import NDArray

from harness.data import training_events, validation_events

# Validation stops and picks, so a part of it that training does not dwarf is enough.
N_VALIDATION = 50_000
N_PROXY = 10_000
# Slots of an event: MET, 4 electrons, 4 muons, 10 jets.
KINDS = (slice(0, 1), slice(1, 5), slice(5, 9), slice(9, 19))


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the command line of a ``train.py`` says.

    Attributes
    ----------
    challenge : str
        Whose background to train on.
    manifest : Path or None
        A manifest that holds it, beside the shipped one.
    n_events, n_epochs : int
        Size of the training.
    seed : int
        Of everything that is drawn.
    output : Path
        The file of weights to write.
    mixed_in : Path or None
        A file of signal events to mix into the training part, without labels.
    share : float
        Of them among all that is trained on.
    """

    challenge: str
    manifest: Path | None
    n_events: int
    n_epochs: int
    seed: int
    output: Path
    mixed_in: Path | None = None
    share: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """Events of the background, float32 of shape (n, 57): pT [GeV], eta, phi of 19 slots."""

    training: NDArray[np.float32]
    validation: NDArray[np.float32]


def run(
    train: Callable[[Settings], None],
    *,
    output: Path,
    description: str | None,
    n_events: int = 200_000,
    n_epochs: int = 6,
    seed: int = 57,
    challenge: str = "sample",
    may_mix: bool = False,
) -> None:
    """Read the command line, prepare TensorFlow, train, say how long it took.

    Parameters
    ----------
    may_mix : bool
        The training can read signals among its background: a study of contamination.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--challenge", default=challenge)
    parser.add_argument("--manifest", type=Path, help="a manifest that holds the challenge")
    parser.add_argument("--events", type=int, default=n_events)
    parser.add_argument("--epochs", type=int, default=n_epochs)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--output", type=Path, default=output, help="the file of weights to write")
    if may_mix:
        parser.add_argument("--mixed-in", type=Path, help="signal events to mix into the training")
        parser.add_argument("--share", type=float, default=0.0, help="of them in what it trains on")
    stated = parser.parse_args()
    settings = Settings(
        challenge=stated.challenge,
        manifest=stated.manifest,
        n_events=stated.events,
        n_epochs=stated.epochs,
        seed=stated.seed,
        output=stated.output,
        mixed_in=getattr(stated, "mixed_in", None),
        share=getattr(stated, "share", 0.0),
    )
    prepare(settings.seed)
    wall, cpu = time.monotonic(), time.process_time()
    train(settings)
    print(
        f"wrote {settings.output.name} after {time.monotonic() - wall:.0f} s, "
        f"{time.process_time() - cpu:.0f} s of processor time"
    )


def prepare(seed: int) -> None:
    """Seed everything, and let sums be added up in one order: one thread, fixed kernels.

    A GPU that TensorFlow finds is used; its sums differ in their last digits from a processor's.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        print("TensorFlow runs already: its threads stay as they are", file=sys.stderr)


def background(settings: Settings) -> Background:
    """Read the events to train and to validate on; no other can be had through the harness."""
    where = {"manifest": settings.manifest}
    training = training_events(settings.challenge, **where)[: settings.n_events]
    validation = validation_events(settings.challenge, **where)[:N_VALIDATION]
    return Background(
        training=training.reshape(len(training), -1),
        validation=validation.reshape(len(validation), -1),
    )


def fit(
    model: keras.Model,
    settings: Settings,
    *,
    training: tuple[NDArray[np.float32], NDArray[np.float32]],
    validation: tuple[NDArray[np.float32], NDArray[np.float32]],
    loss: Callable[..., keras.KerasTensor],
    learning_rate: float = 4e-3,
    batch_size: int = 1_024,
    ebops_weight: float | None = None,
    patience: int = 3,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Train with a cosine schedule, stop early on validation background, keep the best epoch.

    Parameters
    ----------
    training, validation : tuple of ndarray
        Inputs and targets, of background both.
    loss : callable
        Of targets and predictions.
    ebops_weight : float, optional
        What a bit operation (HGQ2's EBOPs, which follow the LUTs of the netlist) costs in the
        loss at the end. It grows tenfold over the first half of the training, so that the network
        learns first and saves bits then. None: no quantised layers, or none that train.
    patience : int
        Epochs without a lower loss on the validation background before the training stops.
    """
    n_steps = settings.n_epochs * -(-len(training[0]) // batch_size)
    half = max(1, settings.n_epochs // 2)
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss",
        patience=patience,
        restore_best_weights=True,
        # Losses of epochs with cheaper bits can't be compared.
        start_from_epoch=half if ebops_weight is not None else 0,
    )
    schedule = []
    if ebops_weight is not None:
        points = [(0, ebops_weight / 10, "log"), (half, ebops_weight, "constant")]
        schedule = [BetaScheduler(PieceWiseSchedule(points)), FreeEBOPs()]
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    return model.fit(
        *training,
        validation_data=validation,
        batch_size=batch_size,
        validation_batch_size=8_192,
        epochs=settings.n_epochs,
        callbacks=[*schedule, *callbacks, stop],
        verbose=2,
    )


class Proxies(keras.callbacks.Callback):
    """Logs how well a score tells background from background that was tampered with.

    The AUC against events overlaid with another one (``auc_overlay``) and against events of twice
    the momentum (``auc_harder``). Neither is a signal: they show whether a score has learnt
    anything, and choose nothing.
    """

    def __init__(self, network: keras.Model, events: NDArray[np.float32], seed: int) -> None:
        super().__init__()
        self.network = network
        plain = events[:N_PROXY]
        self.events = {"plain": plain, "overlay": overlay(plain, seed), "harder": harder(plain)}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Add the AUCs to what Keras prints."""
        from sklearn.metrics import roc_auc_score

        scores = {
            name: np.asarray(self.network(events, training=False)).ravel()
            for name, events in self.events.items()
        }
        labels = np.repeat([0, 1], len(scores["plain"]))
        for name in ("overlay", "harder"):
            values = np.concatenate([scores["plain"], scores[name]])
            if logs is not None:
                logs[f"auc_{name}"] = float(roc_auc_score(labels, values))


class Pruning(keras.callbacks.Callback):
    """Sets the weights of least magnitude to zero while the network trains, and keeps them there.

    The kernels of the network are cut together: one threshold for all. The share grows by the cubic
    schedule of M. Zhu and S. Gupta (arXiv:1710.01878), s(t) = S (1 - (1 - t)^3), over the first
    half of the training; over the second half what is left trains without the rest.

    Parameters
    ----------
    network : keras.Model
        Its trained kernels are pruned; a decoder that is no part of it is not.
    share : float
        S, of the weights of all these kernels.
    n_epochs : int
        Of the whole training.
    """

    def __init__(self, network: keras.Model, share: float, n_epochs: int) -> None:
        super().__init__()
        self.kernels = [
            weight for weight in network.trainable_weights if weight.path.endswith("/kernel")
        ]
        self.share, self.half = share, max(1, n_epochs // 2)
        self.masks: list[NDArray[np.float32]] = []
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Remember the epoch, which the schedule counts by."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Choose what is zero, as long as the share grows."""
        passed = (self.epoch + batch / self.params["steps"]) / self.half
        if passed < 1 or not self.masks or batch == 0:
            self.choose(self.share * (1 - (1 - min(1.0, passed)) ** 3))
            self.apply()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Keep zero what the step has moved."""
        self.apply()

    def choose(self, share: float) -> None:
        """Mask the weights of least magnitude of all kernels."""
        sizes = [np.abs(np.asarray(kernel)) for kernel in self.kernels]
        every = np.sort(np.concatenate([size.ravel() for size in sizes]))
        n_zero = round(share * every.size)
        threshold = every[n_zero - 1] if n_zero else -1.0
        self.masks = [(size > threshold).astype(np.float32) for size in sizes]

    def apply(self) -> None:
        """Multiply the kernels by their masks."""
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(kernel * mask)


def overlay(events: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Lay each event over another one: objects together by falling pT, MET added as vectors."""
    first = events.reshape(len(events), -1, 3)
    second = np.random.default_rng(seed).permutation(first)
    laid = np.zeros_like(first)
    for kind in KINDS[1:]:
        both = np.concatenate([first[:, kind], second[:, kind]], axis=1)
        order = np.argsort(-both[..., 0], axis=1, kind="stable")[:, : both.shape[1] // 2]
        laid[:, kind] = np.take_along_axis(both, order[..., None], axis=1)
    vector = sum(
        event[:, 0, 0] * np.exp(1j * event[:, 0, 2].astype(np.float64)) for event in (first, second)
    )
    laid[:, 0, 0], laid[:, 0, 2] = np.abs(vector), np.angle(vector)
    return laid.reshape(events.shape)


def harder(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Double every momentum."""
    return events * np.tile(np.float32([2, 1, 1]), events.shape[1] // 3)


def save(network: keras.Model, output: Path) -> None:
    """Round the widths of all quantisers, as HGQ2 does whenever it uses them, and write.

    Training leaves fractions of a bit behind, whose last digits alone differ from run to run.
    """
    for weight in network.weights:
        quantiser, name = weight.path.split("/")[-2:]
        if quantiser.startswith("fixed_point_quantizer") and name in {"b", "i", "f"}:
            weight.assign(keras.ops.round(weight))
    network.save_weights(output)
